"""The extensions a request asks for: a closed list, each value read strictly."""

from dataclasses import dataclass, field
from typing import Final

from pki.x509 import der
from pki.x509.alternative_names import AlternativeName, read_alternative_names
from pki.x509.asking import Asked
from pki.x509.findings import Findings
from pki.x509.profiles import KEY_USES, PURPOSES, Word

MAX_EXTENSIONS = 10
MAX_PURPOSES = 10

_PURPOSE_OF: Final = {der.encode_oid(oid): word for word, oid in PURPOSES.items()}


@dataclass(slots=True)
class Extensions:
    """What the extensions of a request say."""

    uses: tuple[Word, ...] | None = None
    purposes: tuple[Word, ...] | None = None
    ca: bool = False
    path_length: int | None = None
    names: tuple[AlternativeName, ...] = field(default=())

    def asked(self) -> Asked:
        return Asked(self.uses, self.purposes, self.ca, self.path_length)


def read_extensions(value: der.Element, findings: Findings) -> Extensions:
    """Read an extensionRequest's value (RFC 2985 5.4.2). What is wrong with it goes to the findings."""
    extensions = Extensions()
    if value.tag != der.SEQUENCE or not 1 <= len(value.parts) <= MAX_EXTENSIONS:
        findings.add("extension-count", limit=MAX_EXTENSIONS)
        return extensions
    seen = set()
    for part in value.parts:
        pair = _split(part, findings)
        if pair is None:
            findings.add("request-structure", what="an extension is no Extension")
            continue
        oid, content = pair
        if oid in seen:
            findings.add("extension-repeated", oid=der.dotted(oid))
        seen.add(oid)
        _read(oid, content, extensions, findings)
    return extensions


def _split(part: der.Element, findings: Findings) -> tuple[bytes, bytes] | None:
    tags = [inner.tag for inner in part.parts] if part.tag == der.SEQUENCE else []
    if tags == [der.OID, der.BOOLEAN, der.OCTET_STRING]:
        if part.parts[1].content == b"\0":
            findings.add("der-default", at=part.parts[1].at)
    elif tags != [der.OID, der.OCTET_STRING]:
        return None
    return part.parts[0].content, part.parts[-1].content


def _read(oid: bytes, content: bytes, extensions: Extensions, findings: Findings) -> None:
    reader = _READERS.get(oid)
    if reader is None:
        findings.add("extension-unknown", oid=der.dotted(oid))
        return
    try:
        value, problems = der.read(content)
    except der.Unreadable:
        findings.add("extension-value", oid=der.dotted(oid))
        return
    for problem in problems:
        findings.add(problem.rule, at=problem.at)
    if not problems and not reader(value, extensions, findings):
        findings.add("extension-value", oid=der.dotted(oid))


def _names(value: der.Element, extensions: Extensions, findings: Findings) -> bool:
    extensions.names = read_alternative_names(value, findings)
    return True


def _key_usage(value: der.Element, extensions: Extensions, findings: Findings) -> bool:
    if value.tag != der.BIT_STRING:
        return False
    unused, octets = value.content[0], value.content[1:]
    if octets and not octets[-1] >> unused & 1:
        findings.add("der-named-bits", at=value.at)
    bits = [number for number in range(8 * len(octets)) if octets[number // 8] >> (7 - number % 8) & 1]
    if len(octets) > 2 or any(number >= len(KEY_USES) for number in bits):
        return False
    extensions.uses = tuple(KEY_USES[number] for number in bits)
    return True


def _purposes(value: der.Element, extensions: Extensions, findings: Findings) -> bool:
    if value.tag != der.SEQUENCE or len(value.parts) > MAX_PURPOSES:
        return False
    if any(part.tag != der.OID for part in value.parts):
        return False
    oids = [part.content for part in value.parts]
    extensions.purposes = tuple(_PURPOSE_OF.get(oid) or der.dotted(oid) for oid in oids)
    return True


def _constraints(value: der.Element, extensions: Extensions, findings: Findings) -> bool:
    tags = [part.tag for part in value.parts]
    if value.tag != der.SEQUENCE or tags not in ([], [der.BOOLEAN], [der.INTEGER], [der.BOOLEAN, der.INTEGER]):
        return False
    if tags[:1] == [der.BOOLEAN]:
        extensions.ca = value.parts[0].content == b"\xff"
        if not extensions.ca:
            findings.add("der-default", at=value.parts[0].at)
    if tags[-1:] == [der.INTEGER]:
        extensions.path_length = int.from_bytes(value.parts[-1].content[:2], signed=True)
    return True


def _key_identifier(value: der.Element, extensions: Extensions, findings: Findings) -> bool:
    return value.tag == der.OCTET_STRING and 1 <= len(value.content) <= 64  # common tools send one; it is replaced


_READERS: Final = {
    der.encode_oid("2.5.29.17"): _names,
    der.encode_oid("2.5.29.15"): _key_usage,
    der.encode_oid("2.5.29.37"): _purposes,
    der.encode_oid("2.5.29.19"): _constraints,
    der.encode_oid("2.5.29.14"): _key_identifier,
}
