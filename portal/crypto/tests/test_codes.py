"""Codes and tokens: their form, their spread, and comparing them."""

import re
from collections import Counter

import pytest

from portal.crypto.codes import new_backup_code, new_digits, new_token, plain_backup_code, same


@pytest.mark.parametrize("n", [1, 6, 8, 32])
def test_digits_have_the_length_asked_for(n: int) -> None:
    for _ in range(200):
        assert re.fullmatch(f"[0-9]{{{n}}}", new_digits(n))


def test_digits_come_out_evenly_also_in_front() -> None:
    first = Counter(new_digits(8)[0] for _ in range(10_000))
    assert set(first) == set("0123456789")
    # 1,000 each is expected with a deviation of 30; eight deviations are met once in 10^14 runs
    assert all(760 < count < 1240 for count in first.values())


@pytest.mark.parametrize("n", [-1, 0, 33])
def test_a_senseless_number_of_digits_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="1 to 32 digits"):
        new_digits(n)


def test_tokens_are_base64url_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert len(new_token(16)) == 22


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        new_token(15)


def test_backup_codes_are_three_groups_without_lookalikes() -> None:
    codes = {new_backup_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}", code) for code in codes)


@pytest.mark.parametrize(
    "typed", ["7k2m-9xq0-0r41", "7K2M 9XQ0 0R41", " 7k2m9xq00r41 ", "7k2m-9xqo-Or4l", "7k2m-9xq0-0r4I"]
)
def test_a_backup_code_is_understood_however_it_is_typed(typed: str) -> None:
    assert plain_backup_code(typed) == "7k2m9xq00r41"


def test_a_new_backup_code_keeps_all_its_characters() -> None:
    code = new_backup_code()
    assert plain_backup_code(code) == code.replace("-", "")


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("", "", True),
        ("code", "code", True),
        ("code", "Code", False),
        ("code", "code ", False),
        ("code", b"code", True),
        (b"\xff", b"\xff", True),
        (b"\xff", "\xff", False),
        ("\u00e4", "\u00e4", True),
        ("\u00e4", "a\u0308", False),
        ("\u0661", "1", False),
        ("\ud800", "\ud800", True),
        ("\ud800", "\udfff", False),
        ("\ud800", "?", False),
    ],
)
def test_comparing_takes_any_text(a: str | bytes, b: str | bytes, equal: bool) -> None:
    assert same(a, b) is equal
    assert same(b, a) is equal
