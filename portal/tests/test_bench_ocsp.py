"""`manage.py bench ocsp` prints what it measures beside what is promised."""

import re
from pathlib import Path

import pytest

from portal.tests.benches import printed

pytestmark = [pytest.mark.slow, pytest.mark.machine]


def test_it_prints_three_rates_and_the_ratio(tmp_path: Path) -> None:
    lines = printed(tmp_path, "ocsp", "--certificates", "50", "--calls", "1500")
    *_, nothing, stored, live, ratio = lines
    rates = r"[0-9]+ a second of processor time, [0-9]+ a second by the clock"
    assert re.fullmatch(f"a view that does nothing: {rates}", nothing)
    assert re.fullmatch(f"stored answers: {rates}", stored)
    assert re.fullmatch(f"answers with a nonce, signed on the spot: {rates}", live)
    assert re.fullmatch(r"stored / nothing: [0-9.]+ \(at least 0\.6\)", ratio)
