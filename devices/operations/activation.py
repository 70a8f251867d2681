"""Switching devices on and off.

`owned_only`: cards and tokens of the bank are unknown to the call, as they always are to a customer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from devices import policies
from devices.models import Device
from devices.operations.cascade import Ending, end_access
from devices.operations.facts import check_text
from devices.operations.notices import tell_owner
from devices.policies import Verdict
from devices.states import DeviceStatus, HeldBy
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor


@dataclass(frozen=True)
class Change:
    """The device after the call, whether the call changed it, and how many live sessions really ended."""

    device: Device
    changed: bool
    at: datetime
    sessions_terminated: int = 0


@transaction.atomic
def activate_device(*, actor: Actor, device_id: str, reason: str = "") -> Change:
    """Let a device use banking services. An active device stays as it is. Ended sessions stay ended.

    reason: up to 500 characters; staff must give one. Raises NotFound, Forbidden, InvalidState, and Conflict
    `needs-second-person` for a device that the bank blocked.
    """
    return _switch_on(actor, device_id, reason, policies.may_activate, policies.activate)


@transaction.atomic
def unblock_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Undo a block. A customer undoes only the owner's own; for everybody else it is `activate_device`."""
    return _switch_on(actor, device_id, reason, policies.may_unblock, policies.unblock, owned_only)


@transaction.atomic
def deactivate_device(*, actor: Actor, device_id: str, reason: str = "") -> Change:
    """Switch a device off until it is activated again, and end its sessions in the same transaction.

    An inactive device stays as it is, but one that its owner switched off becomes the bank's when the bank says so
    too. reason: up to 500 characters; staff must give one. Raises NotFound, Forbidden, InvalidState.
    """
    return _switch_off(actor, device_id, reason, DeviceStatus.INACTIVE)


@transaction.atomic
def block_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Block a device and end its sessions in the same transaction. Repeats and reasons as in `deactivate_device`."""
    return _switch_off(actor, device_id, reason, DeviceStatus.BLOCKED, owned_only)


@transaction.atomic
def unregister_device(*, actor: Actor, device_id: str, reason: str = "", owned_only: bool = False) -> Change:
    """Retire a device for good, end its sessions and forget its push handle. A retired device stays as it is.

    Its external identifier may then be registered anew. Raises NotFound, Forbidden, InvalidState.
    """
    device, reason = _locked(actor, device_id, reason, policies.may_unregister, owned_only)
    policies.unregister(actor, device).require()
    now = clock.now()
    if device.status == DeviceStatus.RETIRED:
        return Change(device, False, device.retired_at or now)
    held_by = device.held_by
    before = device.move_to(DeviceStatus.RETIRED)
    device.retired_at = now
    device.set_push_handle("", "", None)
    ended = end_access(device)
    _save(
        device,
        now,
        "retired_at",
        "push_platform",
        "push_handle_sealed",
        "push_handle_index",
        "push_expires_at",
    )
    _record(actor, Event.DEVICE_UNREGISTERED, device, before, held_by, reason, ended)
    tell_owner(device, "unregistered")
    return Change(device, True, now, ended.sessions)


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
    owned_only: bool = False,
) -> Change:
    device, reason = _locked(actor, device_id, reason, may, owned_only)
    policy(actor, device).require()
    now = clock.now()
    if device.status == DeviceStatus.ACTIVE:
        return Change(device, False, device.updated_at)
    unblocked = device.status == DeviceStatus.BLOCKED
    held_by = device.held_by
    before = device.move_to(DeviceStatus.ACTIVE)
    device.activated_at = now
    _save(device, now, "activated_at")
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
    held_by = device.held_by
    if device.status == status:
        before, device.held_by = DeviceStatus(device.status), holder
    else:
        before = device.move_to(status, held_by=holder)
        device.switched_off_at = now
    ended = end_access(device)
    _save(device, now, "switched_off_at")
    event = Event.DEVICE_BLOCKED if blocking else Event.DEVICE_DEACTIVATED
    _record(actor, event, device, before, held_by, reason, ended)
    if not actor.is_customer:
        tell_owner(device, "blocked" if blocking else "deactivated")
    return Change(device, True, now, ended.sessions)


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
