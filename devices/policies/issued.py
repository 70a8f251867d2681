"""Who may do what to cards and tokens of the bank."""

from devices.models import Device, IssuedDetails
from devices.policies.verdicts import YES, Verdict, capability_of, first_no
from devices.states import Category, DeviceStatus
from portal.accounts.roles import Capability
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState


def details_of(device: Device) -> IssuedDetails | None:
    """What is known of a device because the bank issued it; None for a phone. One query where it is not at hand."""
    if device.category != Category.ISSUED:
        return None
    found: IssuedDetails | None = getattr(device, "issued", None)
    return found


def issue(actor: Actor) -> Verdict:
    """The bank's server and staff issue, deliver and replace cards and tokens."""
    if actor.is_customer:
        return Verdict(Forbidden("Only the bank issues devices.", code="cannot-issue"))
    return capability_of(actor, Capability.DEVICES_ISSUE)


def deliver(actor: Actor, device: Device) -> Verdict:
    """A card or token that is in use and not lost."""
    return first_no(issue(actor), _in_use(device), _not_lost(device))


def replace(actor: Actor, device: Device) -> Verdict:
    """A card or token that is in use; also one that is blocked or lost: that is what replacing is for."""
    return first_no(issue(actor), _in_use(device))


def ready_to_use(device: Device) -> Verdict:
    """Before a card or token may be used it has been delivered, and its last day has not passed."""
    details = details_of(device)
    if details is None:
        return YES
    if details.delivered_on is None:
        return Verdict(InvalidState("It has not been delivered yet. Note the delivery first.", code="not-delivered"))
    if details.has_expired(clock.now().date()):
        return Verdict(InvalidState("It is not valid any more. Replace it.", code="card-expired"))
    return YES


def _in_use(device: Device) -> Verdict:
    if device.status != DeviceStatus.RETIRED:
        return YES
    return Verdict(InvalidState("It is out of use for good.", code="device-status-not-valid"))


def _not_lost(device: Device) -> Verdict:
    if device.lost_at is None:
        return YES
    return Verdict(InvalidState("It was reported lost. Replace it.", code="device-lost"))
