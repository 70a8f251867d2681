"""Certificate revocation lists (RFC 5280 5): complete ones, one per issuing CA.

The list is written here, as the library's builder needs about ten times as long for a long one. Before it is
given out, the library reads it and checks the signature, so that two parties agree on what it says.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from pki.x509 import der
from pki.x509.lint_values import EXTENSION, authority_key
from pki.x509.orders import Issuer
from pki.x509.signature_algorithms import identifier_for
from pki.x509.signing import Signer, public_key_of, sign_bytes

# RFC 5280 5.3.1. `unspecified` is said by leaving the reason out; `removeFromCRL` is for delta lists only.
REASONS: Final = {
    "unspecified": 0,
    "key-compromise": 1,
    "ca-compromise": 2,
    "affiliation-changed": 3,
    "superseded": 4,
    "cessation-of-operation": 5,
    "certificate-hold": 6,
    "privilege-withdrawn": 9,
    "aa-compromise": 10,
}
_TOO_LARGE: Final = 1 << 159  # RFC 5280 4.1.2.2, 5.2.3: at most 20 octets
_VERSION_2: Final = b"\x02\x01\x01"
_CRL_NUMBER: Final = der.encode_oid("2.5.29.20")
_CRL_REASON: Final = der.encode_oid("2.5.29.21")
_ENUMERATED, _EXPLICIT_0 = 0x0A, 0xA0


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One revoked certificate; ``reason`` is a key of REASONS."""

    serial: int
    revoked_at: datetime
    reason: str = "unspecified"


def build_crl(
    issuer: Issuer,
    entries: Iterable[RevokedEntry],
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
    signer: Signer,
) -> bytes:
    """The signed list in DER, entries by serial. ``number`` must be above that of every list before.

    An entry that stands twice, an unknown reason, times in the wrong order, a number out of range or a signer
    that is not the CA's raise ValueError. Times are cut to whole seconds.
    """
    if not 0 < number < _TOO_LARGE:
        raise ValueError("a CRL number is positive and has at most 20 octets")
    if not this_update < next_update:
        raise ValueError("the next update comes after this one")
    if public_key_of(signer) != issuer.key.key:
        raise ValueError("the signer's key is not the key of the issuing CA")
    rows = b"".join(_rows(entries))
    algorithm = identifier_for(issuer.key.kind)
    body = der.sequence([
        _VERSION_2, algorithm, issuer.name_der, der.encode_time(this_update), der.encode_time(next_update),
        der.encode(der.SEQUENCE, rows) if rows else b"",  # RFC 5280 5.1.2.6: absent when there are none
        der.encode(_EXPLICIT_0, der.sequence(_extensions(issuer, number))),
    ])  # fmt: skip
    signature = der.encode(der.BIT_STRING, b"\0" + sign_bytes(signer, body))
    encoded = der.sequence([body, algorithm, signature])
    _read_back(encoded, issuer, number)
    return encoded


def _extensions(issuer: Issuer, number: int) -> Iterator[bytes]:
    yield _extension(EXTENSION["authority-key"], authority_key(issuer.key_id))
    yield _extension(_CRL_NUMBER, der.encode_integer(number))


def _extension(oid: bytes, value: bytes) -> bytes:
    return der.sequence([der.encode(der.OID, oid), der.encode(der.OCTET_STRING, value)])


def _reason(code: int) -> bytes:
    value = der.encode(_ENUMERATED, bytes((code,)))
    return der.sequence([_extension(_CRL_REASON, value)]) if code else b""


_REASONS: Final = {name: _reason(code) for name, code in REASONS.items()}


_LENGTHS: Final = tuple(bytes((size,)) for size in range(0x80))  # an entry has about fifty bytes


def _rows(entries: Iterable[RevokedEntry]) -> Iterator[bytes]:
    last = None
    for entry in sorted(entries, key=_serial):
        serial, reason = entry.serial, _REASONS.get(entry.reason)
        if serial == last or not 0 < serial < _TOO_LARGE:
            raise ValueError("a serial number stands twice in a list, or is out of range")
        if reason is None:
            raise ValueError("this is no reason for a revocation")
        last = serial
        octets = serial.to_bytes(serial.bit_length() // 8 + 1)
        content = b"\x02" + _LENGTHS[len(octets)] + octets + der.encode_time(entry.revoked_at) + reason
        yield b"\x30" + _LENGTHS[len(content)] + content


def _serial(entry: RevokedEntry) -> int:
    return entry.serial


def _read_back(encoded: bytes, issuer: Issuer, number: int) -> None:
    crl = x509.load_der_x509_crl(encoded)
    said = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if said != number or crl.issuer != issuer.name or not crl.is_signature_valid(issuer.key.key):
        raise ValueError("the list that was made does not read as it should")


def read_number(crl: bytes) -> tuple[int, datetime]:
    """The number of a list and when the next is due, for pages that show how the lists are doing."""
    read = x509.load_der_x509_crl(crl)
    due = read.next_update_utc
    return read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, due or datetime.max.replace(
        tzinfo=UTC
    )
