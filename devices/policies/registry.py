"""Who may do what to a device.

`may_…` asks about the actor alone: it is asked before the device is looked up, so that its refusal is the same
whether or not there is such a device.
"""

from devices.models import Device
from devices.policies.issued import ready_to_use
from devices.policies.verdicts import YES, Verdict, capability_of, first_no
from devices.states import DeviceStatus, HeldBy, no_way
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, SecondPersonNeeded


def _state(device: Device, status: DeviceStatus) -> Verdict:
    return Verdict(no_way(DeviceStatus(device.status), status))


def _held_by_bank(device: Device) -> Verdict:
    if device.held_by != HeldBy.BANK:
        return YES
    return Verdict(
        InvalidState(
            "The bank has switched this device off; only the bank can switch it on.",
            code="device-status-not-valid",
        )
    )


def _blocked_by_bank(actor: Actor, device: Device, operation: str) -> Verdict:
    if device.status != DeviceStatus.BLOCKED or device.held_by != HeldBy.BANK or actor.approved_for(operation):
        return YES
    return Verdict(
        SecondPersonNeeded("This device is blocked and held by the bank. It takes a second person.", about=device)
    )


def _not_lost(device: Device) -> Verdict:
    if device.lost_at is None:
        return YES
    return Verdict(InvalidState("This device was reported lost. Undo the loss report instead.", code="device-lost"))


def may_activate(actor: Actor) -> Verdict:
    """Staff and the bank activate."""
    if actor.is_customer:
        return Verdict(Forbidden("A customer cannot activate a device.", code="customer-cannot-activate"))
    return capability_of(actor, Capability.DEVICES_ACTIVATE)


def activate(actor: Actor, device: Device) -> Verdict:
    """Staff and the bank activate; cards and tokens once they are delivered. A device that the bank blocked needs a
    second person."""
    may = may_activate(actor)
    if may.allowed and device.status == DeviceStatus.ACTIVE:
        return YES
    return first_no(
        may,
        _not_lost(device),
        _state(device, DeviceStatus.ACTIVE),
        ready_to_use(device),
        _blocked_by_bank(actor, device, "device.activate"),
    )


def may_deactivate(actor: Actor) -> Verdict:
    """The owner, staff and the bank deactivate."""
    return YES if actor.is_customer else capability_of(actor, Capability.DEVICES_ACTIVATE)


def deactivate(actor: Actor, device: Device) -> Verdict:
    """An active device; one that is inactive already stays so."""
    may = may_deactivate(actor)
    if may.allowed and device.status == DeviceStatus.INACTIVE:
        return YES
    return first_no(may, _state(device, DeviceStatus.INACTIVE))


def may_block(actor: Actor) -> Verdict:
    """The owner, staff and the bank block."""
    return YES if actor.is_customer else capability_of(actor, Capability.DEVICES_BLOCK)


def block(actor: Actor, device: Device) -> Verdict:
    """Any device that is not retired; one that is blocked already stays so."""
    may = may_block(actor)
    if may.allowed and device.status == DeviceStatus.BLOCKED:
        return YES
    return first_no(may, _state(device, DeviceStatus.BLOCKED))


def may_unblock(actor: Actor) -> Verdict:
    """The owner, staff and the bank unblock."""
    return YES if actor.is_customer else may_activate(actor)


def unblock(actor: Actor, device: Device) -> Verdict:
    """A customer undoes only what the owner did; for everybody else it is an activation."""
    if not actor.is_customer:
        return activate(actor, device)
    if device.status == DeviceStatus.ACTIVE:
        return YES
    if device.activated_at is None:  # blocking and unblocking is no way round the bank's activation
        return Verdict(InvalidState("The bank has not activated this device yet.", code="device-status-not-valid"))
    return first_no(_held_by_bank(device), _state(device, DeviceStatus.ACTIVE))


def may_unregister(actor: Actor) -> Verdict:
    """The owner and the bank retire a device."""
    if actor.is_customer or actor.is_bank or actor.is_system:
        return YES
    return Verdict(Forbidden("Staff do not unregister devices; block it instead.", code="staff-cannot-unregister"))


def unregister(actor: Actor, device: Device) -> Verdict:
    """The owner cannot while the bank holds the device; nobody alone can while it is blocked by the bank, because its
    identifier could then be registered anew. One that is retired already stays so."""
    may = may_unregister(actor)
    if not may.allowed or device.status == DeviceStatus.RETIRED:
        return may
    return first_no(
        _held_by_bank(device) if actor.is_customer else YES, _blocked_by_bank(actor, device, "device.unregister")
    )


def may_edit(actor: Actor) -> Verdict:
    """The owner and the bank's server describe a device anew."""
    if actor.is_customer or actor.is_bank or actor.is_system:
        return YES
    return Verdict(Forbidden("Staff correct devices with a reason.", code="staff-cannot-edit"))


def edit(actor: Actor, device: Device) -> Verdict:
    """A device that is not retired."""
    may = may_edit(actor)
    if not may.allowed:
        return may
    if device.status == DeviceStatus.RETIRED:
        return Verdict(InvalidState("The device is unregistered.", code="device-status-not-valid"))
    return YES


def correct(actor: Actor) -> Verdict:
    """Staff correct descriptive data."""
    return capability_of(actor, Capability.DEVICES_CORRECT)


def register(actor: Actor) -> Verdict:
    """Customers register their own devices, the bank's server those of its customers."""
    if actor.is_customer or actor.is_bank or actor.is_system:
        return YES
    return Verdict(Forbidden("Staff do not register devices.", code="staff-cannot-register"))


def register_again(actor: Actor, device: Device) -> Verdict:
    """A customer does not get a device back that the bank switched off."""
    return _held_by_bank(device) if actor.is_customer else YES


def read(actor: Actor) -> Verdict:
    """Staff look at devices."""
    return capability_of(actor, Capability.DEVICES_READ)


def enrol_key(actor: Actor) -> Verdict:
    """Keys are enrolled by our own enrolment, which has checked who asks."""
    return YES if actor.is_system else Verdict(Forbidden("Keys come by enrolment.", code="cannot-enrol-key"))
