"""Keyed digests: a fixed name for a secret value, of no use to anyone without the key."""

import hashlib
import hmac

_KEY_BYTES = 32
_LENGTH_BYTES = 8


def keyed_digest(key: bytes, purpose: str, *parts: str | bytes) -> str:
    """HMAC-SHA-256 (RFC 2104) over the purpose and the parts, as 64 lower-case hex digits.

    The purpose and each part are preceded by their length (8 bytes, big endian), so ("ab", "c") and ("a",
    "bc") differ, and so do one purpose and another over the same parts. A str counts as its UTF-8 bytes;
    lone surrogates have bytes of their own and never raise. Raises ValueError for a key under 32 bytes or
    an empty purpose.
    """
    if len(key) < _KEY_BYTES:
        raise ValueError(f"a digest key has at least {_KEY_BYTES} bytes")
    if not purpose:
        raise ValueError("a digest needs a purpose")
    framed = hmac.new(key, digestmod=hashlib.sha256)
    for part in (purpose, *parts):
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        framed.update(len(data).to_bytes(_LENGTH_BYTES))
        framed.update(data)
    return framed.hexdigest()
