"""Verifying: the public Wycheproof vectors, the two readings of 64 bytes, forgeries, and bad arguments."""

import json
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.crypto.keys import InvalidKey, PublicKey, parse_public_key
from portal.crypto.signatures import verify
from portal.crypto.tests.points import ed25519_private, p256_private, small_order_encodings

VECTORS = Path(__file__).parent / "vectors"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DETERMINISTIC = ec.ECDSA(SHA256(), deterministic_signing=True)

P256 = p256_private(7)
P256_KEY = P256.public_key()
ED = ed25519_private(7)
MESSAGE = b"approve payment 1"
DER = P256.sign(MESSAGE, DETERMINISTIC)
R, S = decode_dss_signature(DER)
RAW = R.to_bytes(32) + S.to_bytes(32)
ED_SIGNATURE = ED.sign(MESSAGE)


def key_of(text: str) -> PublicKey | ed25519.Ed25519PublicKey:
    """The key; or, where it must be refused, what a caller would hold who never asked."""
    try:
        return parse_public_key(text)
    except InvalidKey:
        return ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ecdsa_p256_der", {("valid", True): 174, ("invalid", False): 310}),
        ("ecdsa_p256_raw", {("valid", True): 173, ("invalid", False): 89}),
        # "acceptable" are the signatures by keys of small or mixed order.
        ("ed25519", {("valid", True): 117, ("invalid", False): 64, ("acceptable", False): 29}),
    ],
)
def test_every_public_vector_is_judged_as_it_should(name: str, expected: dict[tuple[str, bool], int]) -> None:
    wrong, counts = [], Counter[tuple[str, bool]]()
    for group in json.loads((VECTORS / f"{name}.json").read_text())["groups"]:
        key = key_of(group["key"])
        raw_key = key.key if isinstance(key, PublicKey) else key
        for number, result, message, signature in group["tests"]:
            answers = {verify(k, bytes.fromhex(message), bytes.fromhex(signature)) for k in (key, raw_key)}
            counts.update((result, answer) for answer in answers)
            wrong += [number] if answers != {result == "valid"} else []
    assert wrong == []
    assert counts == expected


@pytest.mark.parametrize(
    ("key", "signature"),
    [(P256_KEY, RAW), (P256_KEY, DER), (ED.public_key(), ED_SIGNATURE)],
    ids=["raw", "der", "ed25519"],
)
def test_a_signature_holds_for_its_message_only(key: object, signature: bytes) -> None:
    assert verify(key, MESSAGE, signature) is True
    assert verify(key, MESSAGE + b"0", signature) is False
    assert verify(key, b"", signature) is False
    for position in range(len(signature)):
        changed = bytearray(signature)
        changed[position] ^= 1
        assert verify(key, MESSAGE, bytes(changed)) is False


@pytest.mark.parametrize("signature", [RAW, DER, ED_SIGNATURE])
def test_a_signature_does_not_hold_under_another_key(signature: bytes) -> None:
    for key in (p256_private(8).public_key(), ed25519_private(8).public_key()):
        assert verify(key, MESSAGE, signature) is False


def test_the_twin_of_an_ecdsa_signature_holds_too_so_callers_must_not_compare_bytes() -> None:
    assert verify(P256_KEY, MESSAGE, R.to_bytes(32) + (ORDER - S).to_bytes(32)) is True


def test_the_twin_of_an_ed25519_signature_is_refused() -> None:
    scalar = int.from_bytes(ED_SIGNATURE[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    assert verify(ED.public_key(), MESSAGE, ED_SIGNATURE[:32] + scalar.to_bytes(32, "little")) is False


# A key made to fit a chosen short r and s: their DER signature has exactly 64 bytes, as a raw one has.
SHORT_KEY = (
    "46aa815d2cdffeebef32e59e711bb8c3407d4ae85923e33e720f7214e2174453"
    "565cf811b6a21443395de760e5ce52c5055d1ea49be4ee7edeabc82c7b7438e8"
)
SHORT_MESSAGE = b"a short signature"
SHORT_R, SHORT_S = 0x40 << 224, int.from_bytes(bytes([0x50, *range(1, 29)]))


def test_a_der_signature_of_64_bytes_is_read_as_der() -> None:
    der = encode_dss_signature(SHORT_R, SHORT_S)
    assert len(der) == 64
    key = parse_public_key(SHORT_KEY)
    assert verify(key, SHORT_MESSAGE, der) is True
    assert verify(key, SHORT_MESSAGE, SHORT_R.to_bytes(32) + SHORT_S.to_bytes(32)) is True
    assert verify(key, SHORT_MESSAGE + b"!", der) is False


def test_a_raw_signature_that_begins_like_der_is_read_as_raw() -> None:
    for counter in range(20_000):
        message = b"%d" % counter
        r, s = decode_dss_signature(P256.sign(message, DETERMINISTIC))
        if r >> 248 == 0x30:
            assert verify(P256_KEY, message, r.to_bytes(32) + s.to_bytes(32)) is True
            return
    pytest.fail("no such signature was met")


def test_a_raw_signature_that_is_wellformed_der_too_is_judged_by_both_readings() -> None:
    der = encode_dss_signature(SHORT_R, SHORT_S)
    assert verify(P256_KEY, SHORT_MESSAGE, der) is False


def long_length(der: bytes) -> bytes:
    return b"\x30\x81" + der[1:]


def padded_integer(der: bytes) -> bytes:
    content = b"\x02" + bytes([der[3] + 1]) + b"\x00" + der[4:]
    return b"\x30" + bytes([len(content)]) + content


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        RAW[:63],
        RAW + b"\x00",
        bytes(64),
        b"\xff" * 64,
        bytes(32) + S.to_bytes(32),
        R.to_bytes(32) + bytes(32),
        R.to_bytes(32) + ORDER.to_bytes(32),
        S.to_bytes(32) + R.to_bytes(32),
        DER[:-1],
        DER + b"\x00",
        long_length(DER),
        padded_integer(DER),
        b"\x30\x80" + DER[2:] + b"\x00\x00",
        b"\x31" + DER[1:],
        encode_dss_signature(R + ORDER, S),
        encode_dss_signature(R, S + ORDER),
        encode_dss_signature(0, S),
        encode_dss_signature(R, 0),
        b"\x30\x82" + b"\xff" * 100_000,
        RAW.hex().encode(),
    ],
)
def test_malformed_and_out_of_range_ecdsa_signatures_are_refused(signature: bytes) -> None:
    assert verify(P256_KEY, MESSAGE, signature) is False
    assert verify(parse_public_key(f"04{P256_KEY.public_numbers().x:064x}{P256_KEY.public_numbers().y:064x}"),
                  MESSAGE, signature) is False  # fmt: skip


@pytest.mark.parametrize("signature", [b"", ED_SIGNATURE[:63], ED_SIGNATURE + b"\x00", bytes(64), ED_SIGNATURE.hex()])
def test_malformed_ed25519_signatures_are_refused(signature: bytes) -> None:
    assert verify(ED.public_key(), MESSAGE, signature) is False


@pytest.mark.parametrize("encoding", small_order_encodings())
def test_a_forgery_that_the_library_accepts_for_a_small_order_key_is_refused(encoding: str) -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(encoding))
    forged = (1).to_bytes(32, "little") + bytes(32)  # R the identity, S zero: no private key was used
    message = next(m for m in (b"%d" % n for n in range(1000)) if library_accepts(key, m, forged))
    assert verify(key, message, forged) is False


def library_accepts(key: ed25519.Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message)
    except Exception:  # noqa: BLE001
        return False
    return True


@pytest.mark.parametrize(
    "private",
    [
        ec.derive_private_key(7, ec.SECP256K1()),
        ec.derive_private_key(7, ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["secp256k1", "p384", "rsa"],
)
def test_keys_of_other_kinds_verify_nothing(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    if isinstance(private, rsa.RSAPrivateKey):
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        signature = private.sign(MESSAGE, PKCS1v15(), SHA256())
    else:
        signature = private.sign(MESSAGE, ec.ECDSA(SHA256()))
    assert verify(private.public_key(), MESSAGE, signature) is False


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        b"",
        7,
        P256,
        ED,
        object(),
        ed448.Ed448PrivateKey.generate().public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
    ],
)
def test_what_is_no_key_verifies_nothing(key: object) -> None:
    for signature in (RAW, DER, ED_SIGNATURE):
        assert verify(key, MESSAGE, signature) is False


@pytest.mark.parametrize("key", [P256_KEY, ED.public_key()], ids=["p256", "ed25519"])
@pytest.mark.parametrize("value", [None, 7, "text", [], object()])
def test_arguments_of_other_types_verify_nothing(key: object, value: object) -> None:
    for signature in (RAW, DER, ED_SIGNATURE):
        assert verify(key, value, signature) is False  # type: ignore[arg-type]
    assert verify(key, MESSAGE, value) is False  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([P256_KEY, ED.public_key()]), st.binary(max_size=80), st.binary(max_size=80))
def test_random_bytes_never_verify_and_never_raise(key: object, message: bytes, signature: bytes) -> None:
    assert verify(key, message, signature) is False


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 2**200))
def test_what_the_private_half_signs_verifies_in_every_form(message: bytes, number: int) -> None:
    private = p256_private(number)
    der = private.sign(message, DETERMINISTIC)
    r, s = decode_dss_signature(der)
    assert verify(private.public_key(), message, der) is True
    assert verify(private.public_key(), message, r.to_bytes(32) + s.to_bytes(32)) is True
    assert verify(ED.public_key(), message, ED.sign(message)) is True
