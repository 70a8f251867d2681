"""Authorities, certificates and what hangs on them, one module each."""

from pki.models.authorities import CertificateAuthority, KeyStoreKind, OcspResponder, RollOver
from pki.models.certificates import Certificate
from pki.models.keys import BlockedKey, CertifiedKey
from pki.models.policies import CertificatePolicy
from pki.models.requests import CertificateRequest, RequestSource
from pki.models.rotations import AttemptOutcome, Rotation, RotationAttempt, RotationType
from pki.models.status import CrlChange, OcspAnswer, PublishedCrl

__all__ = [
    "AttemptOutcome",
    "BlockedKey",
    "Certificate",
    "CertificateAuthority",
    "CertificatePolicy",
    "CertificateRequest",
    "CertifiedKey",
    "CrlChange",
    "KeyStoreKind",
    "OcspAnswer",
    "OcspResponder",
    "PublishedCrl",
    "RequestSource",
    "RollOver",
    "Rotation",
    "RotationAttempt",
    "RotationType",
]
