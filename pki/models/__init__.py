"""Authorities, certificates and what hangs on them, one module each."""

from pki.models.authorities import CertificateAuthority, KeyStoreKind, OcspResponder
from pki.models.certificates import Certificate
from pki.models.keys import BlockedKey, CertifiedKey
from pki.models.policies import CertificatePolicy
from pki.models.requests import CertificateRequest, RequestSource
from pki.models.rotations import Rotation, RotationAttempt, RotationType
from pki.models.status import OcspAnswer, PublishedCrl

__all__ = [
    "BlockedKey",
    "Certificate",
    "CertificateAuthority",
    "CertificatePolicy",
    "CertificateRequest",
    "CertifiedKey",
    "KeyStoreKind",
    "OcspAnswer",
    "OcspResponder",
    "PublishedCrl",
    "RequestSource",
    "Rotation",
    "RotationAttempt",
    "RotationType",
]
