"""What the life of devices and customers does to links, inside the transaction that changes them."""

from collections.abc import Sequence

from devices.models import Device
from devices.states import DeviceStatus
from merchants.models import Link
from merchants.models.links import number_key
from merchants.operations import positions
from merchants.operations.ending import end
from merchants.states import EndReason
from portal.accounts.models import User
from portal.core.actor import Actor


def count_open(devices: Sequence[Device]) -> int:
    """How many links `end_links` would end, of these devices together. One query."""
    return Link.objects.open().filter(device__in=devices).count()


def end_links(actor: Actor, device: Device) -> int:
    """End the link of a device that is lost, retired or changes hands; its row is locked and says which.

    Returns how many ended, one at most.
    """
    links = list(Link.objects.open().filter(device=device))
    for link in links:
        end(actor, link, _why(device), "")
    return len(links)


def number_changed(customer: User) -> None:
    """Sort the customer's links by the number that has just been stored, its row locked.

    The total's lock is taken even where there is no link yet: somebody may be making one by the old number.
    """
    positions.lock(customer.bank_id)
    key = number_key(customer.customer_number or "")
    for link in Link.objects.filter(customer=customer).order_by("pk").select_for_update(of=("self",)):
        old, link.number_key = link.number_key, key
        link.save(update_fields=["number_key"])
        if link.ended_at is None:
            positions.key_changed(link, old)


def _why(device: Device) -> EndReason:
    if device.status == DeviceStatus.RETIRED:
        return EndReason.RETIRED
    return EndReason.LOST if device.lost_at else EndReason.MOVED
