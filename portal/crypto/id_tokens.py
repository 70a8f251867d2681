"""What an ID token has to say (OpenID Connect Core 1.0, 3.1.3.7), once its signature holds."""

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from portal.crypto.jwts import BadToken

SKEW: Final = 60  # seconds that two clocks may differ: our own policy
OLDEST: Final = 3600  # seconds since it was made; a provider's tokens may say a shorter time
KINDS: Final = {"jwt", "application/jwt"}  # RFC 7519 5.1
LONGEST_SUBJECT: Final = 255  # OpenID Connect Core 1.0, 2


def require_kind(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Raises BadToken `token-of-another-kind` for what the same issuer signs and is no ID token (RFC 8725 3.11).

    Access tokens (RFC 9068) and logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4) name their type, and the
    second their event.
    """
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in KINDS or "events" in claims:
        raise BadToken("token-of-another-kind")


def subject_of(claims: Mapping[str, Any], *, issuer: str, audience: str, now: int, nonce: str = "") -> str:
    """Whom the token speaks of.

    now: seconds since the Unix epoch. nonce: what it must repeat, "" for none. Raises BadToken `token-issuer`,
    `token-audience`, `token-expired`, `token-too-early`, `token-too-old`, `token-nonce`, `token-subject`.
    """
    if claims.get("iss") != issuer:
        raise BadToken("token-issuer")
    _check_audience(claims, audience)
    _check_times(claims, now)
    if nonce and claims.get("nonce") != nonce:
        raise BadToken("token-nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise BadToken("token-subject")
    return subject


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    given = claims.get("aud")
    meant = given if isinstance(given, list) else [given]
    party = claims.get("azp")
    if audience not in meant or (len(meant) > 1 and party is None) or party not in (None, audience):
        raise BadToken("token-audience")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not _is_time(expires) or now >= expires + SKEW:
        raise BadToken("token-expired")
    if not _is_time(issued) or not _is_time(begins) or max(issued, begins) > now + SKEW:
        raise BadToken("token-too-early")
    if issued < now - OLDEST - SKEW:
        raise BadToken("token-too-old")


def _is_time(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
