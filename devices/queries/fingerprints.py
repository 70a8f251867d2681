"""Fingerprints, for the pages that show a device or a customer."""

from typing import Final

from devices import policies
from devices.models import Device, Fingerprint
from portal.accounts.models import User
from portal.core.actor import Actor

MOST: Final = 50  # on one screen


def fingerprints_of_device(actor: Actor, device: Device) -> list[Fingerprint]:
    """What its owner signed in with on this device, the last seen first; at most 50. One query. Raises Forbidden."""
    policies.read(actor).require()
    found = Fingerprint.objects.visible_to(actor).filter(device=device, owner_id=device.owner_id)
    return list(found.last_seen_first()[:MOST])


def fingerprints_of_customer(actor: Actor, owner: User) -> list[Fingerprint]:
    """What a customer signed in with and on which device, as above. One query. Raises Forbidden."""
    policies.read(actor).require()
    found = Fingerprint.objects.visible_to(actor).filter(owner=owner).select_related("device")
    return list(found.last_seen_first()[:MOST])
