"""Cursors come back as they went out, and every other text is a bad cursor."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import base64url
from portal.core.pages import BadCursor, Page, Value, decode, encode

VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
)


def written(json: str) -> str:
    return base64url.encode(json.encode())


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((7,), "Wzdd"),
        (("2024-12-01T14:30:00Z", "DEV_1"), written('["2024-12-01T14:30:00Z","DEV_1"]')),
        ((None, -(2**63), 2**63 - 1, ""), written('[null,-9223372036854775808,9223372036854775807,""]')),
    ],
)
def test_a_cursor_is_compact_and_comes_back(values: tuple[Value, ...], text: str) -> None:
    assert encode(values) == text
    assert decode(text) == values


@given(st.lists(VALUES, min_size=1, max_size=8).map(tuple))
def test_all_values_come_back(values: tuple[Value, ...]) -> None:
    assert decode(encode(values)) == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "Wzdd=",
        "Wzde",
        "W zdd",
        "Wzdd\n",
        "+/+/",
        "\u0661" * 4,
        "\ud800",
        "A" * 10_000_000,
        written("7"),
        written("{}"),
        written("[]"),
        written("[true]"),
        written("[1.5]"),
        written("[[1]]"),
        written('[{"a":1}]'),
        written("[9223372036854775808]"),
        written("[-9223372036854775809]"),
        written("[1e999]"),
        written("[NaN]"),
        written(r'["\u0000"]'),
        written(r'["\ud800"]'),
        written("[1,1,1,1,1,1,1,1,1]"),
        written('["' + "a" * 400 + '"]'),
        base64url.encode(b"\xff"),
        None,
        7,
        b"Wzdd",
    ],
)
def test_any_other_text_is_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor) as caught:
        decode(text)
    assert caught.value.code == "bad-cursor"


@pytest.mark.parametrize(
    "values", [(), (True,), (1.5,), (b"a",), (2**63,), ("\x00",), ("\ud800",), ("a" * 400,), (1,) * 9, ([1],)]
)
def test_values_that_would_not_come_back_are_not_written(values: tuple[Value, ...]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        encode(values)


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text("AWYZabcxyz0189_-", max_size=60))
def test_no_text_raises_anything_but_bad_cursor(text: str) -> None:
    try:
        values = decode(text)
    except BadCursor:
        return
    assert decode(encode(values)) == values


def test_a_page_is_fixed_and_ends_by_default() -> None:
    page = Page(items=(1, 2))
    assert (page.items, page.next_cursor, page.previous_cursor) == ((1, 2), None, None)
    with pytest.raises(FrozenInstanceError):
        page.items = (3,)  # type: ignore[misc]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xfe", bytes(range(256))])
def test_base64url_comes_back(data: bytes) -> None:
    text = base64url.encode(data)
    assert "=" not in text
    assert base64url.decode(text) == data


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A+/A", "AA A", "AAAA\n", "\u0661\u0661"])
def test_base64url_has_one_text_for_each_value(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)
