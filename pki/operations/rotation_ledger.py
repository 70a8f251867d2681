"""The ledger of rotations: each step a row with its reason, in the transaction that takes the step.

Everything here runs inside the caller's transaction, under its lock on the device.
"""

from datetime import datetime
from uuid import UUID

from pki.models import AttemptOutcome, Certificate, Rotation, RotationAttempt
from pki.states import CertificateState, RevocationReason, RotationState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

LONGEST = 200
SUPERSEDED = "A newer certificate was issued."


def note(
    rotation: Rotation, outcome: AttemptOutcome, reason: str = "", *, next_try_at: datetime | None = None
) -> None:
    """Write one line of the ledger."""
    RotationAttempt.objects.create(
        rotation=rotation, at=clock.now(), outcome=outcome, reason=reason[:LONGEST], next_try_at=next_try_at
    )


def close(
    actor: Actor, rotation: Rotation, state: RotationState, outcome: AttemptOutcome, event: Event, reason: str
) -> None:
    """End a rotation, and say why in the ledger and in the log."""
    before = rotation.move_to(state)
    rotation.closed_at = clock.now()
    rotation.last_reason = reason[:LONGEST]
    rotation.save(update_fields=["state", "closed_at", "last_reason"])
    note(rotation, outcome, reason)
    record(actor, event, rotation, before, reason)


def record(actor: Actor, event: Event, rotation: Rotation, before: RotationState | None, reason: str = "") -> None:
    """Write an event about a rotation."""
    audit.record(
        actor,
        event,
        rotation,
        before=None if before is None else {"rotation_state": before.value},
        after={"rotation_state": rotation.state},
        reason=reason,
        details=details_of(rotation),
    )


def details_of(rotation: Rotation) -> dict[str, str]:
    """What every event about a rotation names."""
    new = {"new_certificate": str(rotation.new_id)} if rotation.new_id else {}
    return {"device": str(rotation.device_id), "certificate": str(rotation.old_id), **new}


def settle_with(actor: Actor, certificate: Certificate) -> None:
    """A certificate was stored: whatever rotation is open at its device is settled with it, whoever asked for it.

    The one that was to bring it goes on to the overlap; one whose certificate is replaced before it was proved ends.
    """
    rotation = _open(device_id=certificate.device_id)
    if rotation is None:
        return
    if rotation.state == RotationState.OVERLAP:
        finish(actor, rotation, AttemptOutcome.ENDED, SUPERSEDED)
        return
    before = rotation.move_to(RotationState.OVERLAP)
    rotation.new = certificate
    rotation.renewed_at = clock.now()
    rotation.last_reason = ""
    rotation.save(update_fields=["state", "new", "renewed_at", "last_reason"])
    note(rotation, AttemptOutcome.ISSUED)
    record(actor, Event.ROTATION_RENEWED, rotation, before)
    if not Certificate.objects.filter(pk=rotation.old_id, state=CertificateState.OVERLAP).exists():
        finish(actor, rotation, AttemptOutcome.ENDED, "The old certificate is not valid any more.")


def ended(actor: Actor, certificate: Certificate) -> None:
    """A certificate was revoked or put on hold: what that means for the rotation that is open at its device.

    Of two that are held with their device nothing is lost: the rotation waits with them. An old one that is
    superseded ends the overlap; before that it means that a newer one is being stored, which settles it.
    """
    rotation = _open(device_id=certificate.device_id)
    if rotation is None or certificate.pk not in {rotation.old_id, rotation.new_id}:
        return
    if certificate.revocation_reason == RevocationReason.SUPERSEDED and rotation.state != RotationState.OVERLAP:
        return
    why = CertificateState(certificate.state).label.lower()
    if rotation.state != RotationState.OVERLAP:
        cancel(actor, rotation, f"The certificate is {why}.")
    elif certificate.state != CertificateState.ON_HOLD:
        if certificate.pk == rotation.old_id:
            finish(actor, rotation, AttemptOutcome.ENDED, f"The old certificate is {why}.")
        else:
            cancel(actor, rotation, f"The new certificate is {why}.")


def cancel(actor: Actor, rotation: Rotation, reason: str) -> None:
    """Nothing is left to renew."""
    close(actor, rotation, RotationState.CANCELLED, AttemptOutcome.CANCELLED, Event.ROTATION_CANCELLED, reason)


def finish(actor: Actor, rotation: Rotation, outcome: AttemptOutcome, reason: str) -> None:
    """Only one certificate is left."""
    close(actor, rotation, RotationState.DONE, outcome, Event.ROTATION_DONE, reason)


def give_up(actor: Actor, rotation: Rotation, reason: str) -> None:
    """It is too late. Staff look at it."""
    close(actor, rotation, RotationState.FAILED, AttemptOutcome.GIVEN_UP, Event.ROTATION_FAILED, reason)


def _open(*, device_id: UUID) -> Rotation | None:
    return Rotation.objects.open().select_for_update(of=("self",)).filter(device_id=device_id).first()
