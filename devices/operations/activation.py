"""Switching devices on and off.

`owned_only`: cards and tokens of the bank are unknown to the call, as they always are to a customer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from devices import policies
from devices.models import PUSH_FIELDS, Device
from devices.operations.cascade import Cut, Ending, end_access, preview
from devices.operations.facts import check_text
from devices.operations.notices import tell_owner
from devices.policies.verdicts import Verdict
from devices.states import DeviceStatus, HeldBy
from pki.operations import following
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor


@dataclass(frozen=True)
class Change:
    """The device after the call, whether the call changed it, how many live sessions and what else really ended."""

    device: Device
    changed: bool
    at: datetime
    sessions_terminated: int = 0
    ended: Ending | None = None


def _named(device: Device) -> dict[str, object]:
    return {"device_id": device.public_id}


def facts_of(change: Change) -> dict[str, object]:
    """What whoever asked for a second person is told of the change."""
    return {
        "device_id": change.device.public_id,
        "status": change.device.status,
        "changed": change.changed,
        "sessions_terminated": change.sessions_terminated,
    }


def _preview_on(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).get_named(arguments["device_id"], actor.bank_id)
    return [(None, f"{device} may use banking services again. Ended sessions stay ended.")]


def _preview_off(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).get_named(arguments["device_id"], actor.bank_id)
    return list(preview(device).lines)


def _preview_retire(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).get_named(arguments["device_id"], actor.bank_id)
    return [*preview(device, Cut.RETIRED).lines, (None, "Its identifier may be registered anew.")]


@four_eyes(
    FourEyes(
        name="device.activate",
        label="Activate a device",
        always="A device that the bank blocked always takes two people.",
        names=_named,
        preview=_preview_on,
        facts=facts_of,
    )
)
@transaction.atomic
def activate_device(*, actor: Actor, device_id: str, reason: str = "") -> Change:
    """Let a device use banking services. An active device stays as it is. Ended sessions stay ended.

    reason: up to 500 characters; staff must give one. Raises NotFound, Forbidden, InvalidState, and ApprovalRequired
    for a device that the bank blocked, or each time where the bank's policy says so.
    """
    return _switch_on(actor, device_id, reason, policies.may_activate, policies.activate)


def unblock_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Undo a block. A customer undoes only the owner's own; for everybody else it is `activate_device`."""
    if actor.is_customer:
        return _unblock_own(actor, device_id, reason)
    policies.may_unblock(actor).require()
    if owned_only:
        Device.objects.visible_to(actor).owned().get_named(device_id, actor.bank_id)
    return activate_device(actor=actor, device_id=device_id, reason=reason)


@transaction.atomic
def _unblock_own(actor: Actor, device_id: str, reason: str) -> Change:
    return _switch_on(actor, device_id, reason, policies.may_unblock, policies.unblock)


@four_eyes(
    FourEyes(
        name="device.deactivate",
        label="Deactivate a device",
        names=_named,
        preview=_preview_off,
        facts=facts_of,
    )
)
@transaction.atomic
def deactivate_device(*, actor: Actor, device_id: str, reason: str = "") -> Change:
    """Switch a device off until it is activated again, and end its sessions in the same transaction.

    An inactive device stays as it is, but one that its owner switched off becomes the bank's when the bank says so
    too. reason: up to 500 characters; staff must give one. Raises NotFound, Forbidden, InvalidState, and
    ApprovalRequired where the bank's policy says so.
    """
    return _switch_off(actor, device_id, reason, DeviceStatus.INACTIVE)


@transaction.atomic
def block_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Block a device and end its sessions in the same transaction. Repeats and reasons as in `deactivate_device`."""
    return _switch_off(actor, device_id, reason, DeviceStatus.BLOCKED, owned_only)


@four_eyes(
    FourEyes(
        name="device.unregister",
        label="Unregister a device",
        always="A device that the bank blocked always takes two people.",
        names=_named,
        preview=_preview_retire,
        facts=facts_of,
    )
)
@transaction.atomic
def unregister_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Retire a device for good, end its sessions and forget its push handle. A retired device stays as it is.

    Its external identifier may then be registered anew. Raises NotFound, Forbidden, InvalidState, and
    ApprovalRequired for a device that the bank blocked, or each time where the bank's policy says so.
    """
    device, reason = _locked(actor, device_id, reason, policies.may_unregister, owned_only)
    policies.unregister(actor, device).require()
    now = clock.now()
    if device.status == DeviceStatus.RETIRED:
        return Change(device, False, device.retired_at or now)
    require_by_policy(actor, "device.unregister", device)
    held_by = device.held_by
    before = device.move_to(DeviceStatus.RETIRED)
    device.retired_at = now
    ended = end_access(actor, device, Cut.RETIRED)
    _save(device, now, "retired_at", *PUSH_FIELDS)
    _record(actor, Event.DEVICE_UNREGISTERED, device, before, held_by, reason, ended)
    tell_owner(device, "unregistered")
    return Change(device, True, now, ended.sessions, ended)


def _locked(
    actor: Actor, device_id: str, reason: str, may: Callable[[Actor], Verdict], owned_only: bool
) -> tuple[Device, str]:
    may(actor).require()
    reason = check_text("reason", reason, required=actor.is_staff)
    devices = Device.objects.visible_to(actor)
    if owned_only or actor.is_customer:
        devices = devices.owned()
    return devices.select_related("owner").for_change(device_id, actor.bank_id), reason


def _switch_on(
    actor: Actor,
    device_id: str,
    reason: str,
    may: Callable[[Actor], Verdict],
    policy: Callable[[Actor, Device], Verdict],
) -> Change:
    device, reason = _locked(actor, device_id, reason, may, owned_only=False)
    policy(actor, device).require()
    now = clock.now()
    if device.status == DeviceStatus.ACTIVE:
        return Change(device, False, device.updated_at)
    require_by_policy(actor, "device.activate", device)
    unblocked = device.status == DeviceStatus.BLOCKED
    held_by = device.held_by
    before = device.move_to(DeviceStatus.ACTIVE)
    device.activated_at = now
    _save(device, now, "activated_at")
    following.release_all(actor, device)
    event = Event.DEVICE_UNBLOCKED if unblocked else Event.DEVICE_ACTIVATED
    _record(actor, event, device, before, held_by, reason)
    if not actor.is_customer:
        tell_owner(device, "activated")
    return Change(device, True, now)


def _switch_off(actor: Actor, device_id: str, reason: str, status: DeviceStatus, owned_only: bool = False) -> Change:
    blocking = status == DeviceStatus.BLOCKED
    may = policies.may_block if blocking else policies.may_deactivate
    device, reason = _locked(actor, device_id, reason, may, owned_only)
    (policies.block if blocking else policies.deactivate)(actor, device).require()
    now = clock.now()
    # What the bank holds stays the bank's, whatever the owner does afterwards.
    holder = HeldBy.OWNER if actor.is_customer and device.held_by != HeldBy.BANK else HeldBy.BANK
    if device.status == status and device.held_by == holder:
        return Change(device, False, device.switched_off_at or device.updated_at)
    if not blocking:  # a block is for emergencies: it never waits for anybody
        require_by_policy(actor, "device.deactivate", device)
    held_by = device.held_by
    if device.status == status:
        before, device.held_by = DeviceStatus(device.status), holder
    else:
        before = device.move_to(status, held_by=holder)
        device.switched_off_at = now
    ended = end_access(actor, device)
    _save(device, now, "switched_off_at")
    event = Event.DEVICE_BLOCKED if blocking else Event.DEVICE_DEACTIVATED
    _record(actor, event, device, before, held_by, reason, ended)
    if not actor.is_customer:
        tell_owner(device, "blocked" if blocking else "deactivated")
    return Change(device, True, now, ended.sessions, ended)


def _save(device: Device, now: datetime, *fields: str) -> None:
    device.updated_at = now
    device.save(update_fields=["status", "held_by", "updated_at", *fields])


def _record(
    actor: Actor,
    event: Event,
    device: Device,
    before: DeviceStatus,
    held_by: str,
    reason: str,
    ended: Ending | None = None,
) -> None:
    audit.record(
        actor,
        event,
        device,
        before={"status": before.value, "held_by": held_by},
        after={"status": device.status, "held_by": device.held_by},
        reason=reason,
        details={"ended": ended.counts} if ended else None,
    )
