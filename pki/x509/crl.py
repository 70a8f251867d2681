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
_DIGITS: Final = 40
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


# The same as a database writes it, for long lists: the serial in 40 lower-case hexadecimal digits, fourteen digits of
# UTC from the year to the second, and the reason.
type Row = tuple[str, str, str]


def build_crl(
    issuer: Issuer,
    entries: Iterable[RevokedEntry | Row],
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


def _rows(entries: Iterable[RevokedEntry | Row]) -> Iterator[bytes]:
    last = ""
    rows = (_row(entry) if isinstance(entry, RevokedEntry) else entry for entry in entries)
    for serial, moment, name in sorted(rows):
        number, time, reason = bytes.fromhex(serial).lstrip(b"\0"), _time(moment), _REASONS.get(name)
        if serial == last or len(serial) != _DIGITS or not number or serial >= "8":
            raise ValueError("a serial number stands twice in a list, or is out of range")
        if reason is None:
            raise ValueError("this is no reason for a revocation")
        last = serial
        if number[0] >= 0x80:
            number = b"\0" + number
        size = 2 + len(number) + len(time) + len(reason)  # about fifty: each length has one octet
        yield b"\x30%c\x02%c%b%b%b" % (size, len(number), number, time, reason)


def _row(entry: RevokedEntry) -> Row:
    if not 0 < entry.serial < _TOO_LARGE:
        raise ValueError("a serial number stands twice in a list, or is out of range")
    at = entry.revoked_at.astimezone(UTC)  # written out: four times as fast as strftime
    digits = f"{at.year:04}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}"
    return f"{entry.serial:0{_DIGITS}x}", digits, entry.reason


def _time(digits: str) -> bytes:
    """As `der.encode_time` writes it."""
    if "1950" <= digits < "2050":
        return b"\x17\x0d" + digits[2:].encode() + b"Z"
    return b"\x18\x0f" + digits.encode() + b"Z"


def _read_back(encoded: bytes, issuer: Issuer, number: int) -> None:
    crl = x509.load_der_x509_crl(encoded)
    said = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if said != number or crl.issuer != issuer.name or not crl.is_signature_valid(issuer.key.key):
        raise ValueError("the list that was made does not read as it should")
