"""Looking at tokens: which one a caller sent, and whether it still opens anything."""

import hashlib

from portal.accounts.models import AccessToken, RefreshToken
from portal.core import clock


def token_checksum(raw: str) -> str:
    """What the database keeps of a token. It has 178 random bits, so one SHA-256 hides it well enough."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


def find_token(raw: str) -> AccessToken | None:
    """The token a caller sent, dead or alive, with its client, person and device. One query.

    Ask `reason_dead` before it opens anything.
    """
    related = ("application", "user", "device")
    return AccessToken.objects.select_related(*related).filter(token_checksum=token_checksum(raw)).first()


def find_refresh_token(raw: str) -> RefreshToken | None:
    """The refresh token a client sent, used up or not, with its client, person, access token and device."""
    related = ("application", "user", "access_token__device")
    return RefreshToken.objects.select_related(*related).filter(token_checksum=token_checksum(raw)).first()


def reason_dead(token: AccessToken) -> str | None:
    """Why a token opens nothing (`expired`, `ended`, `device-not-active`, `user-suspended`, `client-suspended`).

    None for a live one. A token that was ended stays so, also when its device is active again.
    """
    if token.expires <= clock.now():
        return "expired"
    return "ended" if token.ended_at is not None else reason_bearer_dead(token)


def reason_bearer_dead(token: AccessToken) -> str | None:
    """The same, without asking the token itself: for renewing it."""
    if token.device is not None and not (token.device.is_active and token.device.owner_id == token.user_id):
        return "device-not-active"
    if token.user is not None and not token.user.is_active:
        return "user-suspended"
    if token.application is not None and token.application.suspended_at is not None:
        return "client-suspended"
    return None
