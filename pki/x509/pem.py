"""Certificates as text (RFC 7468)."""

import base64
from textwrap import wrap


def pem_of(der: bytes) -> str:
    """One certificate in PEM, without reading it: lines of 64 characters, a line break at the end."""
    lines = "\n".join(wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
