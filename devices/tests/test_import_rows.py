"""Reading the file of an import."""

from io import BytesIO

import pytest

from devices.operations import import_rows
from devices.operations.import_rows import LONGEST_CELL, LONGEST_LINE, BadRow, Row, Wanted, read_rows, wanted_of
from portal.core.errors import InvalidInput

HEADER = "customer-number,kind,reference"
FULL = "4111111111111111"


def read(text: str | bytes) -> list[Row | BadRow]:
    return list(read_rows(BytesIO(text.encode() if isinstance(text, str) else text)))


def test_rows_know_the_line_where_they_begin() -> None:
    text = f'\ufeff{HEADER}\r\nC1,smart-card,R1\r\n\r\nC2,smart-card,"R\n2"\r\n C3 ,smart-card, R3 '
    found = read(text)
    assert [row.line for row in found] == [2, 4, 6]
    assert found[2] == Row(6, {"customer-number": "C3", "kind": "smart-card", "reference": "R3"})


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "no-header", "first line"),
        (b"\n\nC1\n", "no-header", "first line"),
        (b"customer-number,kind,reference,colour\n", "unknown-column", "Column 4"),
        (f"customer-number,kind,reference,{FULL}\n".encode(), "unknown-column", "Column 4"),
        (b"customer-number,kind\n", "missing-column", "reference"),
        (b"customer-number,kind,reference,kind\n", "column-twice", "twice"),
        (b"customer-number,kind,reference\nC1,smart-card,R1\n\xff\xfe\n", "not-utf-8", "Line 3"),
        (b"customer-number,kind,reference\n" + b"x" * (LONGEST_LINE + 1), "line-too-long", "Line 2"),
        (b'customer-number,kind,reference\nC1,"smart-card,R1\n', "unreadable", "Line 2"),
        (b'customer-number,kind,reference\nC1,"a"b,R1\n', "unreadable", "Line 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(content: bytes, code: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(content)
    [problem] = refusal.value.fields
    assert (problem.field, problem.code) == ("file", code)
    assert said in problem.message
    assert FULL not in problem.message


@pytest.mark.parametrize("column", range(5))
def test_a_full_card_number_in_any_cell_refuses_the_row_and_is_not_kept(column: int) -> None:
    cells = ["C1", "smart-card", "R1", "Model", "extra"]
    cells[column] = f"x{FULL}"
    [row] = read(f"{HEADER},model\n{','.join(cells)}\n")
    assert isinstance(row, BadRow)
    assert [problem.code for problem in row.problems] == ["card-number"]
    assert FULL not in repr(row)


def test_a_cell_that_is_far_too_long_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(import_rows, "holds_card_number", lambda text: looked.append(len(text)))
    lines = "1 \n" * LONGEST_CELL
    long, short = read(f'{HEADER}\nC1,smart-card,"{lines}"\nC2,smart-card,{"R" * LONGEST_CELL}\n')
    assert isinstance(long, BadRow)
    assert [(problem.field, problem.code) for problem in long.problems] == [("reference", "max-length")]
    assert isinstance(short, Row)
    assert looked == [2, 10, LONGEST_CELL]


@pytest.mark.parametrize("line", ["C1,smart-card", "C1,smart-card,R1,more"])
def test_a_row_of_another_length_is_refused(line: str) -> None:
    [row] = read(f"{HEADER}\n{line}\n")
    assert isinstance(row, BadRow)
    assert [problem.code for problem in row.problems] == ["wrong-columns"]


def wanted(**values: str) -> Wanted | BadRow:
    row = {"customer-number": "C1", "kind": "smart-card", "reference": "R1"}
    return wanted_of(Row(2, {**row, **{name.replace("_", "-"): value for name, value in values.items()}}))


def test_a_whole_card() -> None:
    found = wanted(
        kind="payment-card",
        masked_card_number="411111******1111",
        card_kind="debit-card",
        capabilities="nfc; icc",
        is_primary="Yes",
        expiration_date="2999-12-31",
        delivery_date="2020-01-31",
    )
    assert isinstance(found, Wanted)
    assert (found.customer, found.facts.capabilities, found.facts.is_primary) == ("C1", ("nfc", "icc"), True)
    assert (str(found.facts.expires_on), str(found.facts.delivered_on)) == ("2999-12-31", "2020-01-31")


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"customer_number": ""}, [("customer-number", "required")]),
        ({"reference": ""}, [("reference", "required")]),
        ({"reference": "x" * 65}, [("reference", "max-length")]),
        ({"kind": "phone"}, [("kind", "unknown-enum")]),
        ({"is_primary": "maybe"}, [("is-primary", "unknown-enum")]),
        ({"delivery_date": "31.1.2020"}, [("delivery-date", "invalid-format")]),
        ({"delivery_date": "2029-W52-1"}, [("delivery-date", "invalid-format")]),
        ({"delivery_date": "٢٠٢٠-01-31"}, [("delivery-date", "invalid-format")]),
        ({"capabilities": "fly"}, [("capabilities", "unknown-enum")]),
        ({"card_kind": "debit-card"}, [("card-kind", "combination-required")]),
        (
            {"kind": "payment-card", "card_kind": "debit-card", "expiration_date": "soon"},
            [("expiration-date", "invalid-format"), ("masked-card-number", "required")],
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_told_of_its_columns(
    values: dict[str, str], problems: list[tuple[str, str]]
) -> None:
    found = wanted(**values)
    assert isinstance(found, BadRow)
    assert [(problem.field, problem.code) for problem in found.problems] == problems
