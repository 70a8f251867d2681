import datetime as dt

import pytest

from portal.web.charts import DayChart, DayCount, day_chart, distribution, tick_step


def _days(*counts: tuple[int, int]) -> list[DayCount]:
    first = dt.date(2026, 11, 29)
    return [DayCount(first + dt.timedelta(days=index), *count) for index, count in enumerate(counts)]


def activity(days: list[DayCount], *, plot_height: int = 150) -> DayChart:
    return day_chart(days, words=("action", "refusal"), plot_height=plot_height)


@pytest.mark.parametrize(
    ("highest", "step"),
    [(0, 1), (1, 1), (4, 1), (5, 2), (8, 2), (9, 5), (20, 5), (21, 10), (81, 50), (128_402, 50_000)],
)
def test_four_round_steps_reach_the_highest_bar(highest: int, step: int) -> None:
    assert tick_step(highest) == step
    assert step * 4 >= highest


def test_bars_stand_on_the_base_line_with_the_upper_part_on_top() -> None:
    chart = activity(_days((30, 10), (0, 0)), plot_height=80)
    first, second = chart.bars
    assert (first.lower_y, first.lower_height) == (30, 60)
    assert (first.upper_y, first.upper_height) == (8, 20)
    assert (second.lower_height, second.upper_height) == (0, 0)
    assert chart.base_y == 90
    assert [tick.label for tick in chart.ticks] == ["0", "10", "20", "30", "40"]
    assert [tick.y for tick in chart.ticks] == [90, 70, 50, 30, 10]


def test_an_upper_part_alone_stands_on_the_base_line() -> None:
    bar = activity(_days((0, 4)), plot_height=80).bars[0]
    assert bar.upper_y + bar.upper_height == 90


def test_a_single_action_can_be_seen_beside_a_thousand() -> None:
    chart = activity(_days((1, 1), (1000, 0)))
    assert (chart.bars[0].lower_height, chart.bars[0].upper_height) == (3, 3)


def test_each_bar_has_its_own_slot_of_the_width() -> None:
    bars = activity(_days(*[(1, 0)] * 14)).bars
    assert bars[0].slot_x == "0%"
    assert bars[0].slot_width == bars[13].slot_width == "7.143%"
    assert bars[13].middle == "96.429%"


def test_the_month_is_named_on_the_first_bar_and_where_it_changes() -> None:
    bars = activity(_days((1, 0), (1, 0), (1, 0), (1, 0))).bars
    assert [bar.month for bar in bars] == ["Nov", "", "Dec", ""]
    assert [bar.day for bar in bars] == ["29", "30", "1", "2"]


def test_the_description_says_in_words_what_the_picture_shows() -> None:
    chart = activity(_days((1200, 1), (3, 0)))
    assert chart.description == "29 Nov to 30 Nov: 1,203 actions and 1 refusal. Busiest day: 29 Nov with 1,201."
    assert (chart.lower, chart.upper) == (1203, 1)


def test_quiet_days_and_no_days_have_a_chart_too() -> None:
    assert activity(_days((0, 0))).description == "29 Nov to 29 Nov: 0 actions and 0 refusals."
    assert activity([]).description == "No days to show."
    assert activity([]).bars == ()


def test_parts_fill_the_bar_in_the_order_given() -> None:
    share = distribution([("ACTIVE", 6), ("BLOCKED", 0), ("INACTIVE", 2)])
    assert share.total == 8
    assert [(part.x, part.width) for part in share.parts] == [("0%", "75%"), ("75%", "0%"), ("75%", "25%")]
    assert [part.share for part in share.parts] == ["75 %", "0 %", "25 %"]


def test_shares_never_round_something_to_nothing_or_nearly_all_to_all() -> None:
    assert [part.share for part in distribution([("ACTIVE", 999), ("BLOCKED", 1)]).parts] == ["> 99 %", "< 1 %"]


def test_nothing_to_share_out_is_a_bar_without_parts() -> None:
    assert [part.width for part in distribution([("ACTIVE", 0)]).parts] == ["0%"]
