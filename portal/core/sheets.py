"""Lines of CSV that a spreadsheet opens as text.

A cell that begins like a formula gets an apostrophe in front (OWASP, "CSV Injection": = + - @, tab, carriage return,
and their full-width forms). The rest is RFC 4180.
"""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """A value as a cell; nothing is an empty one."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def line(values: Iterable[object]) -> str:
    """One row, with its line end."""
    out = StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()
