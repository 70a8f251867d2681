"""The exact bytes that the extensions of our certificates must have, written down from the standards.

They are made here and not by the library that builds the certificates, so that a mistake in one shows.
"""

from functools import lru_cache
from typing import Final

from pki.x509 import der
from pki.x509.profiles import KEY_USES, PURPOSES

EXTENSION: Final = {
    name: der.encode_oid(oid)
    for name, oid in {
        "subject-key": "2.5.29.14",
        "key-usage": "2.5.29.15",
        "alternative-names": "2.5.29.17",
        "basic-constraints": "2.5.29.19",
        "crl-points": "2.5.29.31",
        "authority-key": "2.5.29.35",
        "purposes": "2.5.29.37",
        "aia": "1.3.6.1.5.5.7.1.1",
        "no-check": "1.3.6.1.5.5.7.48.1.5",
    }.items()
}
_OCSP: Final = der.encode_oid("1.3.6.1.5.5.7.48.1")
_CA_ISSUERS: Final = der.encode_oid("1.3.6.1.5.5.7.48.2")


@lru_cache(maxsize=64)
def key_usage(uses: frozenset[str]) -> bytes:
    """RFC 5280 4.2.1.3: a BIT STRING without trailing zero bits."""
    numbers = sorted(KEY_USES.index(use) for use in uses)
    octets = bytearray(numbers[-1] // 8 + 1)
    for number in numbers:
        octets[number // 8] |= 0x80 >> number % 8
    return der.encode(der.BIT_STRING, bytes((7 - numbers[-1] % 8,)) + octets)


@lru_cache(maxsize=64)
def purposes(words: tuple[str, ...]) -> bytes:
    return der.sequence(der.encode(der.OID, der.encode_oid(PURPOSES[word])) for word in words)


@lru_cache(maxsize=8)
def basic_constraints(ca: bool, path_length: int | None) -> bytes:
    length = [] if path_length is None else [der.encode(der.INTEGER, bytes((path_length,)))]
    return der.sequence([b"\x01\x01\xff", *length] if ca else [])


def authority_key(identifier: bytes) -> bytes:
    return der.sequence([der.encode(0x80, identifier)])


@lru_cache(maxsize=256)
def aia(ocsp: str, issuers: str) -> bytes:
    """RFC 5280 4.2.2.1: first the responder, then the issuer's certificate; an address that is empty is left out."""
    pairs = [(_OCSP, ocsp), (_CA_ISSUERS, issuers)]
    return der.sequence(
        der.sequence([der.encode(der.OID, oid), der.encode(0x86, url.encode())]) for oid, url in pairs if url
    )


@lru_cache(maxsize=256)
def crl_points(url: str) -> bytes:
    return der.sequence([der.sequence([der.encode(0xA0, der.encode(0xA0, der.encode(0x86, url.encode())))])])
