"""Keys and points that the tests share. Nothing here is secret: every private key is a small number."""

import hashlib
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ED25519_PRIME = 2**255 - 19

P256_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04"
ED25519_SPKI_HEAD = bytes.fromhex("302a300506032b6570032100")

_Y_OF_ORDER_8 = (
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
)


def p256_private(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def p256_point(number: int) -> tuple[int, int]:
    numbers = p256_private(number).public_key().public_numbers()
    return numbers.x, numbers.y


@cache
def first_p256_point(wanted: Callable[[int, int], bool]) -> tuple[int, int]:
    """The first multiple of the base point whose X and Y are as wanted."""
    return next((x, y) for x, y in map(p256_point, range(1, 100_000)) if wanted(x, y))


def ed25519_private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % number).digest())


def ed25519_hex(number: int) -> str:
    return ed25519_private(number).public_key().public_bytes_raw().hex()


def small_order_encodings() -> dict[str, str]:
    """All 14 ways to write a point of order 1, 2, 4 or 8, with the code each is refused with."""
    prime, sign = ED25519_PRIME, 2**255
    numbers = {
        1: "key-small-order",  # the identity
        prime - 1: "key-small-order",  # order 2
        0: "key-small-order",  # order 4
        sign: "key-small-order",
        1 + sign: "key-not-canonical",  # a negative zero for x
        prime - 1 + sign: "key-not-canonical",
        prime: "key-not-canonical",  # y not reduced
        prime + sign: "key-not-canonical",
        prime + 1: "key-not-canonical",
        prime + 1 + sign: "key-not-canonical",
    }
    for text in _Y_OF_ORDER_8:
        y = int.from_bytes(bytes.fromhex(text), "little")
        numbers |= {y: "key-small-order", y + sign: "key-small-order"}
    return {number.to_bytes(32, "little").hex(): code for number, code in numbers.items()}
