"""Push messages to the devices on which an owner would see at once that something is wrong."""

from datetime import datetime
from typing import Final
from uuid import UUID

from devices.models import Device
from devices.operations.push import forget_push_handle
from portal.accounts.models import User
from portal.core import clock
from portal.core.actor import Actor
from portal.outbox import operations as outbox
from portal.outbox.gateways import pushes_to
from portal.outbox.models import MessageKind
from portal.outbox.recipients import push_parts, push_recipient

MOST: Final = 10  # devices that get one push: those heard of last


def push_to_owner(owner: User, about: Device, *, template: str, title: str) -> int:
    """Tell the owner's other active devices, by title and device, in the transaction of what happened.

    It comes besides a notice to the contact on file, so that a device without a handle, or whose service is not set
    up here, is left out. Returns how many messages were written.
    """
    devices = Device.objects.active().filter(owner=owner, push_expires_at__gt=clock.now()).exclude(pk=about.pk)
    reached = [device for device in devices.order_by("-last_activity_at", "-id") if pushes_to(device.push_platform)]
    for device in reached[:MOST]:
        outbox.write(
            bank_id=device.bank_id,
            kind=MessageKind.PUSH,
            recipient=push_recipient(device.push_platform, device.push_handle),
            template=template,
            subject=title,
            body=about.label,
            about=about,
        )
    return len(reached[:MOST])


def forget_recipient(bank_id: UUID, recipient: str, since: datetime | None) -> None:
    """The push service knows this recipient no more: nothing is sent there again. A repeat is quiet."""
    platform, handle = push_parts(recipient)
    actor = Actor.system("outbox.deliver", bank_id=bank_id)
    forget_push_handle(actor=actor, platform=platform, handle=handle, since=since)
