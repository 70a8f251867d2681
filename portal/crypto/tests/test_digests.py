"""Keyed digests: the exact bytes, and that no two different inputs are framed alike."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.crypto.digests import keyed_digest

KEY = bytes(range(32))


def test_the_digest_is_hmac_sha256_over_length_prefixed_parts() -> None:
    framed = b"\0\0\0\0\0\0\0\x05index" + b"\0\0\0\0\0\0\0\x02b1" + b"\0\0\0\0\0\0\0\x02\xc3\xa4" + bytes(8)
    expected = hmac.new(KEY, framed, hashlib.sha256).hexdigest()
    assert keyed_digest(KEY, "index", "b1", "ä", b"") == expected
    assert keyed_digest(KEY, "index", b"b1", "ä".encode(), "") == expected


def test_every_different_input_has_its_own_digest() -> None:
    inputs: list[tuple[bytes, str, tuple[str | bytes, ...]]] = [
        (KEY, "index", ()),
        (KEY, "index", ("",)),
        (KEY, "index", ("", "")),
        (KEY, "index", ("ab", "c")),
        (KEY, "index", ("a", "bc")),
        (KEY, "index", ("abc",)),
        (KEY, "inde", ("xabc",)),
        (KEY, "code", ("abc",)),
        (KEY, "index", ("ABC",)),
        (KEY, "index", ("abc\x00",)),
        (KEY, "index", ("\ud800",)),
        (KEY, "index", ("\udfff",)),
        (KEY, "index", ("?",)),
        (KEY[::-1], "index", ("abc",)),
        (KEY + b"\x01", "index", ("abc",)),
    ]
    assert len({keyed_digest(key, purpose, *parts) for key, purpose, parts in inputs}) == len(inputs)


@given(st.lists(st.text() | st.binary()), st.lists(st.text() | st.binary()))
def test_parts_are_never_confused(left: list[str | bytes], right: list[str | bytes]) -> None:
    def as_bytes(parts: list[str | bytes]) -> list[bytes]:
        return [part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part for part in parts]

    equal = keyed_digest(KEY, "p", *left) == keyed_digest(KEY, "p", *right)
    assert equal == (as_bytes(left) == as_bytes(right))


@pytest.mark.parametrize("key", [b"", KEY[:31]])
def test_a_short_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        keyed_digest(key, "index", "abc")


def test_a_digest_without_purpose_is_refused() -> None:
    with pytest.raises(ValueError, match="purpose"):
        keyed_digest(KEY, "", "abc")
