"""The schedule on paper: a million certificates that were issued on one day, and one try in five that fails.

No database and no signatures, but the real slots and the real pauses.
"""

import heapq
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from pki.rotation_schedule import (
    LAST_MOMENT,
    PAUSES,
    SHORTEST_PAUSE,
    SPREAD,
    next_reminder,
    next_try,
    slot,
    window_opens,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
FEW = 30_000
MANY = int(os.environ.get("PORTAL_TEST_CERTIFICATES", "1000000"))


def issue(count: int, chance: random.Random) -> list[tuple[str, datetime, datetime]]:
    """Serial, first and last moment, all of one working day."""
    starts = (NOON - timedelta(hours=4) + timedelta(seconds=chance.randrange(8 * 3600)) for _ in range(count))
    return [(f"{chance.getrandbits(159):040x}", start, start + YEAR) for start in starts]


def run(count: int, failing: float) -> tuple[Counter[datetime], Counter[int], int]:
    """One life on paper: renewals per day of 24 hours, tries that a certificate took, and how many ran out."""
    chance = random.Random(20260115)
    certificates = issue(count, chance)
    waiting = [(slot(*one), number, 1) for number, one in enumerate(certificates)]
    heapq.heapify(waiting)
    first = window_opens(NOON, NOON + YEAR)
    days: Counter[datetime] = Counter()
    tries: Counter[int] = Counter()
    ran_out = 0
    while waiting:
        at, number, attempt = heapq.heappop(waiting)
        serial, _, ends = certificates[number]
        if chance.random() >= failing:
            days[first + timedelta(days=(at - first).days)] += 1
            tries[attempt] += 1
        elif following := next_try(serial, attempt, at, ends):
            heapq.heappush(waiting, (following, number, attempt + 1))
        else:
            ran_out += 1
    return days, tries, ran_out


def check(count: int) -> None:
    days, tries, ran_out = run(count, failing=0.2)
    whole = [days[day] for day in sorted(days)][1:-2]  # the first and the last ones begin and end within a day
    mean, peak = sum(whole) / len(whole), max(whole)
    print(  # noqa: T201  the figures are what the test is for
        f"\n{count:,} certificates of one day, 20 % of tries failing: renewed over {len(days)} days, mean "
        f"{mean:,.0f} a day, peak {peak:,} ({peak / mean:.2f} × mean), most tries of one {max(tries)}, "
        f"ran out {ran_out}"
    )
    assert ran_out == 0
    assert sum(days.values()) == count
    assert peak <= 1.3 * mean
    assert 88 <= len(whole) <= 93  # three quarters of a third of a year


def test_the_renewals_of_one_day_are_spread_evenly_and_none_runs_out() -> None:
    check(FEW)


@pytest.mark.slow
def test_the_same_with_a_million() -> None:
    check(MANY)


def test_a_slot_lies_in_the_first_three_quarters_of_the_window() -> None:
    for serial, start, end in issue(500, random.Random(1)):
        opens = window_opens(start, end)
        assert opens == end - YEAR / 3
        assert opens <= slot(serial, start, end) <= end - YEAR / 12
        assert slot(serial, start, end) == slot(serial, start, end)


def test_pauses_grow_to_a_day_and_shrink_again_towards_the_end() -> None:
    due = NOON + timedelta(days=300)
    pauses = [at - NOON for failed in range(1, 12) if (at := next_try("one", failed, NOON, due))]
    assert len(pauses) == 11
    for pause, least in zip(pauses, (*PAUSES, *[PAUSES[-1]] * 4), strict=True):
        assert least <= pause <= least * (1 + SPREAD)
    near = next_try("one", 11, NOON, NOON + timedelta(hours=8))
    assert near == NOON + timedelta(hours=2)
    assert next_try("one", 11, NOON, NOON + LAST_MOMENT) is None


def test_however_long_it_fails_there_is_a_try_shortly_before_the_end() -> None:
    at, end, tries = NOON, NOON + timedelta(days=30), 0
    while following := next_try("one", tries + 1, at, end):
        assert following - at >= SHORTEST_PAUSE
        at, tries = following, tries + 1
    assert end - at < timedelta(minutes=10)
    assert 30 < tries < 100


def test_a_device_is_reminded_ever_sooner() -> None:
    at, end = NOON, NOON + timedelta(days=30)
    gaps = []
    while at < end:
        gaps.append(next_reminder(at, end) - at)
        at += gaps[-1]
    assert gaps[0] == timedelta(days=7)
    assert gaps == sorted(gaps, reverse=True)
    assert len(gaps) < 25
