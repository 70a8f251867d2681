"""Pages of a list, by keyset: a cursor holds the sort values of the row where the next page begins.

A cursor is opaque to clients but not secret and not signed: it is an input like any other. It may only ever
narrow a list that was already limited to what the caller may see.
"""

from dataclasses import dataclass

from portal.core import base64url
from portal.core.json import canonical, loads

MAX_LENGTH = 512
_MAX_VALUES = 8
_INTEGERS = range(-(2**63), 2**63)  # what both databases can compare with

type Value = str | int | None


class BadCursor(ValueError):
    """The text is no cursor."""

    code = "bad-cursor"


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows of a list, and the cursors of the pages beside it (None where the list ends)."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    previous_cursor: str | None = None


def encode(values: tuple[Value, ...]) -> str:
    """Write 1 to 8 sort values as a cursor of at most 512 characters. Raises ValueError for others."""
    if not _are_values(values):
        raise ValueError("a cursor holds 1 to 8 texts, 64-bit integers or None")
    text = base64url.encode(canonical(values))
    if len(text) > MAX_LENGTH or decode(text) != values:
        raise ValueError("these values do not fit into a cursor")
    return text


def decode(text: str) -> tuple[Value, ...]:
    """Read what ``encode`` writes, and the same values back. Raises BadCursor for every other text."""
    try:
        if len(text) > MAX_LENGTH:
            raise BadCursor("the cursor is too long")
        read = loads(base64url.decode(text), max_bytes=MAX_LENGTH, max_depth=1)
    except (TypeError, ValueError):
        raise BadCursor("not a cursor") from None
    if not isinstance(read, list) or not _are_values(values := tuple(read)):
        raise BadCursor("not a cursor of this kind")
    return values


def _are_values(values: tuple[object, ...]) -> bool:
    return 1 <= len(values) <= _MAX_VALUES and all(map(_is_value, values))


def _is_value(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and value in _INTEGERS
    return value is None or isinstance(value, str)
