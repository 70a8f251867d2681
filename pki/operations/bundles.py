"""Keys that were made here go out once, to the device's owner, and are gone here from then on."""

import base64
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_der_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates
from django.db import transaction

from pki.models import Certificate, CertificateRequest
from pki.operations.request_steps import KEY
from pki.policies import require_own_device
from portal import vault
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, NotFound

SHORTEST: Final = 12  # characters; whoever has the bundle can guess at leisure
LONGEST: Final = 128
ROUNDS: Final = 600_000  # of PBKDF2-HMAC-SHA-256 (OWASP Password Storage), as often as for a password


@dataclass(frozen=True, repr=False)
class Bundle:
    """PKCS #12 (RFC 7292) with key, certificate and its issuer, under the passphrase."""

    request: CertificateRequest
    certificate: Certificate
    content: bytes


def take_bundle(*, actor: Actor, csr_id: str, passphrase: str) -> Bundle:
    """Hand the key and certificate of a request out, once: the key is destroyed in the transaction that says so.

    csr_id: `CSR_…` of a request whose key was made here. passphrase: 12 to 128 characters that can be typed. Only the
    device's owner gets it, by a token that is bound to the device or to none. An answer that is lost on the way is
    lost: a new request makes a new key. The slow part, deriving the key, is done before the transaction.

    Raises Forbidden, NotFound, InvalidInput, Conflict `bundle-taken` for a repeat, InvalidState (`not-issued`,
    `no-server-key`, `certificate-not-live`).
    """
    if not actor.is_customer:
        raise Forbidden("Keys are handed to the device's owner only.", code="owner-only")
    _require_passphrase(passphrase)
    request, certificate = _found(actor, csr_id)
    content = _pkcs12(request, certificate, passphrase)
    _destroy(actor, request, certificate)
    return Bundle(request, certificate, content)


def _require_passphrase(passphrase: str) -> None:
    if not SHORTEST <= len(passphrase) <= LONGEST:
        message = f"A passphrase has {SHORTEST} to {LONGEST} characters."
        raise InvalidInput.at("passphrase", "out-of-range", message)
    if not passphrase.isprintable() or len(set(passphrase)) < SHORTEST // 3:
        raise InvalidInput.at("passphrase", "weak-passphrase", "This passphrase is too easy to guess, or not typed.")


def _found(actor: Actor, csr_id: str) -> tuple[CertificateRequest, Certificate]:
    request = CertificateRequest.objects.visible_to(actor).select_related("device").named(csr_id).first()
    require_own_device(actor, request.device_id if request else None)
    if request is None:
        raise NotFound("There is no such request.")
    if request.bundle_taken_at is not None:
        raise _taken()
    issued = Certificate.objects.issued().filter(request=request).select_related("authority")
    certificate = issued.order_by("-issued_at").first()
    if certificate is None:
        raise InvalidState("There is no certificate for this request yet.", code="not-issued", state=request.state)
    if not certificate.is_live(clock.now()):
        raise InvalidState("The certificate is not good any more.", code="certificate-not-live")
    if not request.key_sealed:
        raise InvalidState("The key was made on the device: there is nothing to hand out.", code="no-server-key")
    return request, certificate


def _taken() -> Conflict:
    return Conflict("The bundle was handed out already.", code="bundle-taken")


def _pkcs12(request: CertificateRequest, certificate: Certificate, passphrase: str) -> bytes:
    key = load_der_private_key(base64.b64decode(vault.unseal(KEY, request.pk, request.key_sealed)), None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise TypeError("a key that was never made here")
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(passphrase.encode())
    )
    leaf = x509.load_der_x509_certificate(bytes(certificate.der or b""))
    issuer = x509.load_der_x509_certificate(bytes(certificate.authority.der))
    name = certificate.public_id.encode()
    return serialize_key_and_certificates(name, key, leaf, [issuer], encryption)


@transaction.atomic
def _destroy(actor: Actor, request: CertificateRequest, certificate: Certificate) -> None:
    """The conditional UPDATE decides who of many callers gets it. Whoever does not reads again what came between."""
    now = clock.now()
    kept = CertificateRequest.objects.visible_to(actor).filter(pk=request.pk, bundle_taken_at=None)
    kept = kept.filter(certificates__in=Certificate.objects.live().filter(pk=certificate.pk))
    waiting = CertificateRequest.objects.filter(pk__in=kept.values("pk"), bundle_taken_at=None).exclude(key_sealed="")
    if not waiting.update(key_sealed="", bundle_taken_at=now):  # the text itself may be sealed anew meanwhile
        _found(actor, request.public_id)  # raises what stands in the way now
        raise _taken()
    request.key_sealed, request.bundle_taken_at = "", now
    details = {"device": str(request.device_id), "certificate": certificate.public_id}
    audit.record(actor, Event.BUNDLE_TAKEN, request, details=details)
