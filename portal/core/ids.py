"""Ids: never sequential, 128 bits, one value in several spellings.

`DEV_`, `USR_`, … are the prefix and the 128 bits in Crockford base32: 26 characters, upper case, no I L O U.
"""

import secrets
import time
from uuid import UUID, uuid4

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26  # 26 × 5 = 130 bits; the first character carries only three
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def new_id() -> UUID:
    """A random id (UUID version 4), for things that callers may see."""
    return uuid4()


def uuid7(*, at_ms: int | None = None) -> UUID:
    """A time-ordered id (RFC 9562 5.7), for rows that are read in the order they were written.

    The 12 bits after the milliseconds hold the fraction of the millisecond (RFC 9562 6.2, method 3), so ids of one
    process sort in the order they were made. With `at_ms` (Unix milliseconds) it is the smallest id of that moment.
    """
    if at_ms is not None:
        return UUID(int=(at_ms & (1 << 48) - 1) << 80 | 7 << 76 | 2 << 62)
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62))


def encode(value: UUID) -> str:
    """The 26 base32 characters of an id."""
    number = value.int
    characters = []
    for _ in range(LENGTH):
        number, digit = divmod(number, 32)
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))


def decode(text: str) -> UUID:
    """Read the 26 characters back. Only the canonical spelling is read; raises ValueError for anything else."""
    if len(text) != LENGTH or any(character not in _VALUES for character in text):
        raise ValueError("not a base32 id")
    number = 0
    for character in text:
        number = number * 32 + _VALUES[character]
    if number >> 128:
        raise ValueError("not a base32 id")
    return UUID(int=number)


def spell(prefix: str, value: UUID) -> str:
    """`spell("DEV", id)` is `DEV_…`."""
    return f"{prefix}_{encode(value)}"


def read(prefix: str, text: str) -> UUID:
    """The id in `DEV_…`. Raises ValueError for another prefix or a spelling that is not canonical."""
    head, separator, tail = text.partition("_")
    if head != prefix or not separator:
        raise ValueError(f"not a {prefix}_ id")
    return decode(tail)
