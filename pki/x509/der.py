"""A strict reader of DER (X.690): what may be read at all, and what is written in a form DER forbids.

Two parties that read lax bytes differently see two different requests. So the bytes are judged here, before
any library builds objects from them. Size, depth and number of elements are bounded before anything is done.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, UTF8 = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C
PRINTABLE, TELETEX, IA5, UTC_TIME, GENERALIZED_TIME, VISIBLE, UNIVERSAL, BMP = (
    0x13, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1C, 0x1E,
)  # fmt: skip
SEQUENCE, SET = 0x30, 0x31

MAX_DEPTH = 14  # a subject in a request stands five deep, a directory name in its alternative names eleven
MAX_ELEMENTS = 600  # a request has about sixty, a full certificate about ninety

_CONSTRUCTED = 0x20
_PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_NOT_PRINTABLE = bytes(_PRINTABLE)
_LOOSE_OID = re.compile(rb"(?s)(?:\A|[\x00-\x7f])\x80|[\x80-\xff]\Z|\A\Z")
_UTC_TIME = re.compile(rb"[0-9]{12}Z")
_GENERALIZED_TIME = re.compile(rb"[0-9]{14}Z")


class Unreadable(ValueError):
    """The bytes are no DER and cannot be read on. ``rule`` says why, ``facts`` fill its sentence."""

    def __init__(self, rule: str, **facts: int) -> None:
        self.rule = rule
        self.facts = facts
        super().__init__(rule)


class Problem(NamedTuple):
    """Something DER forbids that does not stop the reading: a rule and the byte it is at."""

    rule: str
    at: int


class Element:
    """One element: its tag, where it stands, and its parts when it is constructed."""

    __slots__ = ("_data", "at", "end", "parts", "start", "tag")

    def __init__(self, data: bytes, tag: int, at: int, start: int, end: int, parts: "Sequence[Element]") -> None:
        self._data = data
        self.tag = tag
        self.at = at
        self.start = start
        self.end = end
        self.parts = parts

    @property
    def content(self) -> bytes:
        return self._data[self.start : self.end]

    @property
    def raw(self) -> bytes:
        """The whole element, with its tag and length."""
        return self._data[self.at : self.end]


def read(data: bytes) -> tuple[Element, list[Problem]]:
    """Read exactly one element with everything in it. Raises Unreadable where no more can be made out."""
    reader = _Reader(data)
    root, end = reader.element(0, len(data), 0)
    if end != len(data):
        raise Unreadable("der-trailing", at=root.at)
    return root, reader.problems


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_ELEMENTS
        self.problems: list[Problem] = []

    def element(self, at: int, limit: int, depth: int) -> tuple[Element, int]:
        # The whole gate and linter stand on this function, which is why it is written for speed.
        data = self.data
        if at + 2 > limit:
            raise Unreadable("der-truncated", at=at)
        tag, length, start = data[at], data[at + 1], at + 2
        if length >= 0x80:
            length, start = self.long_length(at, limit)
        end = start + length
        if end > limit:
            raise Unreadable("der-truncated", at=at)
        self.left -= 1
        if self.left < 0:
            raise Unreadable("der-count", limit=MAX_ELEMENTS)
        if tag & _CONSTRUCTED:
            element = Element(data, tag, at, start, end, self.parts(start, end, depth + 1))
            if tag != SEQUENCE:
                self.constructed(element)
            return element, end
        element = Element(data, tag, at, start, end, ())
        check = _CHECKS[tag]
        if check is not None:
            rule = check(data[start:end])
            if rule:
                self.tell(rule, at)
        return element, end

    def parts(self, start: int, end: int, depth: int) -> list[Element]:
        if depth > MAX_DEPTH:
            raise Unreadable("der-depth", limit=MAX_DEPTH)
        parts = []
        while start < end:
            part, start = self.element(start, end, depth)
            parts.append(part)
        return parts

    def tell(self, rule: str, at: int) -> None:
        if rule == "der-tag":
            raise Unreadable(rule, at=at)
        self.problems.append(Problem(rule, at))

    def long_length(self, at: int, limit: int) -> tuple[int, int]:
        count = self.data[at + 1] & 0x7F
        if count == 0:
            raise Unreadable("der-indefinite", at=at)
        start = at + 2 + count
        if count > 4 or start > limit:  # four bytes already say more than any input we take
            raise Unreadable("der-truncated", at=at)
        length = int.from_bytes(self.data[at + 2 : start])
        if length < 0x80 or self.data[at + 2] == 0:
            self.problems.append(Problem("der-length", at))
        return length, start

    def constructed(self, element: Element) -> None:
        tag = element.tag
        if tag == SET:
            if len(element.parts) > 1 and not in_order(element):
                self.tell("der-set-order", element.at)
        elif tag & 0x1F == 0x1F:
            self.tell("der-tag", element.at)
        elif tag < 0x40:
            self.tell("der-tag" if _CHECKS[tag & 0x1F] is _unknown else "der-constructed", element.at)


def in_order(element: Element) -> bool:
    """Whether the parts stand as DER wants the members of a SET OF: sorted by their bytes (X.690 11.6)."""
    encodings = [part.raw for part in element.parts]
    return encodings == sorted(encodings)


def _boolean(content: bytes) -> str | None:
    return None if content in (b"\x00", b"\xff") else "der-boolean"


def _integer(content: bytes) -> str | None:
    if not content:
        return "der-integer"
    first = content[0]
    loose = len(content) > 1 and (first in (0x00, 0xFF)) and (content[1] >> 7) == (first & 1)
    return "der-integer" if loose else None


def _bit_string(content: bytes) -> str | None:
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        return "der-bit-string"
    return "der-bit-string" if content[0] and content[-1] & ((1 << content[0]) - 1) else None


def _null(content: bytes) -> str | None:
    return "der-null" if content else None


def _oid(content: bytes) -> str | None:
    if content and content.isascii():
        return None
    return "der-oid" if _LOOSE_OID.search(content) else None


def _utf8(content: bytes) -> str | None:
    if content.isascii():
        return None
    try:
        content.decode()
    except UnicodeDecodeError:
        return "der-string"
    return None


def _printable(content: bytes) -> str | None:
    return "der-string" if content.translate(None, _NOT_PRINTABLE) else None


def _ascii(content: bytes) -> str | None:
    return None if content.isascii() else "der-string"


def _utc_time(content: bytes) -> str | None:
    return None if _UTC_TIME.fullmatch(content) else "der-time"


def _generalized_time(content: bytes) -> str | None:
    return None if _GENERALIZED_TIME.fullmatch(content) else "der-time"


def _unknown(content: bytes) -> str | None:
    return "der-tag"


def _check_for(tag: int) -> Callable[[bytes], str | None] | None:
    """What to hold the content of a primitive element against; None where any bytes will do."""
    if tag & 0x1F == 0x1F:  # tags above 30, which nothing we read has
        return _unknown
    return _UNIVERSAL.get(tag, _unknown) if tag < _CONSTRUCTED else None


_UNIVERSAL: dict[int, Callable[[bytes], str | None] | None] = {
    BOOLEAN: _boolean,
    INTEGER: _integer,
    BIT_STRING: _bit_string,
    OCTET_STRING: None,
    NULL: _null,
    OID: _oid,
    0x0A: _integer,  # ENUMERATED
    UTF8: _utf8,
    0x12: _printable,  # NumericString
    PRINTABLE: _printable,
    TELETEX: None,
    IA5: _ascii,
    UTC_TIME: _utc_time,
    GENERALIZED_TIME: _generalized_time,
    VISIBLE: _ascii,
    UNIVERSAL: None,
    BMP: None,
}
_CHECKS = tuple(_check_for(tag) for tag in range(256))


def dotted(content: bytes) -> str:
    """The content of an object identifier in dots, or a word where it is none. Long arcs are cut short."""
    if _LOOSE_OID.search(content) or len(content) > 40:
        return "unreadable"
    arcs, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


@lru_cache(maxsize=256)
def encode_oid(text: str) -> bytes:
    """The content bytes of an object identifier given in dots; for the constants of our own modules."""
    first, second, *rest = map(int, text.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(digits))
    return bytes(encoded)


def encode(tag: int, content: bytes) -> bytes:
    """One element with its length in the shortest form."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(parts: Iterable[bytes]) -> bytes:
    return encode(SEQUENCE, b"".join(parts))


def encode_integer(number: int) -> bytes:
    """A number that is not negative."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def encode_time(moment: datetime) -> bytes:
    """A time in whole seconds: UTCTime through 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5)."""
    moment = moment.astimezone(UTC)
    # Looked up in a table, four times as fast as strftime: long revocation lists are mostly times.
    century, year = divmod(moment.year, 100)
    text = (
        _TWO_DIGITS[year] + _TWO_DIGITS[moment.month] + _TWO_DIGITS[moment.day]
        + _TWO_DIGITS[moment.hour] + _TWO_DIGITS[moment.minute] + _TWO_DIGITS[moment.second] + b"Z"
    )  # fmt: skip
    if 1950 <= moment.year < 2050:
        return b"\x17\x0d" + text
    return b"\x18\x0f" + _TWO_DIGITS[century] + text


_TWO_DIGITS = tuple(b"%02d" % number for number in range(100))
