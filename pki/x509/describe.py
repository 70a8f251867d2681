"""Certificates as plain values, for pages that show what is inside."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.x509.keys_policy import describe_key
from pki.x509.profiles import KEY_USES, PURPOSES
from pki.x509.serials import as_hex

KEY_LABELS = {
    "rsa-2048": "RSA 2048", "rsa-3072": "RSA 3072", "rsa-4096": "RSA 4096",
    "p256": "EC P-256", "p384": "EC P-384", "ed25519": "Ed25519",
}  # fmt: skip

_SIGNATURES = {
    "1.2.840.113549.1.1.11": "RSA with SHA-256",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
    "1.3.101.112": "Ed25519",
}
_WORD_OF = {oid: word for word, oid in PURPOSES.items()}
_USE_FLAGS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign",
)  # fmt: skip
_NAME_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dns", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "uri", x509.IPAddress: "ip",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says, as text and plain values. Lists are empty where it says nothing."""

    serial: str
    subject: str
    common_name: str
    issuer: str
    not_before: datetime
    not_after: datetime
    key: str
    key_fingerprint: str
    fingerprint: str
    signature: str
    is_ca: bool
    path_length: int | None
    uses: tuple[str, ...]
    purposes: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    subject_key_id: str
    authority_key_id: str
    ocsp_urls: tuple[str, ...]
    issuer_urls: tuple[str, ...]
    crl_urls: tuple[str, ...]


def describe_certificate(certificate: x509.Certificate) -> CertificateFacts:
    """A certificate of ours. (One of others may make the library raise; it is not for those.)"""
    extensions = _Extensions(certificate.extensions)
    key = describe_key(certificate.public_key())
    common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    constraints = extensions.find(x509.BasicConstraints)
    return CertificateFacts(
        serial=as_hex(certificate.serial_number),
        subject=certificate.subject.rfc4514_string(),
        common_name=str(common_names[0].value) if common_names else "",
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=KEY_LABELS[key.kind] if key else "",
        key_fingerprint=key.fingerprint if key else "",
        fingerprint=sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        signature=_SIGNATURES.get(certificate.signature_algorithm_oid.dotted_string, ""),
        is_ca=bool(constraints and constraints.ca),
        path_length=constraints.path_length if constraints else None,
        uses=extensions.uses(),
        purposes=extensions.purposes(),
        names=extensions.names(),
        subject_key_id=extensions.subject_key_id(),
        authority_key_id=extensions.authority_key_id(),
        ocsp_urls=extensions.access(AuthorityInformationAccessOID.OCSP),
        issuer_urls=extensions.access(AuthorityInformationAccessOID.CA_ISSUERS),
        crl_urls=extensions.crl_urls(),
    )


class _Extensions:
    def __init__(self, extensions: x509.Extensions) -> None:
        self._all = extensions

    def find[E: x509.ExtensionType](self, kind: type[E]) -> E | None:
        return next((found.value for found in self._all if isinstance(found.value, kind)), None)

    def uses(self) -> tuple[str, ...]:
        usage = self.find(x509.KeyUsage)
        flags = zip(_USE_FLAGS, KEY_USES, strict=False)
        return tuple(word for flag, word in flags if usage and getattr(usage, flag))

    def purposes(self) -> tuple[str, ...]:
        return tuple(_WORD_OF.get(p.dotted_string, p.dotted_string) for p in self.find(x509.ExtendedKeyUsage) or ())

    def names(self) -> tuple[tuple[str, str], ...]:
        found = self.find(x509.SubjectAlternativeName) or ()
        return tuple((_NAME_KINDS.get(type(name), "other"), str(name.value)) for name in found)

    def subject_key_id(self) -> str:
        found = self.find(x509.SubjectKeyIdentifier)
        return found.digest.hex(":").upper() if found else ""

    def authority_key_id(self) -> str:
        found = self.find(x509.AuthorityKeyIdentifier)
        return found.key_identifier.hex(":").upper() if found and found.key_identifier else ""

    def access(self, method: x509.ObjectIdentifier) -> tuple[str, ...]:
        found = self.find(x509.AuthorityInformationAccess) or ()
        return tuple(str(entry.access_location.value) for entry in found if entry.access_method == method)

    def crl_urls(self) -> tuple[str, ...]:
        points = self.find(x509.CRLDistributionPoints) or ()
        return tuple(str(name.value) for point in points for name in point.full_name or ())
