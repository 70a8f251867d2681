"""What time brings about: rotations are planned, devices are asked again, overlaps end, certificates run out."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from devices.states import DeviceStatus
from pki.models import AttemptOutcome, Certificate, CertificateAuthority, Rotation, RotationType
from pki.operations import ending
from pki.operations import rotation_ledger as ledger
from pki.operations.locks import lock_device
from pki.operations.rotation_notices import ask_for_key
from pki.operations.rotation_proof import supersede
from pki.operations.rotations import plan
from pki.rotation_schedule import LAST_MOMENT, next_reminder
from pki.states import CaRole, CaState, CertificateState, RevocationReason, RotationState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor

PLANNED_AT_ONCE: Final = 500
SWEPT_AT_ONCE: Final = 500
NEWER: Final = (CertificateState.ACTIVE, CertificateState.ON_HOLD)

log = logging.getLogger(__name__)


def plan_rotations() -> int:
    """Open a rotation for each certificate whose slot has come. A repeat finds none. Returns how many."""
    issuing = CertificateAuthority.objects.filter(role=CaRole.ISSUING, state=CaState.ACTIVE)
    authorities = {one.bank_id: one for one in issuing if one.bank_id is not None}
    planned = 0
    while due := list(_due().filter(bank_id__in=authorities)[:PLANNED_AT_ONCE]):
        rotations = [plan(one.device, one, authorities[one.bank_id], RotationType.AUTOMATIC) for one in due]
        planned += _store(rotations)
        if len(due) < PLANNED_AT_ONCE:
            break
    return planned


def _due() -> QuerySet[Certificate]:
    """Certificates in use whose slot has come, without those that are on their way or were given up."""
    now = clock.now()
    in_use = Certificate.objects.filter(
        state=CertificateState.ACTIVE,
        renew_at__lte=now,
        not_after__gt=now + LAST_MOMENT,
        device__status=DeviceStatus.ACTIVE,
    )
    on_its_way = Rotation.objects.open().filter(device_id=OuterRef("device_id"))
    given_up = Rotation.objects.filter(old_id=OuterRef("pk"), state=RotationState.FAILED)
    return in_use.filter(~Exists(on_its_way), ~Exists(given_up)).select_related("device").order_by("renew_at")


def _store(rotations: list[Rotation]) -> int:
    """All in one statement; one by one where somebody asked for one of them meanwhile."""
    try:
        _insert(rotations)
    except IntegrityError:
        return sum(_inserted(rotation) for rotation in rotations)
    return len(rotations)


@transaction.atomic
def _insert(rotations: list[Rotation]) -> None:
    Rotation.objects.bulk_create(rotations)
    AuditEvent.objects.bulk_create(
        audit.prepared(
            Actor.system("pki.plan_rotations", bank_id=rotation.bank_id),
            Event.ROTATION_PLANNED,
            rotation,
            after={"rotation_state": rotation.state},
            details=ledger.details_of(rotation),
        )
        for rotation in rotations
    )


def _inserted(rotation: Rotation) -> bool:
    try:
        _insert([rotation])
    except IntegrityError:
        return False
    return True


def end_overlaps() -> int:
    """Revoke old certificates whose overlap is over. Returns how many overlaps ended.

    Where the newer certificate is gone meanwhile, the old one is the device's only one: it is its current one again.
    While the newer one is on hold, the old one is all the device has, and stays.
    """
    newer = Certificate.objects.filter(device_id=OuterRef("device_id"), state__in=NEWER)
    in_use = newer.filter(state=CertificateState.ACTIVE)
    overlapping = Certificate.objects.filter(state=CertificateState.OVERLAP)
    over = overlapping.filter(Q(Exists(in_use), overlap_until__lte=clock.now()) | ~Exists(newer))
    return _each(over.order_by("overlap_until"), _end_overlap)


@transaction.atomic
def _end_overlap(certificate: Certificate) -> bool:
    lock_device(certificate.device_id)
    old = Certificate.objects.filter(pk=certificate.pk, state=CertificateState.OVERLAP).first()
    if old is None or old.overlap_until is None:
        return False
    actor = Actor.system("pki.end_overlaps", bank_id=old.bank_id)
    newer = set(Certificate.objects.filter(device_id=old.device_id, state__in=NEWER).values_list("state", flat=True))
    if not newer:
        old.move_to(CertificateState.ACTIVE)
        old.overlap_until = None
        old.save(update_fields=["state", "overlap_until"])
        details = {"device": str(old.device_id), "serial": old.serial}
        audit.record(actor, Event.CERTIFICATE_RELEASED, old, reason="The newer certificate is gone.", details=details)
        return True
    if CertificateState.ACTIVE not in newer or old.overlap_until > clock.now():
        return False
    rotation = _overlapping(old)
    if rotation is not None:
        supersede(actor, rotation, AttemptOutcome.ENDED, "The overlap is over.")
    else:
        ending.revoke(actor, old, RevocationReason.SUPERSEDED, why="The overlap is over.")
    return True


def close_late() -> int:
    """End the rotations whose old certificate ran out. Returns how many."""
    now = clock.now()
    signing = Q(state=RotationState.SIGNING, claim_until__gt=now)
    late = Rotation.objects.open().exclude(signing).filter(due_at__lte=now)
    return _each(late.order_by("due_at"), _close_late)


@transaction.atomic
def _close_late(late: Rotation) -> bool:
    lock_device(late.device_id)
    rotation = _still(late)
    if rotation is None:
        return False
    actor = Actor.system("pki.end_overlaps", bank_id=rotation.bank_id)
    if rotation.state == RotationState.OVERLAP:
        ledger.finish(actor, rotation, AttemptOutcome.ENDED, "The old certificate ran out.")
    elif rotation.state == RotationState.AWAITING_DEVICE:
        ledger.give_up(actor, rotation, "The device sent no new key in time.")
    else:
        ledger.give_up(actor, rotation, "The certificate ran out before it was renewed.")
    return True


def remind_devices() -> int:
    """Ask devices again that owe a new key. Returns how many."""
    due = Rotation.objects.filter(state=RotationState.AWAITING_DEVICE, next_try_at__lte=clock.now())
    return _each(due.filter(due_at__gt=clock.now()).order_by("next_try_at"), _remind)


@transaction.atomic
def _remind(due: Rotation) -> bool:
    lock_device(due.device_id)
    rotation = _still(due)
    if rotation is None or rotation.state != RotationState.AWAITING_DEVICE or rotation.next_try_at > clock.now():
        return False
    rotation.next_try_at = next_reminder(clock.now(), rotation.due_at)
    rotation.save(update_fields=["next_try_at"])
    told = ask_for_key(rotation)
    reason = "" if told else "Nobody could be told: the device takes no push, and its owner has no contact on file."
    ledger.note(rotation, AttemptOutcome.REMINDED, reason, next_try_at=rotation.next_try_at)
    return True


def _overlapping(old: Certificate) -> Rotation | None:
    rows = Rotation.objects.select_for_update(of=("self",))
    return rows.filter(old_id=old.pk, state=RotationState.OVERLAP).first()


def _still(rotation: Rotation) -> Rotation | None:
    rows = Rotation.objects.open().select_for_update(of=("self",)).select_related("device__owner")
    return rows.filter(pk=rotation.pk).first()


def _each[M: (Certificate, Rotation)](rows: Iterable[M], settle: Callable[[M], bool]) -> int:
    """Each in a transaction of its own. One that fails is logged and does not stop the others."""
    done = 0
    for row in list(rows)[:SWEPT_AT_ONCE]:
        try:
            done += settle(row)
        except Exception:
            log.exception("a sweep of rotations failed at a row", extra={"row": str(row.pk)})
    return done
