"""Suspending people and clients: what they hold stops working at their next request, and can be let in again."""

from uuid import UUID

from django.db import transaction

from portal.accounts import policies
from portal.accounts.models import Application, ApplicationKind, PortalSession, User
from portal.accounts.roles import Capability
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, NotFound


@transaction.atomic
def suspend_client(*, actor: Actor, client_id: str, suspended: bool, reason: str) -> Application:
    """Suspend a client of the API, or lift it. Its tokens are refused from the next call on, and work again after.

    The state it has already is left alone and leaves no event. reason: 1 to 500 characters. A merchant is let in
    again by two people (`merchants.operations.merchants.resume_merchant`), and not here. Raises Forbidden,
    InvalidInput, NotFound, InvalidState `merchant-needs-two`.
    """
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_reason(reason)
    application = Application.objects.select_for_update().filter(client_id=client_id).first()
    if application is None or actor.bank_id not in (None, application.bank_id):
        raise NotFound("There is no such client.")
    if not suspended and application.suspended_at is not None and application.kind == ApplicationKind.MERCHANT:
        raise InvalidState(
            "A merchant is let in again by two people, on its page under Merchants.", code="merchant-needs-two"
        )
    return switch_client(actor=actor, application=application, suspended=suspended, reason=reason)


def switch_client(*, actor: Actor, application: Application, suspended: bool, reason: str) -> Application:
    """The switch itself, for an operation that holds the row's lock and has asked whether the actor may.

    The state it has already is left alone and leaves no event.
    """
    if (application.suspended_at is not None) == suspended:
        return application
    application.suspended_at = clock.now() if suspended else None
    application.save(update_fields=["suspended_at"])
    event = Event.CLIENT_SUSPENDED if suspended else Event.CLIENT_RESUMED
    audit.record(actor, event, application, reason=reason)
    return application


@transaction.atomic
def suspend_person(*, actor: Actor, user_id: UUID, suspended: bool, reason: str) -> User:
    """Suspend a member of staff or a customer, or lift it. Tokens are refused from the next call on.

    Sessions at the portal end for good: who comes back signs in anew.
    Repeats and reasons as in `suspend_client`. Nobody suspends themselves. Raises Forbidden, InvalidInput, NotFound.
    """
    policies.require_capability(actor, Capability.STAFF_MANAGE)
    policies.require_reason(reason)
    user = User.objects.visible_to(actor).select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such person.")
    if user.pk == actor.user_id:
        raise Forbidden("Somebody else has to do this.", code="not-oneself")
    if user.is_active != suspended:
        return user
    user.is_active = not suspended
    user.save(update_fields=["is_active"])
    event = Event.PERSON_SUSPENDED if suspended else Event.PERSON_RESUMED
    ended = PortalSession.objects.of_person(user.pk).delete()[0] if suspended else 0
    audit.record(actor, event, user, reason=reason, details={"sessions": ended} if ended else None)
    return user
