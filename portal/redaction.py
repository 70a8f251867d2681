"""The last guard of the logs: values that look like secrets are taken out, whoever wrote them there.

Nobody should log a secret; this is for the day somebody does. It would rather hide too much.
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import Enum
from uuid import UUID

HIDDEN = "[redacted]"
LONGEST = 500  # characters of one value
_DEEPEST = 6

_SECRET_WORDS = frozenset(
    {"token", "secret", "password", "passwd", "pin", "phrase", "passphrase", "authorization", "credential", "otp"}
    | {"totp", "seed", "cookie", "bearer", "signature"}
)
_WORD = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RULE_ID = re.compile(r"[a-z]+(-[a-z]+)*")
_PATTERNS = (
    # "Bearer abc", "Basic abc"
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    # a query string, whatever is in it
    (re.compile(r"(/[^\s?'\"]*)\?[^\s'\"]+"), rf"\1?{HIDDEN}"),
    # name=value and name: value
    (
        re.compile(
            r"(?i)([\w-]*(?:token|secret|password|passwd|phrase|authorization|cookie)|\bpin|\bcode|\botp)"
            r"(['\"]?\s*[=:]\s*)(?!\[redacted\])(['\"]?)[^\s&,;'\"]+"
        ),
        rf"\1\2\3{HIDDEN}",
    ),
    # a JSON Web Token
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    # 28 and more characters that mix upper case, lower case and digits: a token. (UUIDs, hex and DEV_… do not.)
    (re.compile(r"(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{28,}"), HIDDEN),
)


def clean(value: object, key: str = "", depth: int = 0) -> object:
    """The value as it may be logged, in JSON's types. Never raises; an object of a class of its own is only named."""
    if is_secret(key, value):
        return HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return clean_text(str(value))
        case Mapping() if depth < _DEEPEST:
            return {str(name): clean(item, str(name), depth + 1) for name, item in value.items()}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [clean(item, key, depth + 1) for item in value]
        case UUID() | date():
            return str(value)
        case Enum():
            return clean(value.value, key, depth + 1)
        case _:
            return f"<{type(value).__name__}>"


def is_secret(key: str, value: object) -> bool:
    """Whether the name alone says that the value is a secret. A rule id such as `needs-second-person` is no code."""
    words = _WORD.findall(_CAMEL.sub("_", key).lower())
    if words[-1:] == ["code"] and words != ["status", "code"]:
        return not (isinstance(value, str) and _RULE_ID.fullmatch(value))
    return not _SECRET_WORDS.isdisjoint(word.removesuffix("s") for word in words)


def clean_text(text: str) -> str:
    """The text without what looks like a secret, at most `LONGEST` characters."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def clean_problem(text: str) -> str:
    """The first line of an exception's text, without quoted parts and numbers: they are somebody's input."""
    line = clean_text(text.partition("\n")[0])
    line = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "'…'", line)
    return re.sub(r"\d{3,}", "…", line)[:200]
