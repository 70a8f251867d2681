"""The secret that signs answers to a client (SPiD). Shown once, and kept sealed: signing needs the secret itself."""

from dataclasses import dataclass

from django.db import transaction

from portal import vault
from portal.accounts import policies
from portal.accounts.models import Application
from portal.accounts.roles import Capability
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import InvalidState, NotFound
from portal.crypto.codes import new_token

PURPOSE = "application.sign_secret"
SIGNING_DIALECT = "spid"


@dataclass(frozen=True)
class Renewed:
    """A client with a new sign secret, which is shown now and never again."""

    application: Application
    sign_secret: str


def sign_secret_of(application: Application) -> str:
    """What signs answers to this client; "" for a client that wants none signed."""
    return vault.unseal(PURPOSE, application.client_id, application.sign_secret_sealed)


def give_sign_secret(application: Application) -> str:
    """Make a secret on the row in hand; the caller saves it."""
    secret = new_token(32)
    application.sign_secret_sealed = vault.seal(PURPOSE, application.client_id, secret)
    return secret


@transaction.atomic
def renew_sign_secret(*, actor: Actor, client_id: str, reason: str) -> Renewed:
    """Sign answers to a client with a new secret from now on; the old one signs no more. Each call makes another.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, InvalidState (`client-not-spid`).
    """
    application = locked_client(actor, client_id, reason)
    if SIGNING_DIALECT not in application.dialects:
        raise InvalidState(
            "Answers are only signed in SPiD, which is not open to this client.", code="client-not-spid"
        )
    signed = bool(application.sign_secret_sealed)
    secret = give_sign_secret(application)
    _save(actor, application, reason, before=signed, after=True)
    return Renewed(application, secret)


@transaction.atomic
def drop_sign_secret(*, actor: Actor, client_id: str, reason: str) -> Application:
    """Sign no more answers to a client. One whose answers are not signed stays as it is, without an event.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    application = locked_client(actor, client_id, reason)
    if not application.sign_secret_sealed:
        return application
    application.sign_secret_sealed = ""
    _save(actor, application, reason, before=True, after=False)
    return application


def locked_client(actor: Actor, client_id: str, reason: str) -> Application:
    """The client that is changed, held until the transaction ends. Raises Forbidden, InvalidInput, NotFound."""
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_reason(reason)
    application = Application.objects.visible_to(actor).select_for_update().filter(client_id=client_id).first()
    if application is None:
        raise NotFound("There is no such client.")
    return application


def _save(actor: Actor, application: Application, reason: str, *, before: bool, after: bool) -> None:
    application.save(update_fields=["sign_secret_sealed"])
    changed = {"before": {"signed_answers": before}, "after": {"signed_answers": after}}
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, **changed)
