"""Random codes and tokens, and comparing them without telling by time where they differ."""

import hmac
import secrets

from portal.core import base64url

_MOST_DIGITS = 32
_LEAST_TOKEN_BYTES = 16
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_LOOKALIKES = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None, " ": None})
_GROUPS, _GROUP_LENGTH = 3, 4


def new_digits(n: int) -> str:
    """Make n random decimal digits, every value equally likely. Raises ValueError unless 1 <= n <= 32."""
    if not 1 <= n <= _MOST_DIGITS:
        raise ValueError(f"a code has 1 to {_MOST_DIGITS} digits")
    return f"{secrets.randbelow(10**n):0{n}d}"


def new_token(n_bytes: int = 32) -> str:
    """Make a random token of n bytes, written in base64url. Raises ValueError for fewer than 16 bytes."""
    if n_bytes < _LEAST_TOKEN_BYTES:
        raise ValueError(f"a token has at least {_LEAST_TOKEN_BYTES} bytes")
    return base64url.encode(secrets.token_bytes(n_bytes))


def new_backup_code() -> str:
    """Make a code for paper: three groups of four (``7k2m-9xqd-0r4t``), 60 random bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def plain_backup_code(typed: str) -> str:
    """Bring a code as a person typed it to the one form that is digested and compared.

    Case, spaces and dashes do not count; i and l are read as 1, o as 0. Anything else is kept, and so
    matches nothing.
    """
    return typed.lower().translate(_LOOKALIKES)


def same(a: str | bytes, b: str | bytes) -> bool:
    """Compare two secrets; the time taken shows their lengths at most. A str counts as its UTF-8 bytes."""
    return hmac.compare_digest(_as_bytes(a), _as_bytes(b))


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
