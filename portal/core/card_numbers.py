"""Full card numbers stay outside: how one is known, and the masked form that may come in.

A card number has 13 to 19 digits with a check digit by the Luhn formula (ISO/IEC 7812-1, annex B; 19 is the most that
the standard allows, 13 the shortest that was ever issued). Device identifiers are never tested this way: real IMEIs
pass the same formula.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

SHORTEST, LONGEST = 13, 19
FULL_NUMBER: Final = "This holds a full card number. Only its first six and last four digits may come in."
# Digits of any script, with at most four other characters between two of them, none of which is a letter. The
# masked form has six there. Fast where there is nothing to find.
_RUN: Final = re.compile(r"\d(?:[\W_]{0,4}\d){12,}")
_GROUP: Final = re.compile(r"\d+")
_MASKED: Final = re.compile(r"([0-9]{6})[*•xX]{3,9}([0-9]{4})")  # 13 to 19 places in all


def holds_card_number(text: str) -> bool:
    """Whether a full card number stands anywhere in a text; up to four signs between two digits are ignored.

    Digits are taken in the groups in which they are written: `4111 1111 1111 1111 12/29` holds one. A run of more
    digits than a card number has, written without a break, is none. It looks at every character: refuse what is
    too long first.
    """
    return any(_in_groups(_GROUP.findall(run)) for run in _RUN.findall(text))


def _in_groups(groups: list[str]) -> bool:
    """Whether some groups that follow one another make a card number together."""
    for start in range(len(groups)):
        for digits in accumulate(groups[start : start + LONGEST]):
            if SHORTEST <= len(digits) <= LONGEST and passes_luhn(digits):
                return True
    return False


def passes_luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1, annex B: every second digit from the right is doubled; the sum divides by 10."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = unicodedata.digit(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@dataclass(frozen=True)
class MaskedNumber:
    """What is kept of a card number: PCI DSS 4.0, 3.4.1 lets no more be shown than the BIN and the last four."""

    start: str
    end: str

    def __str__(self) -> str:
        return f"{self.start}••••••{self.end}"


def read_masked(text: str) -> MaskedNumber | None:
    """Read `411111******1111`: six digits, 3 to 9 of `*`, `•` or `x`, four digits; spaces and dashes do not count.

    None for anything else, a full number included.
    """
    found = _MASKED.fullmatch(re.sub(r"[ \-]", "", text))
    return MaskedNumber(*found.groups()) if found else None
