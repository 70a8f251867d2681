"""Changing what a device is described by: only what differs is set, and one event tells of all of it."""

from collections.abc import Mapping

from devices.models import Device
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict

type Changes = dict[str, tuple[object, object]]
"""Field → (before, after)."""


def apply(device: Device, values: Mapping[str, str]) -> Changes:
    """Set those of `values` that differ, on the row in hand. Raises Conflict `nickname-not-unique`."""
    changes: Changes = {
        name: (getattr(device, name), value) for name, value in values.items() if getattr(device, name) != value
    }
    for name, (_, value) in changes.items():
        if name != "nickname":
            setattr(device, name, value)
    if "nickname" in changes:
        device.set_nickname(values["nickname"])
        if device.nickname_taken():
            raise Conflict("Another of your devices has this nickname.", code="nickname-not-unique")
    return changes


def save_changes(actor: Actor, device: Device, changes: Changes) -> Device:
    """Save the locked row and write the event. Nothing differs: nothing is written."""
    if not changes:
        return device
    device.updated_at = clock.now()
    device.save()
    audit.record(
        actor,
        Event.DEVICE_UPDATED,
        device,
        before={name: before for name, (before, _) in changes.items()},
        after={name: after for name, (_, after) in changes.items()},
    )
    return device
