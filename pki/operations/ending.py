"""The one place where a certificate stops being good, and where a held one is let go on.

Everything here runs inside the caller's transaction, under its lock on the device.
"""

from datetime import datetime, timedelta
from typing import Final

from pki.models import BlockedKey, Certificate, CrlChange, OcspAnswer
from pki.operations import rotation_ledger
from pki.states import (
    CERTIFICATE_TRANSITIONS,
    ENDABLE,
    LIVE,
    CertificateState,
    RevocationReason,
    states_before,
)
from portal import jobs
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

HELD_FOR: Final = timedelta(days=2)  # after its end a held certificate stays on its CRL; a list lives for a day


def revoke(actor: Actor, certificate: Certificate, reason: RevocationReason, *, why: str = "") -> bool:
    """Revoke for good. True at once: its stored OCSP answer is gone in the same transaction, and a CRL is on its way.

    A certificate that is revoked already keeps its date and reason (RFC 5280 5.3.2). Returns whether it changed.
    """
    if certificate.state not in ENDABLE:
        return False
    _end(actor, certificate, CertificateState.REVOKED, reason, clock.now(), why)
    return True


def hold(actor: Actor, certificate: Certificate, *, why: str = "", apart: bool = False) -> bool:
    """Put on hold (RFC 5280 5.3.1, certificateHold) until it is released or revoked. Returns whether it changed.

    apart: by itself, not with its device. Switching the device on does not release it then.
    """
    if certificate.state == CertificateState.ON_HOLD and apart and not certificate.held_apart:
        certificate.held_apart = True
        _note_hold(actor, certificate, why)
        return True
    if certificate.state not in LIVE:
        return False
    certificate.held_apart = apart
    _end(actor, certificate, CertificateState.ON_HOLD, RevocationReason.CERTIFICATE_HOLD, clock.now(), why)
    return True


def release(actor: Actor, certificate: Certificate, *, why: str = "") -> bool:
    """Let a held certificate go on as what it was: the valid one, or the older of two. Returns whether it changed.

    The older of two that has no time left beside the newer one, or whose newer one was proved meanwhile, is revoked
    as superseded. One that ran out stays as it is.
    """
    now = clock.now()
    if certificate.state != CertificateState.ON_HOLD or certificate.not_after <= now:
        return False
    if _is_replaced(certificate):
        return revoke(actor, certificate, RevocationReason.SUPERSEDED, why="A newer certificate is in use.")
    if certificate.overlap_until is None:
        state = CertificateState.ACTIVE
    elif certificate.overlap_until <= now or certificate.replaced_by.filter(proved_at__isnull=False).exists():
        return revoke(actor, certificate, RevocationReason.SUPERSEDED, why="The newer certificate is in use.")
    else:
        state = CertificateState.OVERLAP
    before = certificate.move_to(state)
    certificate.revoked_at, certificate.revocation_reason, certificate.held_apart = None, "", False
    _save(actor, certificate, before, Event.CERTIFICATE_RELEASED, why)
    return True


def _is_replaced(certificate: Certificate) -> bool:
    """Whether another one took the place of one that was held while its device went on."""
    others = Certificate.objects.filter(device_id=certificate.device_id, state=CertificateState.ACTIVE)
    return certificate.overlap_until is None and others.exists()


def leave_to_device(actor: Actor, certificate: Certificate, *, why: str = "") -> bool:
    """From now on a held certificate comes back with its device. Returns whether it changed."""
    if certificate.state != CertificateState.ON_HOLD or not certificate.held_apart:
        return False
    certificate.held_apart = False
    _note_hold(actor, certificate, why)
    return True


def block_key(fingerprint: str, reason: str) -> bool:
    """Let nobody use a key again, in any bank. A repeat keeps the first reason. Returns whether it is new."""
    values = {"reason": reason[:500], "blocked_at": clock.now()}
    return BlockedKey.objects.get_or_create(fingerprint=fingerprint, defaults=values)[1]


def expire() -> int:
    """Mark what ran out; the sweep's work. Returns how many. Nothing is written to the log: the date did it.

    What is on hold stays until its entry has left the CRL (RFC 5280 3.3: not before one list after its end).
    The one place that goes around `move_to`: one statement for them all, which takes only what the table lets expire.
    """
    now = clock.now()
    states = set(states_before(CERTIFICATE_TRANSITIONS, CertificateState.EXPIRED))
    at_once = sorted(states - {CertificateState.ON_HOLD})
    over = Certificate.objects.filter(state__in=at_once, not_after__lte=now)
    later = sorted(states - set(at_once))
    held = Certificate.objects.filter(state__in=later, not_after__lte=now - HELD_FOR)
    return sum(rows.update(state=CertificateState.EXPIRED) for rows in (over, held))


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
    rotation_ledger.ended(actor, certificate)


def _save(actor: Actor, certificate: Certificate, before: CertificateState, event: Event, why: str) -> None:
    """The certificate first: whoever stores an answer holds its row, so the answer is there to delete or never is."""
    certificate.save(update_fields=["state", "revoked_at", "revocation_reason", "held_apart"])
    OcspAnswer.objects.filter(certificate=certificate).delete()
    CrlChange.objects.create(authority_id=certificate.authority_id, made_at=clock.now())
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
    jobs.ring("pki.presign", certificate.pk)


def _note_hold(actor: Actor, certificate: Certificate, why: str) -> None:
    """Whose hold it is, for a certificate that stays on hold. Nothing that the world is told changes."""
    certificate.save(update_fields=["held_apart"])
    audit.record(
        actor,
        Event.CERTIFICATE_HELD,
        certificate,
        before={"apart": not certificate.held_apart},
        after={"apart": certificate.held_apart},
        reason=why,
        details={"device": str(certificate.device_id), "serial": certificate.serial},
    )
