"""The six digits an authenticator app would show now (RFC 6238: SHA-1, 30 seconds, 6 digits)."""

import base64
import hmac
import struct

STEP = 30


def code(secret: str, *, at: float) -> str:
    """The code for a base32 `secret` at `at` seconds since 1970. Raises ValueError for another spelling."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(at) // STEP), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
