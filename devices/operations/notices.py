"""Tells a device's owner what happened to it."""

from typing import Final

from django.template.loader import render_to_string

from devices.models import Device
from devices.operations.pushes import push_to_owner
from portal.accounts.operations.people import contact_of
from portal.core import clock
from portal.outbox import operations as outbox
from portal.outbox.models import MessageKind

SUBJECTS: Final = {
    "registered": "A device was added to your account",
    "activated": "Your bank switched a device on",
    "deactivated": "Your bank switched a device off",
    "blocked": "Your bank blocked a device",
    "unregistered": "A device was removed from your account",
    "issued": "Your bank issues you a card or token",
    "replaced": "Your bank replaces a card or token",
    "lost": "A device was reported lost",
    "found": "A loss report was undone",
    "pin-changed": "The PIN of a device was changed",
    "pin-locked": "The PIN of a device is locked",
    "pin-reset": "The PIN of a device was reset",
}

PUSHED: Final = frozenset({"lost", "found"})  # what the owner's other devices show at once, too


def tell_owner(device: Device, what: str) -> None:
    """Write a notice to the contact on file, by e-mail or else by SMS. Nobody to tell: nothing is written."""
    if what in PUSHED:
        push_to_owner(device.owner, device, template=f"device-{what}", title=SUBJECTS[what])
    contact = contact_of(device.owner)
    if not contact.email and not contact.phone:
        return
    body = render_to_string(
        f"devices/notices/{what}.txt", {"device": device, "name": device.owner.name, "at": clock.now()}
    )
    outbox.write(
        bank_id=device.bank_id,
        kind=MessageKind.EMAIL if contact.email else MessageKind.SMS,
        recipient=contact.email or contact.phone,
        template=f"device-{what}",
        subject=SUBJECTS[what],
        body=body.strip(),
        about=device,
    )
