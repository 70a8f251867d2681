"""Answers of an OCSP responder (RFC 6960) with a delegated certificate."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.x509.ocsp_requests import CertificateId
from pki.x509.orders import Issuer
from pki.x509.signing import Signer, hash_for, public_key_of

type Said = Literal["good", "revoked", "unknown"]

# Unsigned answers that say why there is no other (RFC 6960 4.2.1). They are the same for everybody.
MALFORMED: Final = b"\x30\x03\x0a\x01\x01"
TRY_LATER: Final = b"\x30\x03\x0a\x01\x03"
UNAUTHORIZED: Final = b"\x30\x03\x0a\x01\x06"

_HASHES: Final[dict[str, type[HashAlgorithm]]] = {"sha1": SHA1, "sha256": SHA256, "sha384": SHA384, "sha512": SHA512}
_REASONS: Final = {
    "key-compromise": x509.ReasonFlags.key_compromise,
    "ca-compromise": x509.ReasonFlags.ca_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
    "certificate-hold": x509.ReasonFlags.certificate_hold,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
    "aa-compromise": x509.ReasonFlags.aa_compromise,
}
_STATUS: Final = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Status:
    """What is true of a certificate. Only a revoked one has ``revoked_at``; ``reason`` as in `crl.REASONS`."""

    said: Said
    revoked_at: datetime | None = None
    reason: str = "unspecified"

    def __post_init__(self) -> None:
        if (self.said == "revoked") != (self.revoked_at is not None):
            raise ValueError("a revoked certificate, and no other, has a time of its revocation")


GOOD: Final = Status("good")
UNKNOWN: Final = Status("unknown")


@dataclass(frozen=True, slots=True)
class Responder:
    """Who answers for one CA: a certificate of the profile `responder` that this CA issued, and its key."""

    certificate: x509.Certificate
    signer: Signer

    @classmethod
    def of(cls, certificate: x509.Certificate, signer: Signer, issuer: Issuer) -> "Responder":
        """Checked: the key fits, the CA issued it, and it may sign answers. Raises ValueError otherwise."""
        if public_key_of(signer) != certificate.public_key():
            raise ValueError("the signer's key is not the key of the responder's certificate")
        try:
            certificate.verify_directly_issued_by(issuer.certificate)
            purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (InvalidSignature, x509.ExtensionNotFound, ValueError, TypeError) as error:
            raise ValueError("the certificate is not of a responder of this CA") from error
        if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
            raise ValueError("the certificate may not sign answers")
        return cls(certificate, signer)


def build_answer(
    about: CertificateId,
    status: Status,
    *,
    this_update: datetime,
    next_update: datetime,
    responder: Responder,
    nonce: bytes | None = None,
) -> bytes:
    """A signed answer in DER, with the responder named by its key's hash and its certificate inside.

    Without a nonce it can be signed beforehand and served until ``next_update``; times are cut to seconds.
    """
    start, end = (moment.astimezone(UTC).replace(microsecond=0, tzinfo=None) for moment in (this_update, next_update))
    if end <= start:
        raise ValueError("the next update comes after this one")
    revoked_at = status.revoked_at
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        about.name_hash,
        about.key_hash,
        about.serial,
        _HASHES[about.algorithm](),
        _STATUS[status.said],
        start,
        end,
        revoked_at.astimezone(UTC).replace(microsecond=0, tzinfo=None) if revoked_at else None,
        _REASONS.get(status.reason) if revoked_at else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    key = responder.signer.key
    return builder.sign(key, hash_for(public_key_of(responder.signer))).public_bytes(Encoding.DER)
