"""Sealed texts open in their own place, under a known key, untouched; in every other case they are broken."""

from itertools import count

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import base64url
from portal.crypto.sealing import KeyRing, SealBroken

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = b"devices.Device/external_id/1"
RING = KeyRing({"k1": NEW, "k0": OLD}, "k1")
BEFORE = KeyRing({"k0": OLD}, "k0")
SEALED = RING.seal(b"490154203237518", PLACE)


@pytest.mark.parametrize("plaintext", [b"", b"490154203237518", bytes(10_000)])
def test_what_is_sealed_opens_again_and_shows_nothing(plaintext: bytes) -> None:
    sealed = RING.seal(plaintext, PLACE)
    assert RING.unseal(sealed, PLACE) == plaintext
    assert sealed.startswith("k1.")
    assert len(base64url.decode(sealed[3:])) == 12 + len(plaintext) + 16


def test_the_text_is_aes_gcm_siv_with_the_key_id_and_place_bound() -> None:
    body = base64url.decode(SEALED.removeprefix("k1."))
    bound = b"portal.seal.1\x00k1\x00" + PLACE
    assert AESGCMSIV(NEW).decrypt(body[:12], body[12:], bound) == b"490154203237518"


def test_sealing_twice_gives_two_texts() -> None:
    assert len({RING.seal(b"same", PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("place", [b"", PLACE + b"0", PLACE[:-1], b"devices.Device/external_id/2"])
def test_a_text_moved_to_another_place_is_broken(place: bytes) -> None:
    with pytest.raises(SealBroken):
        RING.unseal(SEALED, place)


def test_every_changed_character_breaks_it() -> None:
    for position in range(len(SEALED)):
        other = "A" if SEALED[position] != "A" else "B"
        with pytest.raises(SealBroken):
            RING.unseal(SEALED[:position] + other + SEALED[position + 1 :], PLACE)


def test_the_key_id_is_bound_even_when_two_ids_name_one_key() -> None:
    twins = KeyRing({"a": OLD, "b": OLD}, "a")
    sealed = twins.seal(b"secret", PLACE)
    with pytest.raises(SealBroken):
        twins.unseal("b" + sealed[1:], PLACE)


def test_the_boundary_between_key_id_and_place_is_bound() -> None:
    twins = KeyRing({"a": OLD, "ab": OLD}, "a")
    sealed = twins.seal(b"secret", b"bc")
    with pytest.raises(SealBroken):
        twins.unseal("ab" + sealed[1:], b"c")


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        ".",
        "k1",
        "k1.",
        "k1." + "A" * 36,
        "k2" + SEALED[2:],
        "K1" + SEALED[2:],
        SEALED[2:],
        " " + SEALED,
        SEALED + "\n",
        SEALED + "=",
        SEALED + "A",
        SEALED[:-1],
        SEALED + "." + SEALED,
        SEALED.replace(".", ":"),
        "\u0661" + SEALED,
        "\ud800.\ud800",
        "a" * 17 + SEALED[2:],
        None,
        7,
        SEALED.encode(),
    ],
    ids=count(),  # the texts are new in each run, and their names must not be
)
def test_malformed_and_unknown_texts_are_broken(sealed: str) -> None:
    with pytest.raises(SealBroken) as caught:
        RING.unseal(sealed, PLACE)
    assert str(caught.value) == "the sealed text cannot be opened"


def test_an_older_key_still_opens_and_a_newer_one_is_unknown_to_the_old_ring() -> None:
    assert RING.unseal(BEFORE.seal(b"secret", PLACE), PLACE) == b"secret"
    with pytest.raises(SealBroken):
        BEFORE.unseal(SEALED, PLACE)


def test_resealing_brings_a_text_under_the_current_key_once() -> None:
    old = BEFORE.seal(b"secret", PLACE)
    new = RING.reseal(old, PLACE)
    assert (RING.key_id(old), RING.key_id(new)) == ("k0", "k1")
    assert RING.unseal(new, PLACE) == b"secret"
    assert RING.reseal(new, PLACE) == new


def test_resealing_a_broken_text_is_refused() -> None:
    with pytest.raises(SealBroken):
        RING.reseal(SEALED, b"elsewhere")
    with pytest.raises(SealBroken):
        BEFORE.reseal(SEALED, PLACE)


def test_the_key_id_is_told_also_for_a_key_that_is_gone() -> None:
    assert BEFORE.key_id(SEALED) == "k1"
    with pytest.raises(SealBroken):
        BEFORE.key_id("k1.short")


@pytest.mark.parametrize(
    ("keys", "current"),
    [
        ({}, "k1"),
        ({"k1": NEW}, "k0"),
        ({"k1": NEW[:31]}, "k1"),
        ({"k1": NEW + b"0"}, "k1"),
        ({"": NEW}, ""),
        ({"K1": NEW}, "K1"),
        ({"k.1": NEW}, "k.1"),
        ({"k1\n": NEW}, "k1\n"),
        ({"k" * 17: NEW}, "k" * 17),
    ],
)
def test_a_ring_with_a_bad_key_or_id_is_not_made(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing(keys, current)


def test_a_ring_shows_ids_and_no_keys() -> None:
    assert repr(RING) == "KeyRing(ids=['k0', 'k1'], current='k1')"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.from_regex(r"k[01]\.[A-Za-z0-9_-]{0,80}", fullmatch=True))
def test_no_text_raises_anything_but_seal_broken(text: str) -> None:
    with pytest.raises(SealBroken):
        RING.unseal(text, PLACE)
