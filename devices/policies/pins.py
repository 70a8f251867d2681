"""Who may do what to a device's PIN. Staff never set one: they start a reset, and its owner sets the new PIN."""

from devices.models import Device
from devices.policies.verdicts import YES, Verdict, capability_of, first_no
from devices.states import DeviceStatus
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState


def may_use(actor: Actor) -> Verdict:
    """A PIN is its owner's own, whoever else may do what to the device."""
    if actor.is_customer:
        return YES
    return Verdict(Forbidden("A PIN is for the device's owner alone.", code="customer-only"))


def use(actor: Actor, device: Device) -> Verdict:
    """On an active device."""
    return first_no(may_use(actor), _active(device))


def may_start_reset(actor: Actor) -> Verdict:
    """A person of the bank with the right to."""
    if actor.is_staff or actor.is_system:
        return capability_of(actor, Capability.PINS_RESET)
    return Verdict(Forbidden("Staff start a reset for an owner.", code="staff-only"))


def start_reset(actor: Actor, device: Device) -> Verdict:
    """On an active device."""
    return first_no(may_start_reset(actor), _active(device))


def _active(device: Device) -> Verdict:
    if device.status == DeviceStatus.ACTIVE:
        return YES
    return Verdict(InvalidState("This device is not active.", code="device-not-active", status=device.status))
