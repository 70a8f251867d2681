"""JSON as the doors read it and as signatures need it: strict in, one spelling out."""

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32

_BOM = b"\xef\xbb\xbf"
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # one pass; an open string runs to the end
_SURROGATE = re.compile("[\ud800-\udfff]")
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_WORDS = {None: "null", True: "true", False: "false"}
_LONGEST_INTEGER = 308  # digits that a double can hold; RFC 8259 6 leaves the limit to the reader

_MESSAGES = {
    "json-too-large": "The body is too large.",
    "json-too-deep": "The body is nested too deeply.",
    "json-duplicate-key": "An object has the same key twice.",
    "json-not-a-number": "A number is NaN, infinite or too large.",
    "json-lone-surrogate": "A text has half of a surrogate pair.",
    "json-nul": "The body contains the NUL character.",
    "json-malformed": "The body is not JSON.",
    "json-not-utf8": "The body is not UTF-8.",
}


class BadJSON(ValueError):
    """The body is refused. ``code`` says why in kebab case, ``message`` in a sentence that quotes nothing."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = _MESSAGES[code]
        super().__init__(self.message)


def loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> object:
    """Read a JSON text (RFC 8259) of at most ``max_bytes`` bytes and ``max_depth`` nested arrays and objects.

    Raises BadJSON, and nothing else, where readers might differ or a later step would stumble: a key twice
    in one object, NaN and Infinity, a number no double can hold, an integer of more than 308 digits, lone
    surrogates and NUL (also escaped, also in keys), a byte order mark, anything but UTF-8, an empty body.
    Size and depth are looked at before the text is parsed.
    """
    text = _text(data, max_bytes)
    if _depth(text) > max_depth:
        raise BadJSON("json-too-deep")
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
        if "\\u" in text:  # only an escape can bring what the text itself was already searched for
            _check_texts(value)
    except RecursionError:  # a caller allowed more levels than the interpreter has
        raise BadJSON("json-too-deep") from None
    except json.JSONDecodeError:
        raise BadJSON("json-malformed") from None
    return value


def canonical(value: object) -> bytes:
    """Write a value the one way RFC 8785 allows: keys sorted by UTF-16 code units, no spaces, UTF-8.

    Takes str, int, float, bool, None, lists, tuples and dicts with str keys. Floats are written as ECMAScript
    does, so 1.0 and 1 are the same bytes. Integers are written in full, also those no double holds exactly.
    Raises ValueError for NaN, infinities, lone surrogates and endless nesting, TypeError for any other type.
    """
    try:
        return _written(value).encode("utf-8")
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None


def _text(data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise BadJSON("json-too-large")
    if data.startswith(_BOM):
        raise BadJSON("json-malformed")
    if b"\x00" in data:
        raise BadJSON("json-nul")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadJSON("json-not-utf8") from None


def _depth(text: str) -> int:
    deepest = level = 0
    for token in _TOKENS.finditer(text):
        first = token[0][0]
        if first in "[{":
            level += 1
            deepest = max(deepest, level)
        elif first in "]}":
            level -= 1
    return deepest


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadJSON("json-duplicate-key")
    return made


def _constant(_: str) -> float:
    raise BadJSON("json-not-a-number")


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadJSON("json-not-a-number")
    return number


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_INTEGER:
        raise BadJSON("json-malformed")
    return int(digits)


def _check_texts(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise BadJSON("json-nul")
        if _SURROGATE.search(value):
            raise BadJSON("json-lone-surrogate")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def _written(value: object) -> str:
    match value:
        case str():
            return _quoted(value)
        case None | bool():
            return _WORDS[value]
        case int():
            return int.__repr__(value)
        case float():
            return _number(value)
        case list() | tuple():
            return f"[{','.join(map(_written, value))}]"
        case dict():
            members = [f"{_quoted(key)}:{_written(value[key])}" for key in _in_order(value)]
            return f"{{{','.join(members)}}}"
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def _in_order(keys: Iterable[str]) -> list[str]:
    if "".join(keys).isascii():  # TypeError for a key that is no str
        return sorted(keys)
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))


def _number(value: float) -> str:
    """Write a float as ECMAScript does: shortest digits, an exponent from 1e21 up and from 1e-7 down."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinities have no JSON form")
    if value == 0:
        return "0"
    _, all_digits, exponent = Decimal(float.__repr__(value)).as_tuple()
    digits, point = "".join(map(str, all_digits)).rstrip("0"), len(all_digits) + int(exponent)
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
