"""Strict reading, each refusal with its code, and the one canonical spelling."""

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.json import BadJSON, canonical, loads

JSON_VALUES = st.recursive(
    # Beyond 2**53 a float is written with digits that Python would read back as another, an exact, integer.
    st.none() | st.booleans() | st.integers() | st.floats(-(2.0**53), 2.0**53) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def refusal(data: bytes, **limits: int) -> str:
    with pytest.raises(BadJSON) as caught:
        loads(data, **limits)
    assert str(caught.value) == caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b" [1, -2, 0.5, 1e3, true, false, null]\r\n\t", [1, -2, 0.5, 1000.0, True, False, None]),
        (b'"text"', "text"),
        (b"7", 7),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        ('{"\u00e4\U0001f600": "\u20ac"}'.encode(), {"\u00e4\U0001f600": "\u20ac"}),
        (rb'"\ud83d\ude00 \u00e4 \\u0000 \/"', "\U0001f600 \u00e4 \\u0000 /"),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 36),
        (rb'"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"', '"' + "[" * 36 + "\\"),
        (b"9" * 308, 10**308 - 1),
        (b"1e308", 1e308),
        (b"1e-999", 0.0),
        ('"\u2028\ufeff\uffff\x7f"'.encode(), "\u2028\ufeff\uffff\x7f"),
    ],
)
def test_what_is_json_is_read(data: bytes, value: object) -> None:
    assert loads(data) == value


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json-malformed"),
        (b"   ", "json-malformed"),
        (b"{", "json-malformed"),
        (b'{"a" 1}', "json-malformed"),
        (b"{'a': 1}", "json-malformed"),
        (b'{"a": 1,}', "json-malformed"),
        (b"[1] [2]", "json-malformed"),
        (b"[1]]", "json-malformed"),
        (b'"a\nb"', "json-malformed"),
        (b'"a\x1fb"', "json-malformed"),
        (rb'"\x41"', "json-malformed"),
        (rb'"\u12"', "json-malformed"),
        (b'"abc\\', "json-malformed"),
        (b"01", "json-malformed"),
        (b"+1", "json-malformed"),
        (b".5", "json-malformed"),
        (b"0x10", "json-malformed"),
        (b"1_000", "json-malformed"),
        ("\u0661".encode(), "json-malformed"),
        ("\u00a0{}".encode(), "json-malformed"),
        (b"// comment\n{}", "json-malformed"),
        (b"\xef\xbb\xbf{}", "json-malformed"),
        (b"userId=1&code=2", "json-malformed"),
        (b"9" * 309, "json-malformed"),
        (b"-" + b"9" * 309, "json-malformed"),
        (b"9" * 5000, "json-malformed"),
        (b'{"a": 1, "a": 1}', "json-duplicate-key"),
        (rb'{"a": 1, "\u0061": 2}', "json-duplicate-key"),
        (b'[{"b": {"a": 1, "c": 2, "a": 3}}]', "json-duplicate-key"),
        (b"NaN", "json-not-a-number"),
        (b"[Infinity]", "json-not-a-number"),
        (b'{"a": -Infinity}', "json-not-a-number"),
        (b"1e999", "json-not-a-number"),
        (b"-1e999", "json-not-a-number"),
        (b"1" + b"0" * 400 + b".5", "json-not-a-number"),
        (rb'"\ud800"', "json-lone-surrogate"),
        (rb'["\udc00\ud800"]', "json-lone-surrogate"),
        (rb'{"a": {"\ud83d": 1}}', "json-lone-surrogate"),
        (rb'{"a": ["x", "\ud83dx\ude00"]}', "json-lone-surrogate"),
        (rb'"\u0000"', "json-nul"),
        (rb'{"a\u0000": 1}', "json-nul"),
        (rb'{"a": [{"b": "x\u0000"}]}', "json-nul"),
        (b'"a\x00b"', "json-nul"),
        (b"{}\x00", "json-nul"),
        ("{}".encode("utf-16"), "json-nul"),
        (b'"\xff"', "json-not-utf8"),
        (b'"\xed\xa0\x80"', "json-not-utf8"),  # a surrogate written as if it were a character
        (b'"\xc0\xaf"', "json-not-utf8"),  # an overlong slash
        (b'"\xf4\x90\x80\x80"', "json-not-utf8"),
        (b'"\xe4"', "json-not-utf8"),
    ],
)
def test_what_is_not_is_refused_with_its_reason(data: bytes, code: str) -> None:
    assert refusal(data) == code


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_thirty_two_levels_are_read_and_one_more_is_not(opening: bytes, closing: bytes) -> None:
    loads(opening * 32 + b"1" + closing * 32)
    assert refusal(opening * 33 + b"1" + closing * 33) == "json-too-deep"
    assert refusal(b"[" + b"1," * 9 + opening * 32 + b"1" + closing * 32 + b"]") == "json-too-deep"


def test_many_neighbours_are_not_deep() -> None:
    assert loads(b"[" + b"[[]]," * 5000 + b"[]]") == [[[]]] * 5000 + [[]]


def test_the_limits_can_be_set() -> None:
    assert refusal(b"[[1]]", max_depth=1) == "json-too-deep"
    assert refusal(b"[1]", max_depth=0) == "json-too-deep"
    assert loads(b"1", max_depth=0) == 1
    assert refusal(b"[1]", max_bytes=2) == "json-too-large"


def test_sixty_four_kibibytes_are_read_and_one_byte_more_is_not() -> None:
    body = b'"' + b"a" * (64 * 1024 - 2) + b'"'
    assert loads(body) == "a" * (64 * 1024 - 2)
    assert refusal(body + b" ") == "json-too-large"


def test_a_limit_beyond_the_interpreter_is_still_a_refusal() -> None:
    data = b"[" * 1_000_000 + b"]" * 1_000_000
    assert refusal(data, max_bytes=10**8, max_depth=10**8) == "json-too-deep"


@pytest.mark.parametrize(
    "data",
    [
        b'["' + b'\\"' * 32_000,
        b'"\\' * 32_000,
        b'"' * 65_535,
        b"[" * 65_536,
        b"[]" * 32_768,
        b'{"a":' * 13_000,
        b"0." + b"1" * 65_000,
        b"1e" + b"9" * 65_000,
        rb"\ud800" * 10_000,
        b'{"' + b'a":1,"' * 10_000,
    ],
)
def test_hostile_bodies_cost_little(data: bytes) -> None:
    started = time.process_time()
    try:
        loads(data)
    except BadJSON:
        pass
    finally:
        assert time.process_time() - started < 0.5  # a few milliseconds on an idle machine


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text('[]{}",:\\u0dD8e1-+.NaIfty ', max_size=60).map(str.encode))
def test_no_bytes_raise_anything_but_bad_json(data: bytes) -> None:
    try:
        value = loads(data)
    except BadJSON:
        return
    assert value == json.loads(data)


@given(JSON_VALUES)
def test_reading_the_canonical_form_gives_the_value_back(value: object) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_written_so_that_a_reader_of_doubles_gets_it_back(value: float) -> None:
    text = canonical(value)
    assert float(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([], "[]"),
        ({}, "{}"),
        ((1, "a", None, False), '[1,"a",null,false]'),
        ({"b": 1, "a": {"d": [], "c": 2}}, '{"a":{"c":2,"d":[]},"b":1}'),
        ({"B": 1, "a": 2, "": 3, "aa": 4}, '{"":3,"B":1,"a":2,"aa":4}'),
        ({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3}, '{"\u20ac":3,"\U0001f600":2,"\ufb33":1}'),
        ('\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028"'),
        ("\b\t\n\f\r\x00\x1f", '"\\b\\t\\n\\f\\r\\u0000\\u001f"'),
        (2**64, "18446744073709551616"),
        (-1, "-1"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (4.5, "4.5"),
        (0.002, "0.002"),
        (1e30, "1e+30"),
        (1e-27, "1e-27"),
        (333333333.33333329, "333333333.3333333"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (-1.7976931348623157e308, "-1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (9007199254740994.0, "9007199254740994"),
        (295147905179352830000.0, "295147905179352830000"),
    ],
)
def test_the_canonical_form_is_exact(value: object, text: str) -> None:
    assert canonical(value) == text.encode()


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], "\ud800", {"\udfff": 1}])
def test_what_json_cannot_say_is_a_value_error(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        canonical(value)


@pytest.mark.parametrize("value", [b"a", {1: 2}, {None: 1}, {"a": {"b": object()}}, {1, 2}, 1j])
def test_types_without_a_json_form_are_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_endless_nesting_is_a_value_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="too deeply"):
        canonical(loop)
