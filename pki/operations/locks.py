"""The lock that everything about a device's certificates is decided under."""

from uuid import UUID

from devices.models import Device


def lock_device(device_id: UUID, *related: str) -> Device:
    """The device, locked until the transaction ends: it comes before its requests, certificates and rotations.

    related: what is read with it, and not locked.
    """
    rows = Device.objects.select_for_update(of=("self",))
    return (rows.select_related(*related) if related else rows).get(pk=device_id)
