"""Devices that have proved an approval key, and the device of one key."""

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from devices.models import Device, DeviceKey
from devices.querysets import DeviceQuerySet
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.crypto.keys import InvalidKey, parse_public_key


@dataclass(frozen=True)
class Keyed:
    """A device and the key it signs with."""

    device: Device
    key: DeviceKey


def keyed_devices(actor: Actor) -> list[Keyed]:
    """The actor's owned devices in use that have a key, in the order they were registered. Two queries."""
    devices = _with(actor, DeviceKey.objects.in_use()).order_by("registered_at", "id")
    return [keyed for device in devices if (keyed := _keyed(device))]


def keyed_device(actor: Actor, public_key: str) -> Keyed:
    """The device of a key that the actor may know of, in any spelling of it that `parse_public_key` reads.

    Raises NotFound; the same for a foreign, an unproved, a retired and an unreadable key.
    """
    try:
        fingerprint = parse_public_key(public_key).fingerprint
    except InvalidKey:
        raise NotFound("There is no such device.") from None
    device = _with(actor, DeviceKey.objects.in_use().filter(fingerprint=fingerprint)).first()
    if device is None or (keyed := _keyed(device)) is None:
        raise NotFound("There is no such device.")
    return keyed


def _with(actor: Actor, keys: QuerySet[DeviceKey]) -> DeviceQuerySet:
    devices = Device.objects.visible_to(actor).owned().in_use()
    return devices.filter(keys__in=keys).prefetch_related(Prefetch("keys", queryset=keys))


def _keyed(device: Device) -> Keyed | None:
    """A device has at most one key in use: a constraint holds it. None: it lost its key between the two reads."""
    return next((Keyed(device, key) for key in device.keys.all()), None)
