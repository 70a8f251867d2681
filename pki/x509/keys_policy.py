"""Which public keys are taken: the closed list of kinds, and what a key of each kind must not be.

The key is read from its SubjectPublicKeyInfo by the strict reader; the library sees only what passed. Two
spellings of one point give one canonical SubjectPublicKeyInfo, so that the fingerprint names the key.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.x509 import der, factors, roca
from pki.x509.findings import Findings
from portal.crypto import edwards

type PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey

RSA_SIZES: Final = (2048, 3072, 4096)
RSA_LARGEST_WIDE: Final = 3072  # bits; above it OpenSSL verifies exponents of at most 64 bits

KINDS: Final = ("rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384", "ed25519")

_RSA = der.encode_oid("1.2.840.113549.1.1.1")
_EC = der.encode_oid("1.2.840.10045.2.1")
_ED25519 = der.encode_oid("1.3.101.112")

# RFC 5480 2.1.1.1 and FIPS 186-4 D.1.2: name, library curve, bytes of a coordinate, prime of the field.
_CURVES: Final[dict[bytes, tuple[str, ec.EllipticCurve, int, int]]] = {
    der.encode_oid("1.2.840.10045.3.1.7"): ("p256", ec.SECP256R1(), 32, 2**256 - 2**224 + 2**192 + 2**96 - 1),
    der.encode_oid("1.3.132.0.34"): ("p384", ec.SECP384R1(), 48, 2**384 - 2**128 - 2**96 + 2**32 - 1),
}
_EDWARDS: Final = {
    "key-length": "ed25519-length",
    "key-not-canonical": "ed25519-not-canonical",
    "key-not-on-curve": "ed25519-not-on-curve",
    "key-small-order": "ed25519-small-order",
    "key-mixed-order": "ed25519-mixed-order",
}


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """A public key that was read. Two are equal when they are the same key, however it was spelled.

    ``kind``         one of KINDS
    ``spki``         DER SubjectPublicKeyInfo in canonical form, an EC point uncompressed
    ``fingerprint``  lower-case hex SHA-256 of ``spki``: the name of the key in every table
    ``key``          the library's object
    """

    kind: str
    spki: bytes
    fingerprint: str
    key: PublicKey = field(compare=False, repr=False)


def describe_key(key: object) -> CheckedKey | None:
    """The CheckedKey of one of the library's public keys, or None when it is of no kind on the list.

    For keys of our own (a CA's, a responder's); keys of others pass ``check_spki``.
    """
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_SIZES:
        return _checked(f"rsa-{key.key_size}", key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = next((name for name, curve, *_ in _CURVES.values() if curve.name == key.curve.name), None)
        # Built again from its numbers, so that no spelling of the point leaves a trace in what is exported.
        return _checked(name, key.public_numbers().public_key()) if name else None
    return _checked("ed25519", key) if isinstance(key, Ed25519PublicKey) else None


def check_spki(spki: der.Element, findings: Findings) -> CheckedKey | None:
    """Read and judge a SubjectPublicKeyInfo. None when no key on the list could be read.

    A key that is returned may still be a bad one: the findings say so.
    """
    algorithm, bits = _split(spki)
    if algorithm is None or bits is None:
        findings.add("key-structure", what="it is no SubjectPublicKeyInfo")
        return None
    oid = algorithm.parts[0].content
    if oid == _RSA:
        return _rsa(algorithm, bits, findings)
    if oid == _EC:
        return _ec(spki.raw, algorithm, bits, findings)
    if oid == _ED25519:
        return _ed25519(algorithm, bits, findings)
    findings.add("key-algorithm", oid=der.dotted(oid))
    return None


def _split(spki: der.Element) -> tuple[der.Element | None, bytes | None]:
    if spki.tag != der.SEQUENCE or [part.tag for part in spki.parts] != [der.SEQUENCE, der.BIT_STRING]:
        return None, None
    algorithm, bits = spki.parts[0], spki.parts[1].content
    if not algorithm.parts or algorithm.parts[0].tag != der.OID or len(algorithm.parts) > 2 or bits[:1] != b"\0":
        return None, None
    return algorithm, bits[1:]


def _checked(kind: str, key: PublicKey) -> CheckedKey:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return CheckedKey(kind, spki, hashlib.sha256(spki).hexdigest(), key)


# --- RSA ------------------------------------------------------------------------------------------


def _rsa(algorithm: der.Element, bits: bytes, findings: Findings) -> CheckedKey | None:
    if [part.tag for part in algorithm.parts[1:]] != [der.NULL]:  # RFC 3279 2.3.1
        findings.add("key-parameters")
    numbers = _rsa_numbers(bits, findings)
    if numbers is None:
        return None
    n, e = numbers
    sized = n.bit_length() in RSA_SIZES
    if not sized:
        findings.add("rsa-size", bits=n.bit_length())
    known = len(findings)
    _exponent(n, e, findings)
    if not n & 1:
        findings.add("rsa-modulus-even")
    if not sized:
        return None  # a modulus of any size must not reach the arithmetic below
    if n & 1:
        _modulus(n, findings)
    if e < 3 or not e & 1 or not n & 1:
        return None
    try:
        return _checked(f"rsa-{n.bit_length()}", rsa.RSAPublicNumbers(e, n).public_key())
    except (ValueError, UnsupportedAlgorithm, OverflowError):
        if len(findings) == known:
            findings.add("key-structure", what="the numbers make no RSA key")
        return None


def _rsa_numbers(bits: bytes, findings: Findings) -> tuple[int, int] | None:
    try:
        key, problems = der.read(bits)
    except der.Unreadable:
        findings.add("key-structure", what="it is no RSAPublicKey")
        return None
    for problem in problems:
        findings.add(problem.rule, at=problem.at)
    if key.tag != der.SEQUENCE or [part.tag for part in key.parts] != [der.INTEGER, der.INTEGER]:
        findings.add("key-structure", what="it is no RSAPublicKey")
        return None
    n, e = (int.from_bytes(part.content, signed=True) for part in key.parts)
    if n <= 0 or e <= 0:
        findings.add("key-structure", what="a number in it is not positive")
        return None
    return n, e


def _exponent(n: int, e: int, findings: Findings) -> None:
    if not e & 1:
        findings.add("rsa-exponent-even")
    if e < 65537:
        findings.add("rsa-exponent-small")
    if e.bit_length() > 256:
        findings.add("rsa-exponent-large")
    elif e.bit_length() > 64 and n.bit_length() > RSA_LARGEST_WIDE:
        findings.add("rsa-exponent-unverifiable")


def _modulus(n: int, findings: Findings) -> None:
    if factors.has_small_factor(n):
        findings.add("rsa-small-factor")
    elif factors.has_close_primes(n):
        findings.add("rsa-close-primes", rounds=factors.FERMAT_ROUNDS)
    elif factors.is_power(n):
        findings.add("rsa-modulus-power")
    elif factors.is_prime(n):  # the slowest, and needless where a factor is known
        findings.add("rsa-modulus-prime")
    if roca.has_fingerprint(n):
        findings.add("rsa-roca")


# --- elliptic curves ------------------------------------------------------------------------------


def _ec(spki: bytes, algorithm: der.Element, bits: bytes, findings: Findings) -> CheckedKey | None:
    parameters = algorithm.parts[1:]
    if [part.tag for part in parameters] != [der.OID]:
        findings.add("ec-explicit-curve")
        return None
    known = _CURVES.get(parameters[0].content)
    if known is None:
        findings.add("ec-curve")
        return None
    name, curve, size, prime = known
    problem = _point_problem(bits, size, prime)
    if problem:
        findings.add(problem)
        return None
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, bits)
    except (ValueError, UnsupportedAlgorithm):
        findings.add("ec-point-not-on-curve")
        return None
    if bits[0] == 0x04:  # with a named curve, and read strictly: the one canonical form already
        return CheckedKey(name, spki, hashlib.sha256(spki).hexdigest(), key)
    return _checked(name, key.public_numbers().public_key())


def _point_problem(point: bytes, size: int, prime: int) -> str | None:
    if point == b"\0":
        return "ec-point-at-infinity"
    if point[:1] not in (b"\x02", b"\x03", b"\x04"):
        return "ec-point-form"
    coordinates = 2 if point[0] == 0x04 else 1
    if len(point) != 1 + coordinates * size:
        return "ec-point-length"
    x, y = int.from_bytes(point[1 : 1 + size]), int.from_bytes(point[1 + size :])
    return "ec-point-range" if x >= prime or y >= prime else None


def _ed25519(algorithm: der.Element, bits: bytes, findings: Findings) -> CheckedKey | None:
    if algorithm.parts[1:]:  # RFC 8410 3: the parameters MUST be absent
        findings.add("key-parameters")
    problem = edwards.weakness(bits)
    if problem:
        findings.add(_EDWARDS[problem])
        return None
    return _checked("ed25519", Ed25519PublicKey.from_public_bytes(bits))
