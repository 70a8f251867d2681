"""`manage.py bench pin` runs a portal of its own and prints its lines."""

import re
from io import StringIO

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.slow, pytest.mark.machine]


def test_it_prints_both_times_the_load_and_the_ratio() -> None:
    output = StringIO()
    call_command("bench", "pin", "--parallel", "3", "--seconds", "1", stdout=output)
    alone, busy, load, ratio = output.getvalue().splitlines()
    number = r"[0-9]+(\.[0-9]+)?"
    assert re.fullmatch(rf"status, alone: p50 {number} ms, p95 {number} ms \([0-9]+ calls\)", alone)
    assert re.fullmatch(rf"status, during 3 PIN checks: p50 {number} ms, p95 {number} ms \([0-9]+ calls\)", busy)
    assert re.fullmatch(rf"PINs changed: [1-9][0-9]* \({number} a second\), told to come back: 0, failed: 0", load)
    assert re.fullmatch(rf"p95 during / alone: {number}", ratio)
