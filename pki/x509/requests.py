"""The gate for certificate requests (PKCS #10, RFC 2986): everything that can be said without the registry.

Whether the key is another device's, or blocked, and whether the common name is the device's, the caller asks;
this module says what the bytes alone show. It raises RequestRefused and nothing else, and every call is short:
size, depth and number of elements are bounded before anything is computed, moduli by the closed list of sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki.x509 import der
from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Asked, findings_of
from pki.x509.extensions import Extensions, read_extensions
from pki.x509.findings import Findings, RequestRefused, finding
from pki.x509.intake import der_of
from pki.x509.keys_policy import CheckedKey, check_spki
from pki.x509.names import NameAttribute, read_subject
from pki.x509.profiles import DEVICE, Profile

MAX_ATTRIBUTES = 6
MAX_TEXT = 255  # RFC 2985 5.4.1, B.3

_ATTRIBUTES: Final = 0xA0  # [0] IMPLICIT SET OF
_EXTENSION_REQUEST: Final = der.encode_oid("1.2.840.113549.1.9.14")
_TEXT_ATTRIBUTES: Final = frozenset(
    der.encode_oid(oid)
    for oid in (
        "1.2.840.113549.1.9.7",  # challengePassword: taken, and means nothing (docs/est.md)
        "1.2.840.113549.1.9.2",  # unstructuredName
    )
)
_TEXTS: Final = (der.PRINTABLE, der.UTF8, der.IA5)

# Algorithms of RFC 4055/5754 (RSA, parameters NULL), RFC 5758 (ECDSA, absent), RFC 8410 (Ed25519, absent).
_SIGNATURES: Final[Mapping[bytes, tuple[str, list[int]]]] = {
    der.encode_oid("1.2.840.113549.1.1.11"): ("rsa", [der.NULL]),
    der.encode_oid("1.2.840.113549.1.1.12"): ("rsa", [der.NULL]),
    der.encode_oid("1.2.840.113549.1.1.13"): ("rsa", [der.NULL]),
    der.encode_oid("1.2.840.10045.4.3.2"): ("p", []),
    der.encode_oid("1.2.840.10045.4.3.3"): ("p", []),
    der.encode_oid("1.2.840.10045.4.3.4"): ("p", []),
    der.encode_oid("1.3.101.112"): ("ed25519", []),
}

# What the library raises for bytes it does not like; it does so late, and outside of ValueError too.
_LIBRARY_ERRORS: Final = (
    ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError, UnsupportedAlgorithm,
    x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.ExtensionNotFound,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request that passed the gate.

    ``der``          the request itself, in DER
    ``key``          the key to certify, in canonical form; its fingerprint is what the registry is asked for
    ``subject``      what the request calls itself; never copied into a certificate
    ``common_name``  its one common name, or None
    ``names``        the alternative names it wants; replaced by the registry's
    ``asked``        uses and purposes it wants, all of them within the profile
    """

    der: bytes
    key: CheckedKey
    subject: tuple[NameAttribute, ...]
    common_name: str | None
    names: tuple[AlternativeName, ...]
    asked: Asked


def check_request(data: bytes, *, profile: Profile = DEVICE) -> CheckedRequest:
    """Read and judge a request in DER or PEM. Raises RequestRefused with every rule it breaks, nothing else.

    Passing shows that the sender holds the private key, that the key is one we take, and that the request asks
    for nothing its profile does not give. It does not say who the sender is.
    """
    encoded = der_of(data)
    try:
        root, problems = der.read(encoded)
    except der.Unreadable as error:
        raise RequestRefused([finding(error.rule, **error.facts)]) from None
    return _Check(encoded, root, profile, problems).run()


class _Check:
    """One run of the gate over one request."""

    def __init__(self, encoded: bytes, root: der.Element, profile: Profile, problems: list[der.Problem]) -> None:
        self.encoded = encoded
        self.profile = profile
        self.findings = Findings()
        for problem in problems:
            self.findings.add(problem.rule, at=problem.at)
        self.extensions = Extensions()
        if root.tag != der.SEQUENCE or [p.tag for p in root.parts] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
            self.stop("it is not information, algorithm and signature")
        self.information, self.algorithm, self.signature = root.parts
        tags = [part.tag for part in self.information.parts]
        if tags != [der.INTEGER, der.SEQUENCE, der.SEQUENCE, _ATTRIBUTES]:
            self.stop("it has not version, subject, key and attributes")

    def stop(self, what: str) -> NoReturn:
        self.findings.add("request-structure", what=what)
        raise RequestRefused(self.findings)

    def run(self) -> CheckedRequest:
        version, name, spki, attributes = self.information.parts
        if version.content != b"\0":
            self.findings.add("request-version")
        subject = read_subject(name, self.findings)
        key = check_spki(spki, self.findings)
        if key and key.kind not in self.profile.keys:
            self.findings.add("key-not-in-profile", kind=key.kind, profile=self.profile.name)
        self.attributes(attributes)
        self.findings += findings_of(self.extensions.asked(), self.profile, key.kind if key else None)
        self.possession(key, spki)
        if self.findings or key is None:
            raise RequestRefused(self.findings)
        common_name = next((value for label, value in subject if label == "CN"), None)
        return CheckedRequest(self.encoded, key, subject, common_name, self.extensions.names, self.extensions.asked())

    def attributes(self, attributes: der.Element) -> None:
        if len(attributes.parts) > MAX_ATTRIBUTES:
            self.stop(f"it has more than {MAX_ATTRIBUTES} attributes")
        if not der.in_order(attributes):
            self.findings.add("der-set-order", at=attributes.at)
        seen = set()
        for attribute in attributes.parts:
            if attribute.tag != der.SEQUENCE or [part.tag for part in attribute.parts] != [der.OID, der.SET]:
                self.stop("an attribute is no Attribute")
            oid, values = attribute.parts[0].content, attribute.parts[1].parts
            if oid in seen or len(values) != 1:
                self.findings.add("attribute-repeated", oid=der.dotted(oid))
            seen.add(oid)
            for value in values[:1]:
                self.attribute(oid, value)

    def attribute(self, oid: bytes, value: der.Element) -> None:
        if oid == _EXTENSION_REQUEST:
            self.extensions = read_extensions(value, self.findings)
        elif oid not in _TEXT_ATTRIBUTES:
            self.findings.add("attribute-unknown", oid=der.dotted(oid))
        elif value.tag not in _TEXTS or not 1 <= len(value.content) <= MAX_TEXT:
            self.findings.add("attribute-value", oid=der.dotted(oid))

    def possession(self, key: CheckedKey | None, spki: der.Element) -> None:
        oid = self.algorithm.parts[0] if self.algorithm.parts else None
        if oid is None or oid.tag != der.OID:
            self.findings.add("request-structure", what="its signature has no algorithm")
            return
        known = _SIGNATURES.get(oid.content)
        if known is None:
            self.findings.add("signature-algorithm", oid=der.dotted(oid.content))
            return
        family, parameters = known
        if [part.tag for part in self.algorithm.parts[1:]] != parameters:
            self.findings.add("signature-parameters")
        if key is None:
            return
        if not key.kind.startswith(family):
            self.findings.add("signature-key-mismatch")
        elif not self.is_signed():
            self.findings.add("signature-invalid")

    def is_signed(self) -> bool:
        """The library reads the request a second time: both readers must see the same, and the signature hold."""
        try:
            request = x509.load_der_x509_csr(self.encoded)
            return request.tbs_certrequest_bytes == self.information.raw and request.is_signature_valid
        except _LIBRARY_ERRORS:
            return False
