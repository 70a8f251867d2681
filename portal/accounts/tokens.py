"""Looking at tokens: which one a caller sent, and whether it still opens anything."""

import hashlib
from typing import Final

from portal.accounts.models import AccessToken, RefreshToken
from portal.core import clock

# What actors, policies and the answers about a token look at.
_READ: Final = (
    *("scope", "expires", "created", "ended_at", "key_thumbprint"),
    *("application__client_id", "application__name", "application__kind", "application__bank_id"),
    *(
        "application__dialects",
        "application__allowed_scopes",
        "application__allowed_ips",
        "application__suspended_at",
        "application__sign_secret_sealed",
        "application__app_secret_digest",
        "application__app_secret_before",
        "application__app_secret_before_until",
    ),
    *("user__kind", "user__bank_id", "user__username", "user__name", "user__role", "user__customer_number"),
    *("user__is_active", "device__status", "device__owner_id", "device__last_activity_at"),
)


def token_checksum(raw: str) -> str:
    """What the database keeps of a token. It has 178 random bits, so one SHA-256 hides it well enough."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


def find_token(raw: str) -> AccessToken | None:
    """The token a caller sent, dead or alive, with its client, person and device. One query.

    Ask `reason_dead` before it opens anything. Only `_READ` is read, because every call pays for each column.
    """
    tokens = AccessToken.objects.select_related("application", "user", "device").only(*_READ)
    return next(iter(tokens.filter(token_checksum=token_checksum(raw))), None)


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
