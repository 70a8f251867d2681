"""PINs: their form, their digests, and what the digests depend on."""

import re
from typing import Final

import pytest

from portal.core import base64url
from portal.crypto.pins import OWASP, Cost, PinDigestBroken, check_pin, hash_pin, is_pin

CHEAP: Final = Cost(8, 1, 1)
PHONE: Final = bytes(range(16))
PEPPERS: Final = {"k2": b"2" * 32, "k1": b"1" * 32}
OLD: Final = {"k1": PEPPERS["k1"]}


def made(pin: str = "194738", device: bytes = PHONE, peppers: dict[str, bytes] = PEPPERS) -> str:
    return hash_pin(pin, device, peppers, CHEAP)


@pytest.mark.parametrize("pin", ["000000", "123456", "194738"])
def test_six_digits_are_a_pin(pin: str) -> None:
    assert is_pin(pin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "1234567",
        "123456\n",
        "\n123456",
        " 123456",
        "12 456",
        "+12345",
        "12345a",
        "１２３４５６",
        "١٢٣٤٥٦",
        "12345²",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert not is_pin(text)


def test_a_digest_says_how_it_was_made_and_fits_its_column() -> None:
    kept = hash_pin("194738", PHONE, PEPPERS)
    assert re.fullmatch(r"pin1\$k2\$19456,2,1\$[A-Za-z0-9_-]{22}\$[A-Za-z0-9_-]{43}", kept)
    assert len(kept) <= 200
    assert str(OWASP) == "19456,2,1"
    assert check_pin("194738", kept, PHONE, PEPPERS)
    assert not check_pin("194739", kept, PHONE, PEPPERS)


def test_two_digests_of_one_pin_differ() -> None:
    assert len({made() for _ in range(50)}) == 50


def test_the_right_pin_alone_fits() -> None:
    kept = made()
    assert [pin for number in range(194_700, 194_800) if check_pin(pin := f"{number}", kept, PHONE, PEPPERS)] == [
        "194738"
    ]


def test_a_digest_fits_no_other_device() -> None:
    assert not check_pin("194738", made(), PHONE[::-1], PEPPERS)


def test_a_digest_fits_no_other_pepper() -> None:
    assert not check_pin("194738", made(), PHONE, {"k2": PEPPERS["k1"]})


def test_an_older_pepper_opens_what_it_made_and_the_first_makes_what_is_new() -> None:
    kept = made(peppers=OLD)
    assert kept.startswith("pin1$k1$")
    assert check_pin("194738", kept, PHONE, PEPPERS)
    assert made().startswith("pin1$k2$")


def test_a_pepper_that_is_gone_is_said() -> None:
    with pytest.raises(PinDigestBroken, match="not in the ring"):
        check_pin("194738", made(), PHONE, OLD)


@pytest.mark.parametrize("ring", [{}, {"k1": b"short"}])
def test_a_ring_without_a_good_pepper_is_refused(ring: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="pepper"):
        hash_pin("194738", PHONE, ring, CHEAP)


SALT, DIGEST = base64url.encode(b"s" * 16), base64url.encode(b"d" * 32)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "pin1",
        f"pin2$k1$8,1,1${SALT}${DIGEST}",
        f"pin1$k1$8,1${SALT}${DIGEST}",
        f"pin1$k1$08,1,1${SALT}${DIGEST}",
        f"pin1$k1$8,1,0${SALT}${DIGEST}",
        f"pin1$k1$8,1,1${SALT}",
        f"pin1$k1$8,1,1${SALT}${DIGEST}$",
        f"pin1$k1$8,1,1${SALT[:-1]}${DIGEST}",
        f"pin1$k1$8,1,1${SALT}${DIGEST}=",
        f"pin1$k1$8,1,1${base64url.encode(b's')}${DIGEST}",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}${DIGEST}",
    ],
)
def test_what_is_no_digest_is_said(kept: str) -> None:
    with pytest.raises(PinDigestBroken):
        check_pin("194738", kept, PHONE, PEPPERS)
