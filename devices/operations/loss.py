"""Lost devices: reported by one person at once, found again by two within a day."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from devices.models import Device
from devices.operations.cascade import Cut, Ending, end_access
from devices.operations.facts import check_text
from devices.operations.notices import tell_owner
from devices.policies import loss as policies
from devices.states import DeviceStatus, HeldBy
from pki.operations import following
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

NOTHING: Ending = Ending({"sessions": 0})


@dataclass(frozen=True)
class Loss:
    """The device after the call, whether the call changed it, when, and what really ended."""

    device: Device
    changed: bool
    at: datetime
    ended: Ending = NOTHING


@transaction.atomic
def report_lost(*, actor: Actor, device_id: str, reason: str = "", category: str = "") -> Loss:
    """Block a lost or stolen device for the bank, and end everything that hangs on it, in one transaction.

    It takes effect at once and waits for nobody. A device that is reported lost already stays as it is. reason: up to
    500 characters; staff must give one. category: `owned` or `issued`; devices of the other one are then unknown to
    the call. Its PIN is gone even if the report is undone. Raises NotFound, Forbidden, InvalidInput, InvalidState.
    """
    policies.may_report_lost(actor).require()
    reason = check_text("reason", reason, required=actor.is_staff)
    devices = Device.objects.visible_to(actor)
    if category:
        devices = devices.filter(category=category)
    device = devices.select_related("owner").for_change(device_id, actor.bank_id)
    policies.report_lost(actor, device).require()
    if device.lost_at:
        return Loss(device, False, device.lost_at)
    before = _state(device)
    now = device.lost_at = clock.now()
    device.held_before_loss = device.held_by
    if device.status == DeviceStatus.BLOCKED:
        device.held_by = HeldBy.BANK
    else:
        device.move_to(DeviceStatus.BLOCKED, held_by=HeldBy.BANK)
        device.switched_off_at = now
    ended = end_access(actor, device, Cut.LOST)
    _save(device, now)
    details = {"ended": ended.counts}
    audit.record(
        actor, Event.DEVICE_LOST, device, before=before, after=_state(device), reason=reason, details=details
    )
    tell_owner(device, "lost")
    return Loss(device, True, now, ended)


def after_undo(device: Device) -> str:
    """What undoing the report would make of a lost device, in words."""
    if device.held_before_loss == HeldBy.BANK:
        return f"{device} stays blocked: the bank had switched it off before it was reported lost."
    if device.activated_at is None:
        return f"{device} waits for its activation again, as before it was reported lost."
    return f"{device} may use banking services again. Ended sessions stay ended, and its PIN is gone."


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).get_named(arguments["device_id"], actor.bank_id)
    return [(None, after_undo(device))]


def _facts(loss: Loss) -> dict[str, object]:
    return {"device_id": loss.device.public_id, "status": loss.device.status}


@four_eyes(
    FourEyes(
        name=policies.UNDO,
        label="Undo a loss report",
        always="A loss report is always undone by two people, within 24 hours.",
        optional=False,
        names=lambda device: {"device_id": device.public_id},
        preview=_preview,
        facts=_facts,
    )
)
@transaction.atomic
def undo_loss(*, actor: Actor, device_id: str, reason: str = "") -> Loss:
    """Let a device back that was reported lost by mistake. Always takes a second person.

    It is active again, or pending if it never was; what the bank had switched off before stays blocked. Sessions stay
    ended and the PIN stays removed. reason: up to 500 characters; staff must give one. Raises NotFound, Forbidden,
    InvalidInput, InvalidState (`device-not-lost`; `loss-final` after 24 hours), ApprovalRequired.
    """
    policies.may_undo_loss(actor).require()
    reason = check_text("reason", reason, required=actor.is_staff)
    device = Device.objects.visible_to(actor).select_related("owner").for_change(device_id, actor.bank_id)
    policies.undo_loss(actor, device).require()
    before, now = _state(device), clock.now()
    if device.held_before_loss != HeldBy.BANK:
        _let_back(device, now)
    device.lost_at, device.held_before_loss = None, HeldBy.NOBODY
    _save(device, now)
    if device.is_active:
        following.release_all(actor, device)
    audit.record(actor, Event.DEVICE_FOUND, device, before=before, after=_state(device), reason=reason)
    tell_owner(device, "found")
    return Loss(device, True, now)


def _let_back(device: Device, now: datetime) -> None:
    if device.activated_at is None:
        device.move_to(DeviceStatus.PENDING)
    else:
        device.move_to(DeviceStatus.ACTIVE)
        device.activated_at = now


def _state(device: Device) -> dict[str, object]:
    return {"status": device.status, "held_by": device.held_by, "lost": device.lost_at is not None}


def _save(device: Device, now: datetime) -> None:
    device.updated_at = now
    device.save(
        update_fields=[
            "status",
            "held_by",
            "lost_at",
            "held_before_loss",
            "activated_at",
            "switched_off_at",
            "updated_at",
        ]
    )
