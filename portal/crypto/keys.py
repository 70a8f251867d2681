"""Public keys as clients spell them: P-256 and Ed25519, in hex.

One point has many spellings. A key is stored and compared by its canonical form and its fingerprint, and
answers echo the spelling its owner registered. Only public keys are read here; no private key passes
through this module.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.crypto import edwards

type Algorithm = Literal["p256", "ed25519"]

_HEX = re.compile(r"[0-9a-fA-F]*")
_LONGEST = 130
_FIELD_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1  # of P-256, FIPS 186-4 D.1.2.3

_MESSAGES = {
    "key-not-hex": "A public key is written in hexadecimal digits only.",
    "key-length": "A public key has 64, 66, 126 to 128, or 130 hexadecimal digits.",
    "key-form": "A SEC 1 point begins with 02 or 03 (66 digits) or with 04 (130 digits).",
    "key-at-infinity": "The point at infinity is no public key.",
    "key-not-canonical": "A coordinate is not below the prime of its field, or zero is written as negative.",
    "key-not-on-curve": "The point is not on the curve.",
    "key-small-order": "The point is of small order: anyone could sign for it.",
    "key-mixed-order": "The point is not in the group that honest keys come from.",
}


class InvalidKey(ValueError):
    """The text is no usable public key. ``code`` says why in kebab case, ``message`` in a sentence."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = _MESSAGES[code]
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked public key. Two are equal when they are the same point, however each was spelled.

    ``canonical``    lower-case hex: X then Y for P-256 (128 digits), RFC 8032's bytes for Ed25519 (64 digits)
    ``fingerprint``  lower-case hex SHA-256 of the DER SubjectPublicKeyInfo, point uncompressed: it names the
                     algorithm and the curve, and any common tool can compute it again
    ``spelling``     the text as it was given
    ``key``          the library's object
    """

    algorithm: Algorithm
    canonical: str
    fingerprint: str
    spelling: str = field(compare=False)
    key: ec.EllipticCurvePublicKey | Ed25519PublicKey = field(compare=False, repr=False)


def parse_public_key(text: str) -> PublicKey:
    """Read a public key from hex digits in either letter case; the number of digits tells the form.

    ====  ================================================================================================
    64    Ed25519 (RFC 8032 5.1.2)
    66    P-256, SEC 1 2.3.3 compressed (02, 03)
    126,  P-256, X then Y, from a client that dropped leading zeros: every way to give them back is tried,
    127   and exactly one must be on the curve
    128   P-256, X then Y
    130   P-256, SEC 1 2.3.3 uncompressed (04)
    ====  ================================================================================================

    Nothing around the digits is forgiven: no space, no ``0x``. Raises InvalidKey, and nothing else, for every
    other text, for a point off its curve or at infinity, for a coordinate outside its field, for SEC 1's
    hybrid form (06, 07), and for Ed25519 points of small or mixed order. Takes at most a few milliseconds.
    """
    digits = _digits(text)
    reader = _READERS.get(len(digits))
    if reader is None:
        _refuse("key-at-infinity" if digits == "00" else "key-length")
    return reader(digits, text)


def _refuse(code: str) -> NoReturn:
    raise InvalidKey(code)


def _digits(text: str) -> str:
    try:
        if len(text) > _LONGEST:
            _refuse("key-length")
        if not _HEX.fullmatch(text):
            _refuse("key-not-hex")
        return text.lower()
    except TypeError:  # None, a number or bytes from a caller without types
        raise InvalidKey("key-not-hex") from None


def _ed25519(digits: str, spelling: str) -> PublicKey:
    encoded = bytes.fromhex(digits)
    problem = edwards.weakness(encoded)
    if problem:
        _refuse(problem)
    return _public_key("ed25519", digits, spelling, Ed25519PublicKey.from_public_bytes(encoded))


def _p256_split(digits: str, spelling: str) -> PublicKey:
    """Read X then Y: 128 digits split one way, 127 two ways, 126 three ways."""
    splits = range(len(digits) - 64, 65)
    pairs = {(int(digits[:at], 16), int(digits[at:], 16)) for at in splits}
    inside = [pair for pair in pairs if max(pair) < _FIELD_PRIME]
    if not inside:
        _refuse("key-not-canonical")
    keys = [key for key in (_on_curve(x, y) for x, y in inside) if key]
    # Two points from one text would be refused, not guessed between. None exists: the curve equations of any
    # two readings together leave a few hundred candidates, and not one has few enough digits.
    if len(keys) != 1:
        _refuse("key-not-on-curve")
    return _p256(keys[0], spelling)


def _p256_sec1(digits: str, spelling: str) -> PublicKey:
    form, body = digits[:2], digits[2:]
    if form not in ({"04"} if len(body) == 128 else {"02", "03"}):
        _refuse("key-form")
    if form == "04":
        return _p256_split(body, spelling)
    if int(body, 16) >= _FIELD_PRIME:
        _refuse("key-not-canonical")
    key = _decode(bytes.fromhex(digits))
    if key is None:
        _refuse("key-not-on-curve")
    return _p256(key, spelling)


def _on_curve(x: int, y: int) -> ec.EllipticCurvePublicKey | None:
    return _decode(b"\x04" + x.to_bytes(32) + y.to_bytes(32))


def _decode(encoded: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError:
        return None


def _p256(key: ec.EllipticCurvePublicKey, spelling: str) -> PublicKey:
    numbers = key.public_numbers()
    # Built again from its numbers, so that no spelling leaves a trace in what is exported below.
    return _public_key("p256", f"{numbers.x:064x}{numbers.y:064x}", spelling, numbers.public_key())


def _public_key(
    algorithm: Algorithm, canonical: str, spelling: str, key: ec.EllipticCurvePublicKey | Ed25519PublicKey
) -> PublicKey:
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(algorithm, canonical, hashlib.sha256(encoded).hexdigest(), spelling, key)


_READERS: dict[int, Callable[[str, str], PublicKey]] = {
    64: _ed25519,
    66: _p256_sec1,
    126: _p256_split,
    127: _p256_split,
    128: _p256_split,
    130: _p256_sec1,
}
