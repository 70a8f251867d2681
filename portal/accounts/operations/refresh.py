"""Renewing an access token with a refresh token: each works once, and one that comes back ends its family.

RFC 9700 4.14.2: nobody can tell whether the thief or the owner comes second, so both lose the session.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from oauth2_provider.models import refresh_token_expire_timedelta, set_token_value
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import generate_token

from portal.accounts.actors import actor_from_token, client_actor
from portal.accounts.models import AccessToken, Application, ApplicationKind, RefreshToken
from portal.accounts.operations.clients import is_app_secret
from portal.accounts.operations.tokens import TokenPair, lock_device, lock_family, record_issue, store_refresh_token
from portal.accounts.policies import ip_allowed
from portal.accounts.scopes import scopes_of
from portal.accounts.tokens import find_refresh_token, reason_bearer_dead
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import VerificationFailed
from portal.crypto.codes import same

UNPROVED: Final = "proof-wrong"
DIALECT: Final = "hyphen"  # whose door renews by the refresh token alone


def check_refresh_token(
    *, actor: Actor, application: Application, raw: str, proved_key: str
) -> tuple[RefreshToken, frozenset[str]]:
    """The refresh token that an authenticated client sent, and the scopes it can renew today. Uses nothing up.

    proved_key: thumbprint of the key that this call is proved by, "" for none. Raises VerificationFailed for one that
    is unknown, another client's, used, expired, whose customer, device or client is not active, or that is bound to
    another key (`proof-wrong`). A used one ends its family first, and each refusal is written before it is raised.
    """
    found = find_refresh_token(raw)
    if found is None or found.application_id != application.pk:
        audit.refuse(actor, Event.TOKEN_REFUSED, code="refresh-token-unknown")
        raise VerificationFailed(code="refresh-token-unknown")
    with transaction.atomic(durable=True):
        held, token, code = _judge(actor, found, proved_key)
    if token is None or code:
        raise VerificationFailed(code=code)
    return held, scopes_of(token)


def rotate_refresh_token(
    *,
    actor: Actor,
    refresh: RefreshToken,
    scopes: Iterable[str],
    raw: str,
    refresh_raw: str,
    lifetime: timedelta,
    proved_key: str,
) -> AccessToken:
    """Use up a refresh token for a new pair with the same customer, device and key; the old access token ends.

    `raw` and `refresh_raw` are the new tokens' texts, proved_key is as in `check_refresh_token`. Of two calls with
    one refresh token the second finds it used: the family ends and VerificationFailed is raised, as there.
    """
    new: AccessToken | None = None
    with transaction.atomic(durable=True):
        held, token, code = _judge(actor, refresh, proved_key)
        if token is not None and not code:
            RefreshToken.objects.filter(pk=held.pk).revoke()
            new = _successor(held, token, scopes, raw, lifetime)
            store_refresh_token(new, refresh_raw, family=held.token_family)
            record_issue(_bearer(actor, new), new)
    if new is None:
        raise VerificationFailed(code=code)
    return new


def refresh_session(*, actor: Actor, raw: str, app_secret: str | None = None, proved_key: str = "") -> TokenPair:
    """Renew a mobile application's session by its refresh token alone (Hyphen); rotation guards it. Not inside a
    transaction.

    app_secret: has to be the application's where it comes along. All scopes that are left are renewed. proved_key,
    and what is raised: as in `check_refresh_token`; the refusal is written.
    """
    found = find_refresh_token(raw)
    application = None if found is None else found.application
    if application is None or not _may_renew(application, app_secret, actor.ip):
        audit.refuse(actor, Event.TOKEN_REFUSED, code="refresh-token-unknown")
        raise _refused("refresh-token-unknown")
    caller = client_actor(application, channel=actor.channel, ip=actor.ip, request_id=actor.request_id)
    try:
        refresh, scopes = check_refresh_token(actor=caller, application=application, raw=raw, proved_key=proved_key)
        access_raw, refresh_raw = generate_token(), generate_token()
        lifetime = timedelta(seconds=oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS)
        token = rotate_refresh_token(
            actor=caller,
            refresh=refresh,
            scopes=scopes,
            raw=access_raw,
            refresh_raw=refresh_raw,
            lifetime=lifetime,
            proved_key=proved_key,
        )
    except VerificationFailed as failed:
        raise _refused(failed.code) from None
    return TokenPair(token, access_raw, refresh_raw)


def _may_renew(application: Application, app_secret: str | None, ip: str) -> bool:
    """What every other call of an application through this door is asked, too."""
    if DIALECT not in application.dialects or not ip_allowed(application, ip):
        return False
    if application.kind != ApplicationKind.MOBILE or application.suspended_at is not None:
        return False
    return app_secret is None or is_app_secret(application, app_secret)


def _refused(code: str) -> VerificationFailed:
    refusal = VerificationFailed(code=code)
    refusal.audited = True
    return refusal


def _judge(actor: Actor, refresh: RefreshToken, proved_key: str) -> tuple[RefreshToken, AccessToken | None, str]:
    """Lock the device, then the family, and decide. A refusal is written, and a used one ends its family.

    Without the key that it is bound to, a token does nothing at all, so that a thief ends no session by it.
    """
    device = None if refresh.access_token is None else refresh.access_token.device
    if device is not None:
        lock_device(device)
    lock_family(refresh.token_family)
    held = RefreshToken.objects.get(pk=refresh.pk)
    token = held.access_token
    unproved = token is not None and token.key_thumbprint and not same(proved_key, token.key_thumbprint)
    code = UNPROVED if unproved else _reason_dead(held, token)
    if code:
        family = RefreshToken.objects.filter(token_family=held.token_family)
        ended = family.revoke() if held.revoked is not None and not unproved else 0
        bearer = actor if token is None else _bearer(actor, token)
        audit.record_refusal(bearer, Event.TOKEN_REFUSED, held, code=code, details={"ended": ended})
    return held, token, code


def _bearer(client: Actor, token: AccessToken) -> Actor:
    """The customer for whom the client renews."""
    return actor_from_token(token, channel=client.channel, ip=client.ip, request_id=client.request_id)


def _reason_dead(refresh: RefreshToken, token: AccessToken | None) -> str:
    if refresh.revoked is not None:
        was_used = AccessToken.objects.filter(source_refresh_token=refresh).exists()
        return "refresh-token-reused" if was_used else "refresh-token-ended"
    if token is None or token.expires + refresh_token_expire_timedelta() <= clock.now():
        return "refresh-token-expired"
    return reason_bearer_dead(token) or ""


def _successor(
    held: RefreshToken, token: AccessToken, scopes: Iterable[str], raw: str, lifetime: timedelta
) -> AccessToken:
    new = AccessToken(
        application=token.application,
        user=token.user,
        device=token.device,
        key_thumbprint=token.key_thumbprint,
        source_refresh_token=held,
        scope=" ".join(sorted(set(scopes) & scopes_of(token))),
        expires=clock.now() + lifetime,
    )
    set_token_value(new, raw)
    new.save(force_insert=True)
    return new
