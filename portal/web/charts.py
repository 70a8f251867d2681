"""Charts as plain geometry. A template draws them as SVG, so they need no script and no inline style.

Horizontal places are percentages and vertical ones are pixels: the drawing then stretches from a phone to a
desktop without a viewBox, and neither its text nor its rounded corners are squeezed.
Every number that reaches the template is a string or a whole number, so no locale can change its spelling.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

TOP = 10  # pixels kept free above the highest gridline, for its label
GAP = 2  # pixels between the two parts of a bar
LEAST = 3  # pixels; a count of one must be seen beside a count of a thousand
LABELS = 38  # pixels below the base line, for the day and the month


@dataclass(frozen=True)
class DayCount:
    """What is counted of one day (UTC), of two kinds: one is drawn on top of the other."""

    day: dt.date
    lower: int
    upper: int


@dataclass(frozen=True)
class HourCount:
    """The same of one hour (UTC): `hour` is its first moment."""

    hour: dt.datetime
    lower: int
    upper: int


@dataclass(frozen=True)
class _Column:
    """What stands at one place: `label` and `below` it, "" for none; `name` in words."""

    label: str
    below: str
    name: str
    lower: int
    upper: int


@dataclass(frozen=True)
class Bar:
    """One day or hour: the lower part with the upper one on top. A height of 0 is not drawn."""

    day: str
    month: str
    name: str
    lower: int
    upper: int
    slot_x: str
    slot_width: str
    x: str
    width: str
    middle: str
    lower_y: int
    lower_height: int
    upper_y: int
    upper_height: int


@dataclass(frozen=True)
class Tick:
    """A gridline with the count it stands for."""

    label: str
    y: int
    label_y: int


@dataclass(frozen=True)
class DayChart:
    """Stacked bars, one per day or hour, oldest first. `description` says in words what the picture shows."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    height: int
    base_y: int
    day_y: int
    month_y: int
    lower: int
    upper: int
    description: str


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def _day_name(day: dt.date) -> str:
    return f"{day.day} {day:%b}"


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def tick_step(highest: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that needs at most four steps to reach `highest`."""
    step = 1
    for factor in (2, 2.5, 2) * 12:
        if step * 4 >= highest:
            break
        step = int(step * factor)
    return step


def _bar_height(count: int, scale: float) -> int:
    return max(LEAST, round(count * scale)) if count else 0


def _bar(index: int, count: _Column, *, slot: float, scale: float, base: int) -> Bar:
    lower = _bar_height(count.lower, scale)
    upper = _bar_height(count.upper, scale)
    lifted = lower + GAP if lower and upper else lower
    return Bar(
        day=count.label,
        month=count.below,
        name=count.name,
        lower=count.lower,
        upper=count.upper,
        slot_x=_percent(index * slot),
        slot_width=_percent(slot),
        x=_percent(index * slot + slot * 0.18),
        width=_percent(slot * 0.64),
        middle=_percent(index * slot + slot / 2),
        lower_y=base - lower,
        lower_height=lower,
        upper_y=base - lifted - upper,
        upper_height=upper,
    )


def _describe(columns: Sequence[_Column], lower: int, upper: int, words: tuple[str, str], unit: str) -> str:
    if not columns:
        return f"No {unit}s to show."
    text = f"{columns[0].name} to {columns[-1].name}: {_plural(lower, words[0])} and {_plural(upper, words[1])}."
    busiest = max(columns, key=lambda count: count.lower + count.upper)
    if total := busiest.lower + busiest.upper:
        text += f" Busiest {unit}: {busiest.name} with {total:,}."
    return text


def day_chart(days: Sequence[DayCount], *, words: tuple[str, str], plot_height: int = 150) -> DayChart:
    """Lay out one stacked bar per day, in the order given (oldest first).

    words: what the lower and the upper part count, in the singular. plot_height: pixels between the base
    line and the highest gridline.
    """
    columns = [
        _Column(
            str(count.day.day),
            f"{count.day:%b}" if index == 0 or count.day.day == 1 else "",
            _day_name(count.day),
            count.lower,
            count.upper,
        )
        for index, count in enumerate(days)
    ]
    return _chart(columns, words, "day", plot_height)


def hour_chart(hours: Sequence[HourCount], *, words: tuple[str, str], plot_height: int = 150) -> DayChart:
    """The same for hours; every sixth has its number below it, and midnight its day."""
    columns = [
        _Column(
            f"{count.hour:%H}" if count.hour.hour % 6 == 0 else "",
            _day_name(count.hour.date()) if count.hour.hour == 0 else "",
            f"{_day_name(count.hour.date())}, {count.hour:%H}:00",
            count.lower,
            count.upper,
        )
        for count in hours
    ]
    return _chart(columns, words, "hour", plot_height)


def _chart(columns: Sequence[_Column], words: tuple[str, str], unit: str, plot_height: int) -> DayChart:
    highest = max((count.lower + count.upper for count in columns), default=0)
    step = tick_step(highest)
    steps = max(1, math.ceil(highest / step))
    base = TOP + plot_height
    scale = plot_height / (steps * step)
    slot = 100 / max(1, len(columns))
    lower = sum(count.lower for count in columns)
    upper = sum(count.upper for count in columns)
    levels = [(number * step, base - round(number * step * scale)) for number in range(steps + 1)]
    return DayChart(
        bars=tuple(_bar(index, count, slot=slot, scale=scale, base=base) for index, count in enumerate(columns)),
        ticks=tuple(Tick(f"{value:,}", y, y + 4) for value, y in levels),
        height=base + LABELS,
        base_y=base,
        day_y=base + 17,
        month_y=base + 33,
        lower=lower,
        upper=upper,
        description=_describe(columns, lower, upper, words, unit),
    )


@dataclass(frozen=True)
class Part:
    """One share of a whole: `word` is a status that `portal.web.marks` knows."""

    word: str
    count: int
    x: str
    width: str
    share: str


@dataclass(frozen=True)
class Distribution:
    """A horizontal bar cut into parts; parts of nothing are left out of the bar, not out of the list."""

    parts: tuple[Part, ...]
    total: int


def _share(count: int, total: int) -> str:
    if not total or not count:
        return "0 %"
    percent = count * 100 / total
    if percent < 1:
        return "< 1 %"
    return "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def distribution(counts: Sequence[tuple[str, int]]) -> Distribution:
    """Lay out `(word, count)` pairs side by side, in the order given."""
    total = sum(count for _, count in counts)
    parts: list[Part] = []
    before = 0
    for word, count in counts:
        start = before * 100 / total if total else 0
        width = count * 100 / total if total else 0
        parts.append(Part(word, count, _percent(start), _percent(width), _share(count, total)))
        before += count
    return Distribution(tuple(parts), total)
