"""`manage.py bench sign` measures both ways of signing and prints their ratios."""

import re
from io import StringIO

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.slow, pytest.mark.machine]


def test_it_prints_both_ratios() -> None:
    output = StringIO()
    call_command("bench", "sign", "--rounds", "50", "--calls", "5", stdout=output)
    lines = output.getvalue().splitlines()
    number = r"[0-9]+\.[0-9]+"
    assert len(lines) == 4
    assert re.fullmatch(rf"in process: {number} bare signatures \(at most 12\)", lines[1])
    assert re.fullmatch(rf"over the API: {number} times the floor \(at most 5\)", lines[3])
