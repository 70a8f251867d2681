"""Proofs that a call comes from the holder of a key (RFC 9449)."""

from typing import Final

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from redis.exceptions import RedisError

from portal import vault
from portal.core import clock
from portal.core.errors import Unavailable
from portal.crypto.dpop import AGE, check_proof
from portal.crypto.jwts import BadToken

KEPT: Final = 2 * AGE + 10  # seconds; longer than any proof is good


def proved_key(request: HttpRequest, access_token: str = "") -> str:
    """The thumbprint of the key that proves this very call; "" without a good proof. A proof works once.

    access_token: as it was sent; "" where a refresh token is renewed. Raises Unavailable `proof-state-unavailable`
    where nobody can tell whether the proof is new.
    """
    try:
        proof = check_proof(
            request.META.get("HTTP_DPOP", ""),
            method=str(request.method),
            url=f"{settings.BASE_URL}{request.path}",
            now=int(clock.now().timestamp()),
            access_token=access_token,
        )
    except BadToken:
        return ""
    return proof.thumbprint if _is_new(proof.thumbprint, proof.id) else ""


def _is_new(thumbprint: str, name: str) -> bool:
    try:
        return bool(caches["default"].add(f"dpop:{vault.digest('dpop', thumbprint, name)}", 1, timeout=KEPT))
    except (RedisError, OSError):
        raise Unavailable("Proofs cannot be counted right now.", code="proof-state-unavailable") from None
