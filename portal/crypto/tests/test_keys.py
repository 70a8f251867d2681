"""Reading public keys: every spelling of one point is one key, and everything else is InvalidKey."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.crypto import edwards
from portal.crypto.keys import InvalidKey, parse_public_key
from portal.crypto.tests.points import (
    ED25519_PRIME,
    ED25519_SPKI_HEAD,
    P256_PRIME,
    P256_SPKI_HEAD,
    ed25519_hex,
    first_p256_point,
    p256_point,
    small_order_encodings,
)

X, Y = p256_point(7)
XY = f"{X:064x}{Y:064x}"
ED = ed25519_hex(7)


def refusal(text: object) -> str:
    with pytest.raises(InvalidKey) as caught:
        parse_public_key(text)  # type: ignore[arg-type]
    assert str(caught.value) == caught.value.message
    return caught.value.code


def short_x(x: int, y: int) -> bool:
    return x < 16**63 <= y


def short_y(x: int, y: int) -> bool:
    return y < 16**63 <= x


def shorter_x(x: int, y: int) -> bool:
    return x < 16**62 and y >= 16**63


def shorter_y(x: int, y: int) -> bool:
    return y < 16**62 and x >= 16**63


def both_short(x: int, y: int) -> bool:
    return 16**62 <= x < 16**63 and 16**62 <= y < 16**63


@pytest.mark.parametrize(
    "spelling",
    [XY, XY.upper(), "04" + XY, "04" + XY.upper(), f"{2 + (Y & 1):02x}{X:064x}"],
    ids=["x-y", "upper-case", "uncompressed", "uncompressed-upper", "compressed"],
)
def test_every_spelling_of_a_p256_point_is_the_same_key(spelling: str) -> None:
    key = parse_public_key(spelling)
    assert (key.algorithm, key.canonical, key.spelling) == ("p256", XY, spelling)
    assert key.fingerprint == hashlib.sha256(P256_SPKI_HEAD + bytes.fromhex(XY)).hexdigest()
    assert key == parse_public_key(XY)
    assert hash(key) == hash(parse_public_key(XY))
    assert isinstance(key.key, ec.EllipticCurvePublicKey)
    assert (key.key.public_numbers().x, key.key.public_numbers().y) == (X, Y)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_compressed_point_gives_back_the_right_y(number: int) -> None:
    x, y = p256_point(number)
    assert parse_public_key(f"{2 + (y & 1):02x}{x:064x}").canonical == f"{x:064x}{y:064x}"
    assert parse_public_key(f"{3 - (y & 1):02x}{x:064x}").canonical == f"{x:064x}{P256_PRIME - y:064x}"


@pytest.mark.parametrize(
    ("wanted", "length"),
    [(short_x, 127), (short_y, 127), (shorter_x, 126), (shorter_y, 126), (both_short, 126)],
)
def test_dropped_leading_zeros_are_given_back(wanted: Callable[[int, int], bool], length: int) -> None:
    x, y = first_p256_point(wanted)
    text = f"{x:x}{y:x}"
    assert len(text) == length
    key = parse_public_key(text)
    assert (key.canonical, key.spelling) == (f"{x:064x}{y:064x}", text)
    assert key.fingerprint == parse_public_key(key.canonical).fingerprint


@pytest.mark.parametrize("spelling", [ED, ED.upper()])
def test_an_ed25519_key_is_read_in_either_letter_case(spelling: str) -> None:
    key = parse_public_key(spelling)
    assert (key.algorithm, key.canonical, key.spelling) == ("ed25519", ED, spelling)
    assert key.fingerprint == hashlib.sha256(ED25519_SPKI_HEAD + bytes.fromhex(ED)).hexdigest()
    assert isinstance(key.key, Ed25519PublicKey)
    assert key.key.public_bytes_raw().hex() == ED


def test_different_points_have_different_fingerprints() -> None:
    keys = [parse_public_key(f"{x:064x}{y:064x}") for x, y in map(p256_point, range(1, 21))]
    keys += [parse_public_key(ed25519_hex(number)) for number in range(20)]
    assert len({key.fingerprint for key in keys}) == len(set(keys)) == 40


def test_a_key_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse_public_key(ED).canonical = XY  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "key-length"),
        ("00", "key-at-infinity"),
        ("0", "key-length"),
        (XY[:125], "key-length"),
        (XY + "0", "key-length"),
        ("04" + XY + "00", "key-length"),
        ("0" * 10_000_000, "key-length"),
        (" " + ED, "key-not-hex"),
        (ED + "\n", "key-not-hex"),
        ("0x" + ED, "key-not-hex"),
        (XY[:126] + "\n ", "key-not-hex"),
        ("g" * 64, "key-not-hex"),
        ("\u0661" * 64, "key-not-hex"),  # Arabic-Indic digit one
        ("\uff11" * 64, "key-not-hex"),  # full-width digit one
        ("\ud800" * 64, "key-not-hex"),
        ("\x00" * 64, "key-not-hex"),
        ("-" + "1" * 63, "key-not-hex"),
        ("1_" * 32, "key-not-hex"),
        (None, "key-not-hex"),
        (7, "key-not-hex"),
        (ED.encode(), "key-not-hex"),
        ([ED], "key-not-hex"),
        ("06" + XY, "key-form"),  # hybrid
        ("07" + XY, "key-form"),
        ("05" + XY, "key-form"),
        ("02" + XY, "key-form"),
        ("00" + XY, "key-form"),
        ("04" + XY[:64], "key-form"),
        ("00" * 33, "key-form"),
        ("0" * 128, "key-not-on-curve"),
        ("04" + "0" * 128, "key-not-on-curve"),
        (XY[:127], "key-not-on-curve"),
        (XY[:126], "key-not-on-curve"),
        (XY[64:] + XY[:64], "key-not-on-curve"),
        (f"{X:064x}{Y ^ 1:064x}", "key-not-on-curve"),
        ("02" + f"{1:064x}", "key-not-on-curve"),
        (f"{P256_PRIME:064x}{Y:064x}", "key-not-canonical"),
        (f"{X:064x}{P256_PRIME:064x}", "key-not-canonical"),
        ("f" * 128, "key-not-canonical"),
        ("02" + "f" * 64, "key-not-canonical"),
        ("03" + f"{P256_PRIME + 5:064x}", "key-not-canonical"),  # 5 is on the curve, 5 + p its other spelling
        (ED25519_PRIME.to_bytes(32, "little").hex(), "key-not-canonical"),
        ("f" * 64, "key-not-canonical"),
        ((2).to_bytes(32, "little").hex(), "key-not-on-curve"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: object, code: str) -> None:
    assert refusal(text) == code


def test_the_coordinate_that_is_refused_above_the_prime_is_taken_below_it() -> None:
    assert parse_public_key("03" + f"{5:064x}").canonical.startswith(f"{5:064x}")


def test_all_fourteen_small_order_keys_are_refused_though_the_library_reads_them() -> None:
    encodings = small_order_encodings()
    assert len(encodings) == 14
    for text, code in encodings.items():
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        assert refusal(text) == code
        assert refusal(text.upper()) == code


@pytest.mark.parametrize("number", range(3))
def test_an_honest_key_plus_a_small_order_point_is_refused(number: int) -> None:
    # Adding the point of order 2, (0, -1), turns (x, y) into (-x, -y).
    encoded = int.from_bytes(bytes.fromhex(ed25519_hex(number)), "little")
    y, sign = encoded & (2**255 - 1), encoded >> 255
    mixed = (ED25519_PRIME - y) | ((1 - sign) << 255)
    assert refusal(mixed.to_bytes(32, "little").hex()) == "key-mixed-order"


@pytest.mark.parametrize("number", range(20))
def test_honest_ed25519_keys_show_no_weakness(number: int) -> None:
    assert edwards.weakness(bytes.fromhex(ed25519_hex(number))) is None


def test_a_key_of_the_wrong_length_is_weak() -> None:
    assert edwards.weakness(bytes(31)) == edwards.weakness(bytes(33)) == "key-length"


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=140)
    | st.text("0123456789abcdefABCDEF", max_size=140)
    | st.sampled_from([64, 66, 126, 127, 128, 130]).flatmap(
        lambda n: st.text("0123456789abcdef", min_size=n, max_size=n)
    )
)
def test_no_text_raises_anything_but_invalid_key(text: str) -> None:
    try:
        key = parse_public_key(text)
    except InvalidKey:
        return
    assert parse_public_key(key.canonical) == key


@pytest.mark.parametrize("text", [XY, "04" + XY, "0" * 127, "f" * 10_000_000])
def test_reading_takes_milliseconds(text: str) -> None:
    assert best_time(text) < 0.005


def test_reading_an_unseen_ed25519_key_takes_milliseconds() -> None:
    edwards.weakness.cache_clear()
    started = time.process_time()
    for number in range(100, 120):
        edwards.weakness(bytes.fromhex(ed25519_hex(number)))
    assert (time.process_time() - started) / 20 < 0.02  # about 0.002 on an idle machine


def best_time(text: str) -> float:
    times = []
    for _ in range(5):
        started = time.process_time()
        try:
            parse_public_key(text)
        except InvalidKey:
            pass
        finally:
            times.append(time.process_time() - started)
    return min(times)
