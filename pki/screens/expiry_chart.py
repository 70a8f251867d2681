"""How many certificates run out in each week, as plain geometry: bars that lead to their list.

Places across are percentages, those upwards are pixels, as in the other charts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.urls import reverse

from pki.queries.certificates import Week
from portal.web.charts import LABELS, LEAST, TOP, Tick, tick_step

PLOT: Final = 96  # pixels between the base line and the highest gridline


@dataclass(frozen=True)
class WeekBar:
    """One week. A height of 0 is not drawn. month: named where a month begins."""

    name: str
    month: str
    count: int
    url: str
    slot_x: str
    slot_width: str
    x: str
    width: str
    y: int
    height: int


@dataclass(frozen=True)
class ExpiryChart:
    """Bars by week, this one first. between: months that a narrow screen leaves out. `description` says in words what
    the picture shows."""

    bars: tuple[WeekBar, ...]
    ticks: tuple[Tick, ...]
    height: int
    base_y: int
    month_y: int
    total: int
    soon: int
    between: tuple[str, ...]
    description: str


def expiry_chart(weeks: Sequence[Week]) -> ExpiryChart:
    """Lay out one bar a week, in the order given (this week first). soon: how many run out in four weeks."""
    highest = max((week.count for week in weeks), default=0)
    step = tick_step(highest)
    steps = max(1, math.ceil(highest / step))
    base = TOP + PLOT
    scale = PLOT / (steps * step)
    slot = 100 / max(1, len(weeks))
    levels = [(number * step, base - round(number * step * scale)) for number in range(steps + 1)]
    return ExpiryChart(
        bars=tuple(_bar(number, week, slot, scale, base) for number, week in enumerate(weeks)),
        ticks=tuple(Tick(f"{value:,}", y, y + 4) for value, y in levels),
        height=base + LABELS // 2,
        base_y=base,
        month_y=base + 15,
        total=sum(week.count for week in weeks),
        soon=sum(week.count for week in weeks[:4]),
        between=("Feb", "Apr", "Jun", "Aug", "Oct", "Dec"),
        description=_describe(weeks),
    )


def _bar(number: int, week: Week, slot: float, scale: float, base: int) -> WeekBar:
    height = max(LEAST, round(week.count * scale)) if week.count else 0
    sunday = week.monday + timedelta(days=6)
    return WeekBar(
        name=f"{_day(week.monday)} to {_day(sunday)}",
        month=f"{week.monday:%b}" if week.monday.day <= 7 else "",
        count=week.count,
        url=f"{reverse('pki:certificates')}?state=live&since={week.monday.isoformat()}&until={sunday.isoformat()}",
        slot_x=_percent(number * slot),
        slot_width=_percent(slot),
        x=_percent(number * slot + slot * 0.18),
        width=_percent(slot * 0.64),
        y=base - height,
        height=height,
    )


def _describe(weeks: Sequence[Week]) -> str:
    total = sum(week.count for week in weeks)
    text = (
        f"{total:,} certificate{'' if total == 1 else 's'} run{'s' if total == 1 else ''} out in {len(weeks)} weeks."
    )
    most = max(weeks, key=lambda week: week.count, default=None)
    if most is not None and 1 < most.count < total:
        text += f" Most of them in the week of {_day(most.monday)}: {most.count:,}."
    return text


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _percent(value: float) -> str:
    return f"{value:.3f}%"
