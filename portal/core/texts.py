"""One line of text as people type it: the same rule at every operation."""

from typing import Final

from portal.core.card_numbers import FULL_NUMBER, holds_card_number
from portal.core.errors import FieldProblem

LONGEST_REASON: Final = 500


def line_problems(field: str, value: str, *, longest: int, required: bool = False) -> list[FieldProblem]:
    """What is wrong with a line of text; outer spaces do not make it one.

    longest: in characters, outer spaces included. Codes: `required`, `max-length`, and `invalid-format` for
    characters that no person types.
    """
    if not value.strip():
        return [FieldProblem(field, "required", "This is required.")] if required else []
    if len(value) > longest:
        return [FieldProblem(field, "max-length", f"This has at most {longest} characters.")]
    if not value.isprintable():
        return [FieldProblem(field, "invalid-format", "This has characters that cannot be shown.")]
    return []


def cardless_problems(field: str, value: str, *, longest: int, required: bool = False) -> list[FieldProblem]:
    """As `line_problems`, for a line that is kept in the clear: `card-number` where it holds a full card number."""
    # Its length comes first: to look for a number takes time.
    if len(value) <= longest and holds_card_number(value):
        return [FieldProblem(field, "card-number", FULL_NUMBER)]
    return line_problems(field, value, longest=longest, required=required)


def reason_problems(reason: str, *, required: bool) -> list[FieldProblem]:
    """What is wrong with a reason: the audit log keeps it for good. One line of up to 500 characters."""
    return cardless_problems("reason", reason, longest=LONGEST_REASON, required=required)
