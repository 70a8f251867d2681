"""What is a full card number, and what is only a masked one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import texts
from portal.core.card_numbers import MaskedNumber, holds_card_number, passes_luhn, read_masked
from portal.core.texts import reason_problems


def check_digit(digits: str) -> str:
    return next(digit for digit in "0123456789" if passes_luhn(digits + digit))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 - 1111 - 1111 - 1111",
        "4111–1111–1111–1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111_1111_1111_1111",
        "4111*1111*1111*1111",
        "4111, 1111, 1111, 1111",
        "4111·1111·1111·1111",
        "4111    1111    1111    1111",
        "4111\u200b1111\u200b1111\u200b1111",
        "4111 1111 1111 / 1111",
        "378282246310005",
        "4222222222222",
        "6304000000000000000"[:18] + check_digit("6304000000000000000"[:18]),
        "card 4111111111111111, valid",
        "4111111111111111 12/29",
        "12 4111 1111 1111 1111",
        "x4111111111111111x",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
    ],
)
def test_a_full_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",
        "411111111111",
        "00004111111111111111",
        "411111******1111",
        "411111••••••1111",
        "411111******1111 12/29",
        "2029-12-31 2026-11-22",
        "4111 1111 1111     1111",
        "4111 1111 1111 a 1111",
        "392a0a88-a1ab-4832-b092-5269c8722328",
        "DEV_01J5ZQ8V9XK3T7M2N4P6R8S0TV",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert not holds_card_number(text)


@given(st.integers(12, 18).flatmap(lambda length: st.text("0123456789", min_size=length, max_size=length)), st.data())
def test_any_number_with_its_check_digit_is_found_with_any_breaks(digits: str, data: st.DataObject) -> None:
    digits += check_digit(digits)
    breaks = data.draw(
        st.lists(st.sampled_from(["", " ", "-", " - ", "._/*"]), min_size=len(digits), max_size=len(digits))
    )
    assert holds_card_number("".join(f"{digit}{gap}" for digit, gap in zip(digits, breaks, strict=True)))
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert not holds_card_number(wrong)


@pytest.mark.parametrize("text", ["1 " * 50_000, "1" * 100_000, "-" * 100_000, "1---" * 25_000])
def test_long_hostile_texts_hold_none(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.parametrize(
    ("reason", "codes"),
    [
        ("asked for by the holder of 4111.1111.1111.1111", ["card-number"]),
        ("asked for by the holder of 411111******1111", []),
        ("1 " * 250, []),
        ("4111111111111111 " * 30, ["max-length"]),
        ("", ["required"]),
    ],
)
def test_a_reason_holds_no_full_number(reason: str, codes: list[str]) -> None:
    assert [problem.code for problem in reason_problems(reason, required=True)] == codes


def test_what_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "holds_card_number", None)
    assert [problem.code for problem in reason_problems("1 " * 251, required=True)] == ["max-length"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("411111******1111", MaskedNumber("411111", "1111")),
        ("4111 11** **** 1111", MaskedNumber("411111", "1111")),
        ("411111••••••1111", MaskedNumber("411111", "1111")),
        ("4111-11xx-xxxx-1111", MaskedNumber("411111", "1111")),
        ("411111***1111", MaskedNumber("411111", "1111")),
        ("411111*********1111", MaskedNumber("411111", "1111")),
        ("4111111111111111", None),
        ("411111**1111", None),
        ("411111**********1111", None),
        ("41111111****1111", None),
        ("٤١١١١١******1111", None),
        ("411111******1111\n", None),
        ("", None),
    ],
)
def test_the_masked_form(text: str, kept: MaskedNumber | None) -> None:
    assert read_masked(text) == kept
    if kept:
        assert read_masked(str(kept)) == kept
