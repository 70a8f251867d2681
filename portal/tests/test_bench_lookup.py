"""`manage.py bench lookup` prints what it measures beside what is promised."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from portal.bench._refusals import area
from portal.tests.benches import printed

TIMES = r"p50 [0-9.]+ ms, p95 [0-9.]+ ms"
LINES = (
    rf"among 1,000 links: lookup {TIMES}; token and one row {TIMES}; ratio [0-9.]+",
    r"loaded and counted: 1,400 links in [0-9]+ s \([0-9,]+ a second\)",
    rf"among 1,400 links: lookup {TIMES}; token and one row {TIMES}; ratio [0-9.]+",
    r"lookup, 1,400 / 1,000 links: [0-9.]+ \(at most 1\.2\), the floor [0-9.]+, against the floor [0-9.]+",
    r"statements: [1-4] for a hit \(at most 4\), [0-9]+ for a miss with its event",
    r"lookup: the plan is shown on PostgreSQL",
    *(
        line
        for sort in ("linkedAt", "customerId", "deviceId")
        for line in (
            rf"list by {sort}: page 1 {TIMES}; page 70 {TIMES}; ratio [0-9.]+ \(at most 1\.5\)",
            r"page 70: the plan is shown on PostgreSQL",
        )
    ),
    *(
        line
        for kind, count in (("device", 1), ("phrase", 2), ("number", 2), ("prefix", 100))
        for line in (
            rf"search by {kind}: {count} found, {TIMES}",
            rf"search by {kind}: the plan is shown on PostgreSQL",
        )
    ),
    *(
        rf"refused, {kind}: {TIMES}; told from the others by time: 0\.[0-9]+ \(between 0\.45 and 0\.55\)"
        for kind in ("unknown", "unlinked", "inactive", "other bank")
    ),
)


@pytest.mark.slow
@pytest.mark.machine
def test_it_prints_every_figure(tmp_path: Path) -> None:
    words = ("--links", "1400", "--calls", "10", "--pages", "2", "--refusals", "20")
    lines = printed(tmp_path, "lookup", *words)
    assert len(lines) == len(LINES), lines
    assert [line for line, form in zip(lines, LINES, strict=True) if not re.fullmatch(form, line)] == []


@pytest.mark.parametrize(
    ("one", "others", "expected"),
    [
        ([1, 2], [3, 4], 0.0),
        ([3, 4], [1, 2], 1.0),
        ([1, 2, 3], [1, 2, 3], 0.5),
        ([2, 2], [2], 0.5),
        ([1, 3], [2, 2], 0.5),
        ([2, 3], [1, 2], 0.875),
    ],
)
def test_the_area_says_how_likely_one_is_longer(
    one: Sequence[float], others: Sequence[float], expected: float
) -> None:
    assert area(one, others) == expected
