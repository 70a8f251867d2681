"""Certificates and requests as text (RFC 7468)."""

import base64
from textwrap import wrap


def pem_of(der: bytes, *, label: str = "CERTIFICATE") -> str:
    """One object in PEM, without reading it: lines of 64 characters, a line break at the end."""
    lines = "\n".join(wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
