"""From what a client sends to the bytes of one request: DER, PEM, or either of them in base64 once more."""

import base64
import binascii
import re

from pki.x509.findings import RequestRefused, finding

MAX_DER = 8 * 1024  # bytes of DER
MAX_TEXT = 24 * 1024  # the same as PEM, and that in base64 once more

_SEQUENCE = 0x30  # the first byte of any request in DER; no PEM text begins with it, which is the digit 0
_WORDS = rb"(?:NEW )?CERTIFICATE REQUEST"
_PEM = re.compile(
    rb"\s*-----BEGIN (?P<label>"
    + _WORDS
    + rb")-----[ \t]*\r?\n(?P<body>[A-Za-z0-9+/=\s]*?)-----END (?P=label)-----\s*"
)


def der_of(data: bytes) -> bytes:
    """The DER of a request given as DER or as one PEM block (RFC 7468). Raises RequestRefused."""
    if len(data) > MAX_TEXT:
        raise RequestRefused([finding("request-size", limit=MAX_DER)])
    if not data.strip():
        raise RequestRefused([finding("request-empty")])
    der = data if data[0] == _SEQUENCE else _from_pem(data)
    if len(der) > MAX_DER:
        raise RequestRefused([finding("request-size", limit=MAX_DER)])
    return der


def request_bytes(text: str) -> bytes:
    """What a JSON or EST body carries as text: PEM, base64 of PEM, or base64 of DER. Raises RequestRefused.

    The answer is what ``check_request`` takes. URL-safe base64 and missing padding are not forgiven.
    """
    if len(text) > 2 * MAX_TEXT or not text.isascii():
        raise RequestRefused([finding("request-size", limit=MAX_DER) if text.isascii() else finding("request-pem")])
    data = text.encode()
    return data if b"-----BEGIN" in data else _base64("".join(text.split()).encode())


def _from_pem(data: bytes) -> bytes:
    match = _PEM.fullmatch(data)
    if match is None:
        raise RequestRefused([finding("request-pem")])
    return _base64(b"".join(match["body"].split()))


def _base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RequestRefused([finding("request-pem")]) from None
