"""Rules that every certificate must keep, checked on its bytes: before the CA's key signs it, and on the result.

The linter does not ask how the certificate was built. It reads the DER with the strict reader and holds it
against the order: nothing may be missing, different or there in addition. (Tests add pkilint's many rules.)
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Final

from pki.x509 import der
from pki.x509.alternative_names import AlternativeName, is_host, is_https, is_under, read_alternative_names
from pki.x509.findings import Finding, Findings
from pki.x509.lint_values import EXTENSION, aia, authority_key, basic_constraints, crl_points, key_usage, purposes
from pki.x509.names import COUNTRY, read_name
from pki.x509.orders import Issuer, Order, key_identifier
from pki.x509.rules import LINT_RULES
from pki.x509.serials import OCTETS
from pki.x509.signature_algorithms import identifier_for

_VERSION_3: Final = bytes.fromhex("a003020102")
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_SHAPE: Final = [
    _VERSION, der.INTEGER, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, _EXTENSIONS,
]  # fmt: skip
_PLAIN_EXTENSION: Final = [der.OID, der.OCTET_STRING]
_CRITICAL_EXTENSION: Final = [der.OID, der.BOOLEAN, der.OCTET_STRING]
_CRITICAL: Final = frozenset({EXTENSION["key-usage"], EXTENSION["basic-constraints"]})
_COUNTRY = re.compile("[A-Z]{2}")
_SECOND = timedelta(seconds=1)


class LintRefused(ValueError):
    """A certificate breaks rules of its profile and is not signed, or not given out. Holds every finding."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(", ".join(finding.rule for finding in findings))


def lint(certificate: bytes, order: Order, issuer: Issuer | None) -> list[Finding]:
    """Every rule the certificate breaks; an empty list for a good one. Without an issuer it must be self-issued."""
    try:
        root, problems = der.read(certificate)
    except der.Unreadable:
        return [_finding("lint-structure")]
    if problems or root.tag != der.SEQUENCE or [p.tag for p in root.parts] != [der.SEQUENCE] * 2 + [der.BIT_STRING]:
        return [_finding("lint-structure")]
    body, outer = root.parts[0], root.parts[1]
    if [part.tag for part in body.parts] != _SHAPE:
        return [_finding("lint-structure")]
    return [_finding(rule) for rule in dict.fromkeys(_broken(body, outer, order, issuer))]


def _finding(rule: str) -> Finding:
    return Finding(rule, *LINT_RULES[rule])


def _broken(body: der.Element, outer: der.Element, order: Order, issuer: Issuer | None) -> Iterator[str]:
    version, serial, algorithm, issued_by, validity, subject, spki, extensions = body.parts
    if version.raw != _VERSION_3:
        yield "lint-version"
    yield from _serial(serial.content, order)
    if algorithm.raw != outer.raw or algorithm.raw != identifier_for(issuer.key.kind if issuer else order.key.kind):
        yield "lint-algorithm"
    if issued_by.raw != (issuer.name_der if issuer else subject.raw):
        yield "lint-issuer"
    yield from _validity(validity, order, issuer)
    yield from _subject(subject, order)
    if spki.raw != order.key.spki:
        yield "lint-key"
    if order.key.kind not in order.profile.keys:
        yield "lint-key-kind"
    yield from _extensions(extensions, order, issuer)


def _serial(content: bytes, order: Order) -> Iterator[str]:
    number = int.from_bytes(content, signed=True)
    if number != order.serial:
        yield "lint-serial"
    if len(content) > OCTETS or number.bit_length() <= 64 or number < 0:
        yield "lint-serial-random"


def _validity(validity: der.Element, order: Order, issuer: Issuer | None) -> Iterator[str]:
    start, end = order.not_before, order.not_after
    if [part.raw for part in validity.parts] != [der.encode_time(start), der.encode_time(end)]:
        yield "lint-validity"
    if end <= start:
        yield "lint-validity"
    if end - start + _SECOND > timedelta(days=order.profile.max_days):
        yield "lint-too-long"
    if issuer and end > issuer.not_after:
        yield "lint-outlives-issuer"


def _subject(subject: der.Element, order: Order) -> Iterator[str]:
    wanted = [(der.encode_oid(oid.dotted_string), text) for oid, text in order.subject.attributes()]
    expected = [(oid, der.PRINTABLE if oid == COUNTRY else der.UTF8, text.encode()) for oid, text in wanted]
    found = read_name(subject)
    if found is None or [(oid.content, value.tag, value.content) for oid, value in found] != expected:
        yield "lint-subject"
    if any(len(relative.parts) != 1 for relative in subject.parts):
        yield "lint-subject"
    if not _COUNTRY.fullmatch(order.subject.country):
        yield "lint-country"
    for _, text in wanted:
        if not 1 <= len(text) <= 64 or not text.isprintable() or text != text.strip():
            yield "lint-subject-text"


def _extensions(holder: der.Element, order: Order, issuer: Issuer | None) -> Iterator[str]:
    found: dict[bytes, bytes] = {}
    for part in holder.parts[0].parts if holder.parts else ():
        tags = [inner.tag for inner in part.parts]
        if tags not in (_PLAIN_EXTENSION, _CRITICAL_EXTENSION):
            yield "lint-structure"
            return
        oid, critical = part.parts[0].content, tags == _CRITICAL_EXTENSION
        if oid in found:
            yield "lint-extension-twice"
        if critical != (oid in _CRITICAL) or (critical and part.parts[1].content != b"\xff"):
            yield "lint-critical"
        found[oid] = part.parts[-1].content
    names = found.pop(EXTENSION["alternative-names"], None)
    yield from _names(names, order)
    expected = _expected(order, issuer)
    for oid, (rule, value) in expected.items():
        if found.get(oid) != value:
            yield rule
    if found.keys() - expected.keys():
        yield "lint-extension-more"


def _expected(order: Order, issuer: Issuer | None) -> dict[bytes, tuple[str, bytes]]:
    """The exact value of each extension that must be there, and the rule that is broken otherwise."""
    profile, identifier = order.profile, key_identifier(order.key)
    expected = {
        EXTENSION["basic-constraints"]: ("lint-constraints", basic_constraints(profile.ca, profile.path_length)),
        EXTENSION["key-usage"]: ("lint-key-usage", key_usage(order.uses)),
        EXTENSION["subject-key"]: ("lint-subject-key", b"\x04\x14" + identifier),
        EXTENSION["authority-key"]: ("lint-authority-key", authority_key(issuer.key_id if issuer else identifier)),
    }
    if profile.purposes:
        expected[EXTENSION["purposes"]] = ("lint-purposes", purposes(order.purposes))
    if profile.points_to and issuer:
        expected[EXTENSION["aia"]] = ("lint-aia", aia(issuer.ocsp_url, issuer.issuers_url))
        expected[EXTENSION["crl-points"]] = ("lint-crl-points", crl_points(issuer.crl_url))
    if profile.no_check:
        expected[EXTENSION["no-check"]] = ("lint-no-check", b"\x05\x00")
    return expected


def _names(value: bytes | None, order: Order) -> Iterator[str]:
    if value is None:
        if order.profile.needs_names or order.names:
            yield "lint-names-missing"
        return
    findings = Findings()
    try:
        element, problems = der.read(value)
    except der.Unreadable:
        yield "lint-names"
        return
    names = read_alternative_names(element, findings)
    if findings or problems or names != order.names:
        yield "lint-names"
    for name in names:
        yield from _name(name, order)


def _name(name: AlternativeName, order: Order) -> Iterator[str]:
    if name.kind not in order.profile.alternatives:
        yield "lint-name-kind"
    elif name.kind == "dns" and not is_host(name.value):
        yield "lint-name-host"
    elif name.kind == "dns" and not is_under(name.value, order.zone):
        yield "lint-name-zone"
    elif name.kind == "uri" and not is_https(name.value):
        yield "lint-name-uri"


@lru_cache(maxsize=256)
def url_problem(url: str) -> bool:
    """Whether a CA's own address is anything but plain http with a host: fetching it must need no certificate."""
    return not re.fullmatch(r"http://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~/-]*", url)
