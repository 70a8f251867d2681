"""Giving out access tokens, and ending them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import models, transaction
from oauth2_provider.models import set_token_value
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import generate_token

from portal.accounts import policies
from portal.accounts.models import AccessToken, Application, ApplicationKind, RefreshToken, User
from portal.accounts.operations import second_factor
from portal.accounts.scopes import APPROVAL_SCOPES, SCOPES_BY_KIND, SIGN_IN_SCOPES, STAFF_SCOPES
from portal.accounts.tokens import find_refresh_token, find_token
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound


@dataclass(frozen=True)
class TokenPair:
    """An access token and what renews it. The raw texts are shown once and kept nowhere."""

    token: AccessToken
    raw: str
    refresh_raw: str


@transaction.atomic
def issue_token(
    *,
    actor: Actor,
    application: Application,
    user: User | None = None,
    scopes: Iterable[str],
    lifetime: timedelta,
    device: models.Model | None = None,
) -> tuple[AccessToken, str]:
    """Give a client a token at a shell; returns it with its raw text, which is kept nowhere.

    A mobile application gets one for a customer of its bank, bound to the customer's `device` if one is given;
    other clients get one for themselves. Each call makes another token. Raises Forbidden for everybody but our own
    commands, InvalidInput (scopes, user), NotFound (device), InvalidState (`client-suspended`, `user-suspended`,
    `device-not-active`).
    """
    policies.require_system(actor)
    return _issue(actor, application, user, scopes, lifetime, device)


@transaction.atomic
def issue_token_pair(
    *,
    actor: Actor,
    application: Application,
    user: User,
    scopes: Iterable[str],
    lifetime: timedelta,
    device: models.Model | None = None,
) -> TokenPair:
    """The same for a mobile application, with a refresh token: the first of a new family."""
    policies.require_system(actor)
    token, raw = _issue(actor, application, user, scopes, lifetime, device)
    refresh_raw = generate_token()
    store_refresh_token(token, refresh_raw, family=uuid4())
    return TokenPair(token, raw, refresh_raw)


@transaction.atomic
def issue_device_session(
    *,
    actor: Actor,
    application: Application,
    user: User,
    device: models.Model,
    proved: bool,
    key_thumbprint: str = "",
) -> TokenPair:
    """A session bound to a device that was just let in: all that the application may have.

    proved: whether its approval key has signed for this; without that the session has no part in two-factor
    requests, nor has anything that renews it. key_thumbprint: of the key that each call has to prove, "" for none.
    In the caller's transaction. Raises Forbidden, NotFound (device), InvalidState as `issue_token` does.
    """
    if not actor.is_customer or (actor.user_id, actor.device_id) != (user.pk, device.pk):
        raise Forbidden(code="not-the-device")
    scopes = frozenset(application.allowed_scopes) & SCOPES_BY_KIND[application.kind]
    scopes = scopes if proved else scopes - APPROVAL_SCOPES
    lifetime = timedelta(seconds=oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS)
    token, raw = _issue(actor, application, user, scopes, lifetime, device, key_thumbprint=key_thumbprint)
    refresh_raw = generate_token()
    store_refresh_token(token, refresh_raw, family=uuid4())
    return TokenPair(token, raw, refresh_raw)


@transaction.atomic
def issue_browser_session(
    *, actor: Actor, application: Application, user: User, scopes: Iterable[str], family: UUID
) -> TokenPair:
    """A session of a customer who signed in in a browser, bound to no device: it answers no request on one.

    family: what all that renews it will be called by. Raises Forbidden, InvalidInput (scopes), NotFound,
    InvalidState as `issue_token` does.
    """
    if not actor.is_customer or actor.user_id != user.pk:
        raise Forbidden(code="not-yourself")
    lifetime = timedelta(seconds=oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS)
    token, raw = _issue(actor, application, user, scopes, lifetime, None)
    refresh_raw = generate_token()
    store_refresh_token(token, refresh_raw, family=family)
    return TokenPair(token, raw, refresh_raw)


@transaction.atomic
def issue_sign_in_token(
    *, actor: Actor, application: Application, user: User, lifetime: timedelta
) -> tuple[AccessToken, str]:
    """The token of a sign-in that waits for approval on another device: it sees that request, and finishes it."""
    if not actor.is_customer or actor.user_id != user.pk:
        raise Forbidden(code="not-yourself")
    if application.suspended_at is not None:
        raise InvalidState("This client is suspended.", code="client-suspended")
    _check_bearer(application, user, None)
    return _store(actor, AccessToken(application=application, user=user), SIGN_IN_SCOPES, lifetime, generate_token())


@transaction.atomic
def issue_client_token(
    *, actor: Actor, application: Application, scopes: Iterable[str], raw: str, lifetime: timedelta
) -> AccessToken:
    """Keep the token that the token endpoint made for an authenticated bank's or merchant's server."""
    if actor.application_id != application.pk:
        raise Forbidden(code="other-client")
    return _issue(actor, application, None, scopes, lifetime, None, raw=raw)[0]


@transaction.atomic
def issue_staff_token(
    *,
    actor: Actor,
    user: User | None = None,
    lifetime: timedelta = policies.LONGEST_STAFF_TOKEN,
    proof: second_factor.Verified | None = None,
) -> tuple[AccessToken, str]:
    """Give a member of staff a token for the API; what it may do is the person's role at each call.

    Staff get one for themselves, for 15 minutes at most, and bring `proof`, a fresh second factor; a command names
    the `user`. Raises Forbidden (another person, `second-factor-needed`), InvalidInput (lifetime), InvalidState
    (suspended).
    """
    user_id = actor.user_id if user is None else user.pk
    person = None if user_id is None else User.objects.staff().filter(pk=user_id).first()
    if person is None:
        raise Forbidden("Only staff have staff tokens.", code="not-staff")
    policies.require_staff_token(actor, person.pk, lifetime)
    second_factor.require_fresh(actor, proof)
    if not person.is_active:
        raise InvalidState("This person is suspended.", code="user-suspended")
    return _store(actor, AccessToken(user=person), STAFF_SCOPES, lifetime, generate_token())


@transaction.atomic
def revoke_token(*, actor: Actor, application: Application, raw: str) -> bool:
    """End a token at its client's own wish (RFC 7009), with every token that renews it or came from it.

    Returns whether there was anything to end: an unknown, foreign or dead token changes nothing and is no error.
    """
    token = find_token(raw)
    refresh = find_refresh_token(raw) if token is None else RefreshToken.objects.filter(access_token=token).first()
    found = token or refresh
    if found is None or found.application_id != application.pk:
        return False
    renewable = False
    if refresh is None:
        ended = AccessToken.objects.filter(pk=found.pk).end()
    else:
        lock_family(refresh.token_family)
        family = RefreshToken.objects.filter(token_family=refresh.token_family)
        renewable, ended = family.unused().exists(), family.revoke()
    if ended or renewable:
        audit.record(actor, Event.TOKEN_REVOKED, found, details={"ended": ended})
    return ended > 0 or renewable


def end_tokens_of_device(device_id: UUID, *, but: int | None = None) -> int:
    """End every session of a device, inside the caller's transaction and under its lock on the device.

    but: the access token that lives on, with what renews it.

    Returns how many live access tokens were really ended. Refresh tokens bound to the device go with them. The
    caller writes the number into its own event.
    """
    now = clock.now()
    kept = [but] if but is not None else []
    bound = RefreshToken.objects.unused().filter(access_token__device_id=device_id)
    bound.exclude(access_token_id__in=kept).update(revoked=now, updated=now)
    return AccessToken.objects.filter(device_id=device_id).exclude(pk__in=kept).end()


def store_refresh_token(token: AccessToken, raw: str, *, family: UUID) -> RefreshToken:
    """Keep the refresh token that belongs to a customer's access token."""
    refresh = RefreshToken(user=token.user, application=token.application, access_token=token, token_family=family)
    set_token_value(refresh, raw)
    refresh.save(force_insert=True)
    return refresh


def lock_family(family: UUID) -> None:
    """Hold all that descends from one sign-in, by its oldest row: a renewal on its way ends first.

    The newest row would not do: a renewal adds another while one waits for it. After the device's lock, if any.
    """
    RefreshToken.objects.select_for_update().filter(token_family=family).order_by("pk").first()


def lock_device(device: models.Model) -> models.Model | None:
    """The device with its row locked, so that ending its tokens and giving out one cannot pass each other."""
    return type(device)._default_manager.select_for_update().filter(pk=device.pk).first()


def _issue(
    actor: Actor,
    application: Application,
    user: User | None,
    scopes: Iterable[str],
    lifetime: timedelta,
    device: models.Model | None,
    *,
    raw: str = "",
    key_thumbprint: str = "",
) -> tuple[AccessToken, str]:
    if application.suspended_at is not None:
        raise InvalidState("This client is suspended.", code="client-suspended")
    _check_bearer(application, user, device)
    token = AccessToken(application=application, user=user, key_thumbprint=key_thumbprint)
    if device is not None:
        token.device = lock_device(device)  # type: ignore[assignment]
        _check_device(token)
    return _store(actor, token, _checked_scopes(application, scopes), lifetime, raw or generate_token())


def _check_bearer(application: Application, user: User | None, device: models.Model | None) -> None:
    if application.kind != ApplicationKind.MOBILE:
        if user is not None or device is not None:
            raise InvalidInput.at("user", "not-for-this-client", "Only a mobile application acts for a customer.")
        return
    if user is None:
        raise InvalidInput.at("user", "required", "A mobile application acts for a customer: name one.")
    if user.is_staff or user.bank_id != application.bank_id:
        raise NotFound("There is no such customer.")
    if not user.is_active:
        raise InvalidState("This customer is suspended.", code="user-suspended")


def _check_device(token: AccessToken) -> None:
    if token.device is None or token.device.owner_id != token.user_id:
        raise NotFound("There is no such device.")
    if not token.device.is_active:
        raise InvalidState("This device is not active.", code="device-not-active")


def _checked_scopes(application: Application, scopes: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(scopes)
    excess = wanted - (frozenset(application.allowed_scopes) & SCOPES_BY_KIND[application.kind])
    if excess:
        names = ", ".join(sorted(excess))
        raise InvalidInput.at("scopes", "scope-not-allowed", f"This client cannot have: {names}.")
    return wanted


def _store(
    actor: Actor, token: AccessToken, scopes: frozenset[str], lifetime: timedelta, raw: str
) -> tuple[AccessToken, str]:
    token.scope = " ".join(sorted(scopes))
    token.expires = clock.now() + lifetime
    set_token_value(token, raw)
    token.save(force_insert=True)
    record_issue(actor, token)
    return token, raw


def record_issue(actor: Actor, token: AccessToken) -> None:
    """Write who got which token; never the token."""
    details = {
        "scopes": token.scope.split(),
        "client": "" if token.application is None else token.application.name,
        "user": "" if token.user is None else token.user.public_id,
        "device": "" if token.device_id is None else str(token.device_id),
        "expires": clock.rfc3339(token.expires),
    }
    audit.record(actor, Event.TOKEN_ISSUED, token, details=details)
