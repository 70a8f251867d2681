"""What may be asked for, type by type: Hyphen's `userOpInfo`, as it is shown and signed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from unicodedata import category

from portal.core.errors import FieldProblem, InvalidInput

SIGN_IN, PAYMENT, DEVICE_TRANSFER = KINDS = ("sign-in", "payment", "device-transfer")


# Letters and symbols of which nothing is seen: the fillers of Hangul, the empty Braille cell, the placeholder of an
# object, the null note head, the blanks of Egyptian hieroglyphs.
BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159\U00013441\U00013442")
# Unicode's Bidi_Control: what they stand around is read in another order than it is signed in.
TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Fact:
    """One text of an operation. longest: in characters. required: not empty. form: of the whole, where it has one."""

    longest: int
    required: bool = False
    form: str = ""


FACTS: Final[Mapping[str, Mapping[str, Fact]]] = {
    SIGN_IN: {"email": Fact(254), "ip": Fact(45), "location": Fact(128)},  # RFC 5321 4.5.3.1; an IPv6 address
    PAYMENT: {
        "amount": Fact(20, required=True, form=r"[0-9]{1,14}(\.[0-9]{1,5})?"),  # ISO 20022, 18 digits
        "currency": Fact(3, required=True, form="[A-Z]{3}"),  # ISO 4217
        "payee": Fact(140, required=True),  # ISO 20022, Max140Text
        "reference": Fact(140),
    },
    DEVICE_TRANSFER: {"device": Fact(64, required=True), "recipient": Fact(120, required=True)},
}


def member_of(kind: str) -> str:
    """The field that holds an operation's facts: `device-transfer` → `device_transfer`."""
    return kind.replace("-", "_")


def shown_operation(kind: str, facts: Mapping[str, str]) -> dict[str, object]:
    """The operation as it is shown and signed: `{"type": "sign-in", "signIn": {…}}`, with each fact of its type.

    Raises InvalidInput, naming every fact that is missing, unknown, too long or not of its form, as
    `user_op_info.<type>.<fact>`.
    """
    if kind not in FACTS:
        raise InvalidInput.at("user_op_info.type", "unknown-enum", f"One of: {', '.join(KINDS)}.")
    path, wanted = f"user_op_info.{member_of(kind)}", FACTS[kind]
    problems = [
        FieldProblem(f"{path}.{name}", "unknown-field", "There is no such field.")
        for name in facts
        if name not in wanted
    ]
    for name, fact in wanted.items():
        if problem := _problem(fact, facts.get(name)):
            problems.append(FieldProblem(f"{path}.{name}", *problem))
    if problems:
        raise InvalidInput(fields=tuple(problems))
    head, *tail = kind.split("-")
    return {"type": kind, head + "".join(word.capitalize() for word in tail): {name: facts[name] for name in wanted}}


def is_showable(text: str) -> bool:
    """Whether it looks like what it is: no line breaks, nothing invisible but spaces, which may be of any width."""
    return all(character.isprintable() or category(character) == "Zs" for character in text)


def is_visible(text: str) -> bool:
    """Whether there is something to see: a letter, digit, sign or symbol. Marks alone, and blanks, are none."""
    return any(category(character)[0] in "LNPS" and character not in BLANK for character in text)


def is_turned(text: str) -> bool:
    """Whether something in it turns the direction in which it is read."""
    return not TURNING.isdisjoint(text)


def _problem(fact: Fact, text: str | None) -> tuple[str, str] | None:
    if text is None or (fact.required and not text.strip()):
        return "required", "This is required."
    if len(text) > fact.longest:
        return "max-length", f"This has at most {fact.longest} characters."
    if not is_showable(text) or (text and not is_visible(text)) or (fact.form and not re.fullmatch(fact.form, text)):
        return "invalid-format", "This is not of the right form."
    return None
