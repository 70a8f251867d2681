"""The device shows its new certificate for the first time: the one before it has had its day."""

from hashlib import sha256
from typing import Final

from django.db import transaction

from pki.models import AttemptOutcome, Certificate, Rotation
from pki.operations import ending
from pki.operations import rotation_ledger as ledger
from pki.operations.locks import lock_device
from pki.operations.rotation_terms import key_of
from pki.policies import require_own_device, require_prove
from pki.states import ENDABLE, LIVE, RevocationReason, RotationState
from pki.x509.signing import holds
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidState, NotFound, VerificationFailed

PROOF: Final = "device-certificate-proof:v1"  # a name of its own, so that no other signature can stand for it


def proof_text(certificate: Certificate) -> bytes:
    """What a device signs to show that it has a certificate and its key."""
    fingerprint = sha256(bytes(certificate.der or b"")).hexdigest()
    return f"{PROOF}:{certificate.public_id}:{fingerprint}".encode()


def prove_certificate(*, actor: Actor, certificate_id: str, signature: bytes) -> Certificate:
    """Show that a device has its certificate and the key to it. The one before it is then revoked as superseded.

    certificate_id: `CERT_…`, of the caller's own device. signature: of `proof_text`, by the certificate's key; RSA
    with PKCS#1 v1.5 and SHA-256, ECDSA in DER with SHA-256 (P-384: SHA-384), Ed25519. A repeat changes nothing.
    Raises Forbidden, NotFound, InvalidState `certificate-not-live`, VerificationFailed `proof-wrong`.
    """
    require_prove(actor)
    certificate = _find(actor, certificate_id)
    if not holds(key_of(certificate).key, signature, proof_text(certificate)):
        raise VerificationFailed("The signature is not the certificate's.", code="proof-wrong")
    note_use(actor, certificate)
    return certificate


def note_use(actor: Actor, certificate: Certificate) -> bool:
    """The device used this certificate, which somebody has verified. Returns whether that was the first time.

    No query where it was not. The rotation that brought it is done then.
    """
    if certificate.proved_at is not None:
        return False
    with transaction.atomic():
        return _prove(actor, certificate)


def _prove(actor: Actor, certificate: Certificate) -> bool:
    lock_device(certificate.device_id)
    now = clock.now()
    fresh = Certificate.objects.filter(pk=certificate.pk, proved_at=None, state__in=LIVE)
    if not fresh.update(proved_at=now):
        certificate.refresh_from_db(fields=["proved_at", "state"])
        return False
    certificate.proved_at = now
    details = {"device": str(certificate.device_id), "serial": certificate.serial}
    audit.record(actor, Event.CERTIFICATE_PROVED, certificate, details=details)
    rotations = Rotation.objects.select_for_update(of=("self",))
    rotation = rotations.filter(new_id=certificate.pk, state=RotationState.OVERLAP).first()
    if rotation is not None:
        supersede(actor, rotation, AttemptOutcome.PROVED, "The device proved the new certificate.")
    return True


def supersede(actor: Actor, rotation: Rotation, outcome: AttemptOutcome, reason: str) -> None:
    """End an overlap, under the lock on the device: the old certificate is revoked, the rotation is done."""
    ledger.finish(actor, rotation, outcome, reason)
    for old in Certificate.objects.filter(pk=rotation.old_id, state__in=ENDABLE):
        ending.revoke(actor, old, RevocationReason.SUPERSEDED, why=reason)


def _find(actor: Actor, certificate_id: str) -> Certificate:
    rows = Certificate.objects.visible_to(actor).issued().select_related("device")
    certificate = rows.named(certificate_id).first()
    require_own_device(actor, certificate.device_id if certificate else None)
    if certificate is None:
        raise NotFound("There is no such certificate.")
    if not (certificate.is_live(clock.now()) and certificate.device.is_active):
        raise InvalidState("This certificate is not valid now.", code="certificate-not-live", state=certificate.state)
    return certificate
