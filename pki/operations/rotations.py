"""Asking for a rotation. What is asked for is a row; `rotation_work` carries it out."""

from datetime import datetime
from typing import Final

from devices.models import Device
from pki.certificate_policies import issuing_authority
from pki.models import Certificate, CertificateAuthority, Rotation, RotationType
from pki.operations.rotation_ledger import record
from pki.policies import require_own_device, require_rotate
from pki.rotation_schedule import window_opens
from portal import jobs
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState, NotFound
from portal.races import retried_on_conflict

BATCH_TASK: Final = "pki.rotate_batch"


@retried_on_conflict  # the sweep plans without the device's lock
def rotate_certificate(
    *, actor: Actor, device_id: str, rotation_type: str = RotationType.AUTOMATIC, force: bool = False
) -> Rotation:
    """Renew a device's certificate. A worker does it; the old one stays good until the device has the new one.

    device_id: any of its ids; a token that is bound to a device only names that one. rotation_type: a
    `RotationType`, as the caller calls it. force: also before the renewal window. A rotation that is open already is
    returned as it is. Raises InvalidInput, Forbidden, NotFound, InvalidState (`device-not-active`, `no-certificate`,
    `not-due`, `no-authority`).
    """
    require_rotate(actor)
    if rotation_type not in RotationType.values:
        raise InvalidInput.at("rotation_type", "unknown-enum", f"One of: {', '.join(RotationType.values)}.")
    device = device_to_rotate(actor, device_id)
    if open_one := open_rotation(device):
        return open_one
    old = certificate_to_rotate(device, early=force)
    rotation = plan(device, old, issuing_authority(device.bank_id), RotationType(rotation_type))
    rotation.save(force_insert=True)
    record(actor, Event.ROTATION_PLANNED, rotation, None)
    jobs.ring(BATCH_TASK, rotation.pk)
    return rotation


def device_to_rotate(actor: Actor, device_id: str) -> Device:
    """The device, locked. A token that is bound to one speaks for that only.

    Raises NotFound, Forbidden `token-bound-elsewhere`.
    """
    visible = Device.objects.visible_to(actor).owned().select_for_update(of=("self",))
    device = visible.named(device_id, actor.bank_id).first()
    require_own_device(actor, device.pk if device else None)
    if device is None:
        raise NotFound("There is no such device.")
    return device


def open_rotation(device: Device) -> Rotation | None:
    """The rotation that is open at a device, with its certificates. One query."""
    return Rotation.objects.open().filter(device=device).select_related("device", "old", "new").first()


def certificate_to_rotate(device: Device, *, early: bool) -> Certificate:
    """The certificate that a device uses now, where it may be renewed. Raises InvalidState."""
    if not device.is_active:
        raise InvalidState("This device is not active.", code="device-not-active", status=device.status)
    certificate = Certificate.objects.current().filter(device=device).first()
    if certificate is None:
        raise InvalidState("This device has no certificate to renew.", code="no-certificate")
    opens = window_opens(certificate.not_before, certificate.not_after)
    if not early and clock.now() < opens:
        raise InvalidState(
            f"It is renewed in the last third of its life, from {clock.rfc3339(opens)} on.",
            code="not-due",
            renews_from=clock.rfc3339(opens),
        )
    return certificate


def plan(
    device: Device,
    old: Certificate,
    authority: CertificateAuthority,
    kind: RotationType,
    at: datetime | None = None,
) -> Rotation:
    """The row of a rotation that is to begin now, not saved. authority: the one that issues for the bank."""
    now = at or clock.now()
    return Rotation(
        bank_id=device.bank_id,
        authority=authority,
        device=device,
        old=old,
        type=kind,
        planned_at=now,
        next_try_at=now,
        due_at=old.not_after,
    )
