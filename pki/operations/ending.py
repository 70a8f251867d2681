"""The one place where a certificate stops being good, and where a held one is let go on.

Everything here runs inside the caller's transaction, under its lock on the device.
"""

from datetime import datetime

from pki.models import BlockedKey, Certificate, OcspAnswer, Rotation
from pki.states import LIVE, ROTATION_OPEN, CertificateState, RevocationReason, RotationState
from portal import jobs
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

ENDABLE = (*LIVE, CertificateState.ON_HOLD)


def revoke(actor: Actor, certificate: Certificate, reason: RevocationReason, *, why: str = "") -> bool:
    """Revoke for good. True at once: its stored OCSP answer is gone in the same transaction, and a CRL is on its way.

    A certificate that is revoked already keeps its date and reason (RFC 5280 5.3.2). Returns whether it changed.
    """
    if certificate.state not in ENDABLE:
        return False
    _end(actor, certificate, CertificateState.REVOKED, reason, clock.now(), why)
    return True


def hold(actor: Actor, certificate: Certificate, *, why: str = "") -> bool:
    """Put on hold (RFC 5280 5.3.1, certificateHold) until it is released or revoked. Returns whether it changed."""
    if certificate.state not in LIVE:
        return False
    _end(actor, certificate, CertificateState.ON_HOLD, RevocationReason.CERTIFICATE_HOLD, clock.now(), why)
    return True


def release(actor: Actor, certificate: Certificate, *, why: str = "") -> bool:
    """Let a held certificate go on. Returns whether it changed; one that ran out meanwhile stays as it is."""
    if certificate.state != CertificateState.ON_HOLD or certificate.not_after <= clock.now():
        return False
    before = certificate.move_to(CertificateState.ACTIVE)
    certificate.revoked_at, certificate.revocation_reason = None, ""
    _save(actor, certificate, before, Event.CERTIFICATE_RELEASED, why)
    return True


def block_key(fingerprint: str, reason: str) -> None:
    """Let nobody use a key again, in any bank. A repeat keeps the first reason."""
    values = {"reason": reason[:500], "blocked_at": clock.now()}
    BlockedKey.objects.get_or_create(fingerprint=fingerprint, defaults=values)


def _end(
    actor: Actor,
    certificate: Certificate,
    state: CertificateState,
    reason: RevocationReason,
    at: datetime,
    why: str,
) -> None:
    before = certificate.move_to(state)
    certificate.revoked_at = certificate.revoked_at or at
    certificate.revocation_reason = reason
    if reason == RevocationReason.KEY_COMPROMISE:
        block_key(certificate.key_fingerprint, why)
    event = Event.CERTIFICATE_HELD if state == CertificateState.ON_HOLD else Event.CERTIFICATE_REVOKED
    _save(actor, certificate, before, event, why)
    if certificate.replaced_by.exists() or reason == RevocationReason.SUPERSEDED:
        return  # the rotation that brought it about goes on
    Rotation.objects.filter(old=certificate, state__in=ROTATION_OPEN).update(
        state=RotationState.CANCELLED, closed_at=at, last_reason=f"the certificate is {state.label.lower()}"
    )


def _save(actor: Actor, certificate: Certificate, before: CertificateState, event: Event, why: str) -> None:
    certificate.save(update_fields=["state", "revoked_at", "revocation_reason"])
    OcspAnswer.objects.filter(certificate=certificate).delete()
    audit.record(
        actor,
        event,
        certificate,
        before={"state": before.value},
        after={"state": certificate.state, "reason": certificate.revocation_reason},
        reason=why,
        details={"device": str(certificate.device_id), "serial": certificate.serial},
    )
    jobs.ring("pki.publish_crl", certificate.authority_id)
