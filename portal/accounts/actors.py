"""Actors out of credentials. Every door builds its actor here, so that a right means the same at all of them."""

from dataclasses import replace
from uuid import UUID

from portal.accounts.models import AccessToken, Application, ApplicationKind, User
from portal.accounts.scopes import scopes_of
from portal.core.actor import Actor, ActorKind, Channel

_KINDS = {ApplicationKind.BANK: ActorKind.BANK, ApplicationKind.MERCHANT: ActorKind.MERCHANT}


def actor_from_token(token: AccessToken, *, channel: Channel, ip: str = "", request_id: str = "") -> Actor:
    """Who a token speaks for: a customer through a mobile application, a bank's or merchant's server, or staff.

    Also for a dead token: then it only names the bearer of a refusal.
    """
    if token.user is not None and token.user.is_staff:
        actor = staff_actor(token.user, channel=channel, ip=ip, request_id=request_id)
    elif token.user is not None:
        actor = _customer_actor(token.user, token.application, channel, ip, request_id)
    elif token.application is not None:
        actor = client_actor(token.application, channel=channel, ip=ip, request_id=request_id)
    else:
        raise ValueError("a token without a bearer; the database holds none")
    return replace(actor, scopes=scopes_of(token), token_id=token.pk, device_id=token.device_id)


def client_actor(application: Application, *, channel: Channel, ip: str = "", request_id: str = "") -> Actor:
    """An authenticated client without a person. A mobile application alone acts for nobody."""
    return Actor(
        kind=_KINDS.get(ApplicationKind(application.kind), ActorKind.ANONYMOUS),
        id=application.client_id,
        label=application.name,
        channel=channel,
        bank_id=application.bank_id,
        application_id=application.pk,
        ip=ip,
        request_id=request_id,
    )


def staff_actor(user: User, *, channel: Channel, ip: str = "", request_id: str = "") -> Actor:
    """A member of staff, with what the role allows at this moment."""
    return Actor(
        kind=ActorKind.STAFF,
        id=str(user.pk),
        label=f"{user.name} ({user.username})",
        channel=channel,
        bank_id=user.bank_id,
        user_id=user.pk,
        capabilities=user.capabilities,
        ip=ip,
        request_id=request_id,
    )


def device_actor(
    owner: User, device_id: UUID, *, scopes: frozenset[str], channel: Channel, ip: str = "", request_id: str = ""
) -> Actor:
    """A device that proved itself by something else than a token: it acts for its owner, as a bound token does."""
    actor = _customer_actor(owner, None, channel, ip, request_id)
    return replace(actor, scopes=scopes, device_id=device_id)


def signed_in_actor(caller: Actor, customer: User, device_id: UUID | None = None) -> Actor:
    """A customer who has just proved who they are, through the application that calls; with a device, by it."""
    actor = _customer_actor(customer, None, caller.channel, caller.ip, caller.request_id)
    return replace(actor, application_id=caller.application_id, device_id=device_id)


def _customer_actor(user: User, application: Application | None, channel: Channel, ip: str, request_id: str) -> Actor:
    return Actor(
        kind=ActorKind.CUSTOMER,
        id=str(user.pk),
        label=user.name,
        channel=channel,
        bank_id=user.bank_id,
        user_id=user.pk,
        application_id=None if application is None else application.pk,
        ip=ip,
        request_id=request_id,
    )
