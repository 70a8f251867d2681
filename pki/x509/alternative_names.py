"""Alternative names: the syntax of those in a request, and of those we put into certificates.

A request's names are replaced by the registry's. Their syntax is judged all the same, because what is shown to
the person who signs, and kept beside the certificate, must mean one thing only.
"""

import ipaddress
import re
from typing import Final, NamedTuple

from pki.x509 import der
from pki.x509.findings import Findings
from pki.x509.names import read_name

MAX_NAMES = 20
MAX_HOST = 253  # RFC 1035 2.3.4, without the root's dot

_EMAIL, _DNS, _DIRECTORY, _URI, _IP = 0x81, 0x82, 0xA4, 0x86, 0x87
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# In requests an underscore passes: clients build names from device ids. No certificate of ours carries one.
_LOOSE_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LOOSE_HOST = re.compile(rf"(?:\*\.)?{_LOOSE_LABEL}(?:\.{_LOOSE_LABEL})*")
_MAILBOX = re.compile(r"[!-?A-~]{1,64}@(?P<host>[!-?A-~]{1,253})")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]{1,253})(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]{0,200})?")


class AlternativeName(NamedTuple):
    """One alternative name. ``kind`` is dns, email, uri, ip or directory."""

    kind: str
    value: str


def read_alternative_names(value: der.Element, findings: Findings) -> tuple[AlternativeName, ...]:
    """The names of a subjectAltName. What is wrong with one goes to the findings; others are still read."""
    if value.tag != der.SEQUENCE:
        findings.add("extension-value", oid="2.5.29.17")
        return ()
    if not value.parts:
        findings.add("san-empty")
    if len(value.parts) > MAX_NAMES:
        findings.add("san-count", limit=MAX_NAMES)
        return ()
    names = [_read(part, findings) for part in value.parts]
    return tuple(name for name in names if name)


def _read(part: der.Element, findings: Findings) -> AlternativeName | None:
    if part.tag == _IP:
        return _address(part.content, findings)
    if part.tag == _DIRECTORY:
        if len(part.parts) == 1 and read_name(part.parts[0]):
            return AlternativeName("directory", "a directory name")
        findings.add("san-kind")
        return None
    if part.tag not in _TEXTS:
        findings.add("san-kind")
        return None
    return _text(part, findings)


def _address(content: bytes, findings: Findings) -> AlternativeName | None:
    if len(content) not in (4, 16):
        findings.add("san-ip-length")
        return None
    return AlternativeName("ip", str(ipaddress.ip_address(content)))


def _text(part: der.Element, findings: Findings) -> AlternativeName | None:
    kind, check, rule = _TEXTS[part.tag]
    content = part.content
    text = content.decode("latin-1")
    if not content.isascii() or not text.isprintable():
        findings.add("san-not-ia5")
        return None
    if not check(text):
        findings.add(rule)
        return None
    return AlternativeName(kind, text)


def _is_loose_host(text: str) -> bool:
    return len(text) <= MAX_HOST and _LOOSE_HOST.fullmatch(text) is not None


def _is_mailbox(text: str) -> bool:
    match = _MAILBOX.fullmatch(text)
    return match is not None and _is_loose_host(match["host"])


def _is_absolute(text: str) -> bool:
    return len(text) <= 2048 and _ABSOLUTE.fullmatch(text) is not None


_TEXTS: Final = {
    _EMAIL: ("email", _is_mailbox, "san-email-syntax"),
    _DNS: ("dns", _is_loose_host, "san-dns-syntax"),
    _URI: ("uri", _is_absolute, "san-uri-syntax"),
}


def is_host(text: str) -> bool:
    """Whether the text is a host name as RFC 1123 has it: letters, digits and inner hyphens; no wildcard."""
    return len(text) <= MAX_HOST and _HOST.fullmatch(text) is not None


def is_under(host: str, zone: str) -> bool:
    """Whether a host name stands under a zone, not at it: ``a.bank.example`` under ``bank.example``."""
    return bool(zone) and is_host(host) and host.lower().endswith("." + zone.lower())


def is_https(text: str) -> bool:
    """Whether the text is an https URI with a plain host, an optional path, and nothing else."""
    match = _HTTPS.fullmatch(text)
    return match is not None and is_host(match["host"])
