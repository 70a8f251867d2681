"""The file of an import, row by row: UTF-8, comma-separated (RFC 4180), a header row with the names of `COLUMNS`.

It is read as a stream: never more than one line, and one row, is held.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from devices.operations.issued_facts import IssuedFacts, day_of
from portal.core.card_numbers import FULL_NUMBER, holds_card_number
from portal.core.errors import FieldProblem, InvalidInput
from portal.core.texts import line_problems

# Column → what the facts call it; in the order of the documentation and of the empty file.
COLUMNS: Final[Mapping[str, str]] = {
    "customer-number": "customer_id",
    "kind": "kind",
    "reference": "reference",
    "model": "model",
    "capabilities": "capabilities",
    "masked-card-number": "card_number",
    "card-kind": "card_kind",
    "card-brand": "card_brand",
    "cardholder-name": "cardholder_name",
    "is-primary": "is_primary",
    "delivery-date": "delivered_on",
    "expiration-date": "expires_on",
}
REQUIRED: Final = ("customer-number", "kind", "reference")
LONGEST_LINE: Final = 8192  # bytes; our own policy: twelve short columns fill a tenth of it
LONGEST_CELL: Final = 512  # characters; far above what any column takes. A quoted cell may have many lines
YES_NO: Final = {"": None, "yes": True, "true": True, "no": False, "false": False}
_NAMES: Final = {ours: column for column, ours in COLUMNS.items()}


@dataclass(frozen=True)
class Row:
    """One row that may be looked at further. line: where it begins. values: by column, without outer spaces."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class BadRow:
    """One row that is refused; nothing of what stood in it is kept. Problems name columns."""

    line: int
    problems: tuple[FieldProblem, ...]


class Lines(Protocol):
    """A file opened for bytes."""

    def readline(self, limit: int = ..., /) -> bytes: ...


def read_rows(source: Lines) -> Iterator[Row | BadRow]:
    """Every row after the header, in order; empty lines are skipped.

    Raises InvalidInput at `file` where the file as a whole cannot be read on (no header, no UTF-8, a line that is too
    long): the message names the line, and quotes nothing.
    """
    reader = csv.reader(_lines(source), strict=True)
    header = _header(reader)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise _broken("unreadable", f"Line {first} cannot be read as comma-separated values.") from None
        if cells:
            yield _row(first, header, cells)


def _lines(source: Lines) -> Iterator[str]:
    number = 0
    while raw := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(raw) > LONGEST_LINE:
            raise _broken("line-too-long", f"Line {number} has more than {LONGEST_LINE:,} bytes.")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _broken("not-utf-8", f"Line {number} is not UTF-8.") from None


def _header(reader: Iterable[list[str]]) -> list[str]:
    try:
        cells = [cell.strip() for cell in next(iter(reader), [])]
    except csv.Error:
        raise _broken("unreadable", "The first line cannot be read as comma-separated values.") from None
    if not cells:
        raise _broken("no-header", "The first line has to name the columns.")
    for position, cell in enumerate(cells, 1):
        if cell not in COLUMNS:
            raise _broken("unknown-column", f"Column {position} has a name that is not known.")
    missing = [column for column in REQUIRED if column not in cells]
    if missing:
        raise _broken("missing-column", f"These columns are missing: {', '.join(missing)}.")
    if len(set(cells)) < len(cells):
        raise _broken("column-twice", "A column is there twice.")
    return cells


def _broken(code: str, message: str) -> InvalidInput:
    return InvalidInput.at("file", code, message)


def _row(line: int, header: list[str], cells: list[str]) -> Row | BadRow:
    found = [header[position] if position < len(header) else "" for position in range(len(cells))]
    # Before it is looked at for card numbers: that takes time.
    if long := [column for column, cell in zip(found, cells, strict=True) if len(cell) > LONGEST_CELL]:
        message = f"This has more than {LONGEST_CELL} characters."
        return BadRow(line, (FieldProblem(long[0], "max-length", message),))
    full = [column for column, cell in zip(found, cells, strict=True) if holds_card_number(cell)]
    if full:
        return BadRow(line, tuple(FieldProblem(column, "card-number", FULL_NUMBER) for column in full[:1]))
    if len(cells) != len(header):
        message = f"The header has {len(header)} columns, this row {len(cells)}."
        return BadRow(line, (FieldProblem("", "wrong-columns", message),))
    return Row(line, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})


@dataclass(frozen=True)
class Wanted:
    """What a row asks for. customer: `USR_…` or the bank's number."""

    line: int
    customer: str
    facts: IssuedFacts


def wanted_of(row: Row) -> Wanted | BadRow:
    """Read a row's values. Everything that is wrong with the row alone is named."""
    values = {ours: row.values.get(column, "") for column, ours in COLUMNS.items()}
    problems = line_problems("customer-number", values["customer_id"], longest=64, required=True)
    problems += line_problems("reference", values["reference"], longest=64, required=True)
    facts = _facts(values, problems)
    known = {problem.field for problem in problems}
    problems += [problem for problem in map(_in_columns, facts.problems()) if problem.field not in known]
    return BadRow(row.line, tuple(problems)) if problems else Wanted(row.line, values["customer_id"], facts)


def _facts(values: Mapping[str, str], problems: list[FieldProblem]) -> IssuedFacts:
    """The facts, as far as they can be read; what cannot is added to `problems`."""
    primary = values["is_primary"].lower()
    if primary not in YES_NO:
        problems.append(FieldProblem("is-primary", "unknown-enum", "One of: yes, no."))
    return IssuedFacts(
        kind=values["kind"],
        model=values["model"],
        reference=values["reference"],
        capabilities=tuple(values["capabilities"].replace(";", " ").split()),
        card_number=values["card_number"],
        card_kind=values["card_kind"],
        card_brand=values["card_brand"],
        cardholder_name=values["cardholder_name"],
        is_primary=YES_NO.get(primary),
        expires_on=_day(values["expires_on"], "expires_on", problems),
        delivered_on=_day(values["delivered_on"], "delivered_on", problems),
    )


def _day(text: str, name: str, problems: list[FieldProblem]) -> date | None:
    try:
        return day_of(text)
    except ValueError:
        problems.append(FieldProblem(_NAMES[name], "invalid-format", "A date looks like 2029-12-31."))
        return None


def _in_columns(problem: FieldProblem) -> FieldProblem:
    """The same problem, told of the column."""
    return FieldProblem(_NAMES.get(problem.field, problem.field), problem.code, problem.message)
