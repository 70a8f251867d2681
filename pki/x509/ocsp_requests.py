"""Reading OCSP requests (RFC 6960, the one-certificate profile of RFC 5019): bounded, strict, and never surprised."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from pki.x509 import der
from pki.x509.orders import Issuer, name_and_key_hashes
from pki.x509.serials import OCTETS

MAX_REQUEST = 2048  # bytes; one without a signature and with the longest nonce has less than 300
MAX_NONCE = 128  # RFC 9654 2.1: longer ones, and empty ones, are malformed

_REQUEST_EXTENSIONS, _SINGLE_EXTENSIONS, _REQUESTOR, _VERSION, _SIGNATURE = 0xA2, 0xA0, 0xA1, 0xA0, 0xA0
_NONCE: Final = der.encode_oid("1.3.6.1.5.5.7.48.1.2")
_HASHES: Final = {
    der.encode_oid("1.3.14.3.2.26"): "sha1",  # what most clients name certificates by; nothing rests on it
    der.encode_oid("2.16.840.1.101.3.4.2.1"): "sha256",
    der.encode_oid("2.16.840.1.101.3.4.2.2"): "sha384",
    der.encode_oid("2.16.840.1.101.3.4.2.3"): "sha512",
}
_SIZES: Final = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


class MalformedRequest(ValueError):
    """The bytes are no OCSP request that we answer: say `malformedRequest`."""


@dataclass(frozen=True, slots=True)
class CertificateId:
    """What a request asks about: hashes of the issuer's name and key, and a serial number."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int

    def is_of(self, issuer: Issuer) -> bool:
        """Whether this CA is meant. When it is not, the answer is `unauthorized` (RFC 5019 2.2.3)."""
        return name_and_key_hashes(issuer, self.algorithm) == (self.name_hash, self.key_hash)


@dataclass(frozen=True, slots=True)
class OcspRequest:
    """One request: the certificate it asks about, and the nonce to send back, if there is one."""

    certificate: CertificateId
    nonce: bytes | None


def certificate_id(issuer: Issuer, serial: int, algorithm: str = "sha1") -> CertificateId:
    """How clients name a certificate of this CA; for answers that are signed before anybody asks."""
    return CertificateId(algorithm, *name_and_key_hashes(issuer, algorithm), serial)


def from_path(path: str) -> bytes:
    """The request in the last part of a GET's path: base64 in percent-encoding (RFC 6960 A.1)."""
    if len(path) > 3 * MAX_REQUEST:
        raise MalformedRequest("the path is too long")
    try:
        # A slash or plus sign may stand there as itself: everything after the responder's address is the request.
        text = unquote_to_bytes(path).replace(b" ", b"+")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError, UnicodeError):
        raise MalformedRequest("the path is no base64") from None


def parse_request(data: bytes) -> OcspRequest:
    """Read a request in DER. Raises MalformedRequest and nothing else.

    Refused are more than one certificate, a critical extension we do not know, and a serial number that no
    certificate can have. A signature of the sender is not asked for and not looked at.
    """
    if not 1 <= len(data) <= MAX_REQUEST:
        raise MalformedRequest("no request, or too long a one")
    try:
        root, problems = der.read(data)
    except der.Unreadable as error:
        raise MalformedRequest(error.rule) from None
    if problems:
        raise MalformedRequest(problems[0].rule)
    _require(root.tag == der.SEQUENCE and len(root.parts) in (1, 2) and root.parts[0].tag == der.SEQUENCE)
    _require(all(part.tag == _SIGNATURE for part in root.parts[1:]))
    parts = list(root.parts[0].parts)
    if parts and parts[0].tag == _VERSION:
        _require(parts.pop(0).content == b"\x02\x01\x00")
    if parts and parts[0].tag == _REQUESTOR:
        parts.pop(0)
    _require(bool(parts) and parts[0].tag == der.SEQUENCE and len(parts[0].parts) == 1)  # RFC 5019 2.1.1: one
    _require([part.tag for part in parts[1:]] in ([], [_REQUEST_EXTENSIONS]))
    nonce = _nonce(parts[1]) if len(parts) == 2 else None
    return OcspRequest(_single(parts[0].parts[0]), nonce)


def plain_serial(data: bytes, issuer: Issuer) -> int | None:
    """The serial in the plainest request there is: one certificate of this CA by SHA-1, no nonce, nothing else.

    None for every other one: `parse_request` reads those. Nearly all requests that come by GET are plain, and to
    compare is ten times as fast as to read.
    """
    name = _plain_name(issuer)
    serial = data[_HEADS + len(name) + 2 :]
    if not 1 <= len(serial) <= OCTETS or serial[0] >= 0x80 or (serial[0] == 0 and serial[1:2] < b"\x80"):
        return None
    inside = name + bytes((der.INTEGER, len(serial))) + serial
    size = len(inside)  # below 100, so that every length below has one octet
    heads = bytes(octet for depth in (8, 6, 4, 2, 0) for octet in (der.SEQUENCE, size + depth))
    return int.from_bytes(serial) if data == heads + inside else None


_HEADS: Final = 10  # octets: five sequences around the name and the serial


@lru_cache(maxsize=64)
def _plain_name(issuer: Issuer) -> bytes:
    hashes = name_and_key_hashes(issuer, "sha1")
    algorithm = der.sequence([der.encode(der.OID, der.encode_oid("1.3.14.3.2.26")), b"\x05\x00"])
    return algorithm + b"".join(der.encode(der.OCTET_STRING, part) for part in hashes)


def _require(condition: bool) -> None:
    if not condition:
        raise MalformedRequest("it has not the shape of a request")


def _single(request: der.Element) -> CertificateId:
    tags = [part.tag for part in request.parts]
    _require(request.tag == der.SEQUENCE and tags in ([der.SEQUENCE], [der.SEQUENCE, _SINGLE_EXTENSIONS]))
    if len(request.parts) == 2:
        _extensions(request.parts[1])
    named = request.parts[0].parts
    _require([p.tag for p in named] == [der.SEQUENCE, der.OCTET_STRING, der.OCTET_STRING, der.INTEGER])
    algorithm, name, key, serial = named
    tags = [part.tag for part in algorithm.parts]
    _require(tags == [der.OID] or tags == [der.OID, der.NULL])
    hash_name = _HASHES.get(algorithm.parts[0].content)
    if hash_name is None or {len(name.content), len(key.content)} != {_SIZES[hash_name]}:
        raise MalformedRequest("the hashes are of no known kind")
    number = int.from_bytes(serial.content, signed=True)
    _require(len(serial.content) <= OCTETS and number > 0)
    return CertificateId(hash_name, name.content, key.content, number)


def _nonce(holder: der.Element) -> bytes | None:
    value = _extensions(holder).get(_NONCE)
    if value is None:
        return None
    try:
        inner, problems = der.read(value)
    except der.Unreadable:
        raise MalformedRequest("the nonce cannot be read") from None
    _require(inner.tag == der.OCTET_STRING and not problems and 1 <= len(inner.content) <= MAX_NONCE)
    return inner.content


def _extensions(holder: der.Element) -> dict[bytes, bytes]:
    _require(len(holder.parts) == 1 and holder.parts[0].tag == der.SEQUENCE)
    found: dict[bytes, bytes] = {}
    for part in holder.parts[0].parts:
        tags = [inner.tag for inner in part.parts] if part.tag == der.SEQUENCE else []
        critical = tags == [der.OID, der.BOOLEAN, der.OCTET_STRING]
        _require(critical or tags == [der.OID, der.OCTET_STRING])
        oid = part.parts[0].content
        _require(oid not in found and (oid == _NONCE or not critical or part.parts[1].content == b"\0"))
        found[oid] = part.parts[-1].content
    return found
