"""`manage.py bench crl` prints what it measures beside what is promised."""

import re
from pathlib import Path

import pytest

from portal.tests.benches import printed

pytestmark = [pytest.mark.slow, pytest.mark.machine]


def test_a_list_is_read_built_and_stored(tmp_path: Path) -> None:
    lines = printed(tmp_path, "crl", "--entries", "10000")
    _, *lists, memory = lines
    form = r"10,000 entries, 0\.5 MB: [0-9.]+ s \([0-9.]+ s of processor time, at most 1\)"
    assert [bool(re.fullmatch(form, line)) for line in lists] == [True, True], lines
    assert re.fullmatch(r"memory: [0-9]+ MB \(at most 300\)", memory)
