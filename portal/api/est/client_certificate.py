"""The certificate that a client showed to the proxy, as the proxy hands it on.

The header is read only where it is set up (`PORTAL_CLIENT_CERT_HEADER`), and only from a trusted proxy: from anybody
else it is taken away at the entrance. That the client has the key, the proxy's TLS handshake has shown. Whether the
certificate is good, our own table says: it has to be there, byte by byte.
"""

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from django.conf import settings
from django.http import HttpRequest

from pki.models import Certificate
from portal.core import clock

LONGEST: Final = 16 * 1024  # characters; a device's certificate in PEM, escaped, has less than 3,000
_SERIALS: Final = range(1, 1 << 160)
_PEM: Final = re.compile(rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


def shown(request: HttpRequest) -> str:
    """What the proxy handed on; "" where it handed on nothing, or where nothing is set up."""
    name: str = settings.CLIENT_CERT_HEADER
    return str(request.META.get(name, "")).strip() if name else ""


def find_certificate(sent: str) -> Certificate | None:
    """The certificate of ours that this is, good or not, with its device and owner. None for any other. One query."""
    der = der_of(sent)
    serial = _serial_of(der) if der else None
    if serial is None:
        return None
    rows = Certificate.objects.issued().select_related("device__owner", "bank")
    row = rows.filter(serial=f"{serial:040x}").first()
    return row if row is not None and bytes(row.der or b"") == der else None


def is_good(certificate: Certificate) -> bool:
    """Whether it may be used now: in a live state, not run out, its device active and its owner not suspended."""
    device, now = certificate.device, clock.now()
    is_live = certificate.not_before <= now and certificate.is_live(now)
    return is_live and device.is_active and device.owner.is_active


def der_of(sent: str) -> bytes | None:
    """PEM, escaped as in URLs (nginx) or not; `:base64:` (RFC 9440 2.2); or bare base64. None for anything else."""
    if len(sent) > LONGEST or not sent.isascii():
        return None
    text = unquote_to_bytes(sent) if "%" in sent else sent.encode()
    if match := _PEM.fullmatch(text):
        text = b"".join(match[1].split())
    elif text[:1] == text[-1:] == b":":
        text = text[1:-1]
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _serial_of(der: bytes) -> int | None:
    try:
        serial = x509.load_der_x509_certificate(der).serial_number
    except (ValueError, TypeError, x509.InvalidVersion):
        return None
    return serial if serial in _SERIALS else None
