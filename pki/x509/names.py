"""Reading distinguished names: bounded, and as plain text for people and for comparing with the registry.

The subject of a request is never copied into a certificate; it is read to say what was asked for, and to
refuse what another reader might understand in two ways.
"""

from typing import Final, NamedTuple

from pki.x509 import der
from pki.x509.findings import Findings

MAX_ATTRIBUTES = 20
_ANY_LENGTH = 255

COMMON_NAME: Final = der.encode_oid("2.5.4.3")
COUNTRY: Final = der.encode_oid("2.5.4.6")
_SHORT: Final = {
    COMMON_NAME: "CN",
    der.encode_oid("2.5.4.5"): "serialNumber",
    COUNTRY: "C",
    der.encode_oid("2.5.4.7"): "L",
    der.encode_oid("2.5.4.8"): "ST",
    der.encode_oid("2.5.4.10"): "O",
    der.encode_oid("2.5.4.11"): "OU",
    der.encode_oid("0.9.2342.19200300.100.1.25"): "DC",
    der.encode_oid("1.2.840.113549.1.9.1"): "emailAddress",
}
_LONGEST: Final = {"CN": 64, "O": 64, "OU": 64, "serialNumber": 64, "L": 128, "ST": 128}  # RFC 5280 A.1
_IA5_TOO: Final = ("DC", "emailAddress")  # RFC 5280 4.1.2.4 and 4.1.2.6: these are IA5String


class NameAttribute(NamedTuple):
    """One attribute of a name: its short name (or dotted identifier) and its text."""

    name: str
    value: str


def read_subject(name: der.Element, findings: Findings) -> tuple[NameAttribute, ...]:
    """The attributes of a Name, in their order. What is wrong with it goes to the findings."""
    found = read_name(name)
    if found is None:
        findings.add("request-structure", what="the subject is no name")
        return ()
    if len(found) > MAX_ATTRIBUTES:
        findings.add("subject-count", limit=MAX_ATTRIBUTES)
        return ()
    if sum(oid.content == COMMON_NAME for oid, _ in found) > 1:
        findings.add("subject-cn-repeated")
    return tuple(NameAttribute(_label(oid), _text(oid, value, findings)) for oid, value in found)


def read_name(name: der.Element) -> list[tuple[der.Element, der.Element]] | None:
    """Type and value of each attribute, or None when the element is no Name (RFC 5280 4.1.2.4)."""
    found = []
    if name.tag != der.SEQUENCE:
        return None
    for relative in name.parts:
        if relative.tag != der.SET or not relative.parts:
            return None
        for pair in relative.parts:
            if pair.tag != der.SEQUENCE or len(pair.parts) != 2 or pair.parts[0].tag != der.OID:
                return None
            found.append((pair.parts[0], pair.parts[1]))
    return found


def _label(oid: der.Element) -> str:
    return _SHORT.get(oid.content) or der.dotted(oid.content)


def _text(oid: der.Element, value: der.Element, findings: Findings) -> str:
    label = _label(oid)
    if value.tag not in (der.PRINTABLE, der.UTF8) and not (value.tag == der.IA5 and label in _IA5_TOO):
        findings.add("subject-string-type", oid=der.dotted(oid.content))
        return ""
    text = value.content.decode(errors="replace")
    longest = _LONGEST.get(label, _ANY_LENGTH)
    if not 1 <= len(text) <= longest:
        findings.add("subject-length", oid=der.dotted(oid.content), limit=longest)
    if not text.isprintable():  # no control, format or separator character but the plain space
        findings.add("subject-characters", oid=der.dotted(oid.content))
    if label == "C" and not (len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()):
        findings.add("subject-country")
    return text[:_ANY_LENGTH]
