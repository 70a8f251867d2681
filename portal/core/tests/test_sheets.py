"""Cells that a spreadsheet takes for text."""

import csv
from io import StringIO

import pytest

from portal.core.sheets import cell, line


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"])
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert next(csv.reader(StringIO(line([text, "x"]), newline=""))) == [f"'{text}", "x"]


@pytest.mark.parametrize(("value", "written"), [("a=1", "a=1"), ("", ""), (None, ""), (0, "0"), (-1, "'-1")])
def test_everything_else_is_written_as_it_is(value: object, written: str) -> None:
    assert cell(value) == written


def test_a_line_is_quoted_where_it_has_to_be() -> None:
    assert line(['say "x"', "a,b", "c"]) == '"say ""x""","a,b",c\r\n'
