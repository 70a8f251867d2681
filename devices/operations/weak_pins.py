"""PINs that are guessed first, and are therefore refused (NIST SP 800-63B 3.1.1.2: a blocklist of what is common).

One in eleven of all million. What people choose when they choose badly: Markert et al., "This PIN Can Be Easily
Guessed" (IEEE S&P 2020), and Bonneau et al., "A Birthday Present Every Eleven Wallets?" (FC 2012).
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from django.conf import settings

from portal.core.errors import FieldProblem, InvalidInput

_CENTURIES: Final = (1900, 2000)
_SPLITS: Final = ("dmy", "mdy", "ymd")  # DDMMYY, MMDDYY, YYMMDD

# Walks over a keypad, words on its letters, numbers with a story. What a rule below covers is not repeated here.
_LISTED: Final = """
    147258 147369 147852 147896 159263 159357 159753 258369 258456 258741 357159 357951 369147 369852 456852
    741258 741963 753159 753951 852147 852456 852741 951357 951753 963147 963258 963852 142536 415263 362514
    748596 135246 246135 135790 097531 203040 314159 271828 141421 161803 173205 420247 246810 108642 134679
    976431 794613 316497 134652 243122 564335 725463 783482 527437 752463 746542 527253 262837 269453 638437
    766337 466453 247365 692583 753869 800852 521314 131420 147000 123412 432143 123454 543212
"""
WELL_KNOWN: Final = frozenset(_LISTED.split())


def check_new_pin(field: str, pin: str) -> None:
    """Raises InvalidInput `weak-pin` at the field for a PIN that is easy to guess, and says in what way.

    pin: six digits. `ACCEPTED_WEAK_PINS` lists exceptions for the demo; production has none.
    """
    kind = None if pin in settings.ACCEPTED_WEAK_PINS else weakness(pin)
    if kind is not None:
        raise weak_pin(field, f"This PIN is easy to guess: {kind}.")


def weak_pin(field: str, message: str) -> InvalidInput:
    """The refusal of a PIN that is well formed, and no good."""
    return InvalidInput(message, code="weak-pin", fields=(FieldProblem(field, "weak-pin", message),))


def weakness(pin: str) -> str | None:
    """In what way six digits are easy to guess, in words; None when they are not."""
    return next((kind for kind, is_so in _KINDS if is_so(pin)), None)


def _is_repeat(pin: str) -> bool:
    """Two digits at most, a part that comes again, pairs, or the same from behind: 110101, 123123, 112233, 123321."""
    return len(set(pin)) <= 2 or pin in {pin[:2] * 3, pin[:3] * 2} or pin[::2] == pin[1::2] or pin == pin[::-1]


def _is_run(pin: str) -> bool:
    """Steps of one size, round the corner too: 123456, 654321, 789012, 024680; or two runs of three: 123789."""
    return len(_steps(pin)) == 1 or all(_steps(half) <= {1} or _steps(half) <= {9} for half in (pin[:3], pin[3:]))


def _steps(digits: str) -> set[int]:
    return {(int(after) - int(before)) % 10 for before, after in zip(digits, digits[1:], strict=False)}


def _is_date(pin: str) -> bool:
    pairs = (int(pin[:2]), int(pin[2:4]), int(pin[4:]))
    return any(_is_day(dict(zip(split, pairs, strict=True))) for split in _SPLITS)


def _is_day(parts: dict[str, int]) -> bool:
    return any(_exists(century + parts["y"], parts["m"], parts["d"]) for century in _CENTURIES)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


_KINDS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    ("digits that repeat", _is_repeat),
    ("digits in a row", _is_run),
    ("a date", _is_date),
    ("one of the best known", WELL_KNOWN.__contains__),
)
