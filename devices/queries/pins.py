"""Reads about PINs: for a device's card, and for what an owner may be offered."""

from dataclasses import dataclass
from datetime import datetime

from devices.models import PIN_TRIES, Device, DevicePin, PinReset, ResetMethod
from portal.accounts.models import User
from portal.accounts.operations.people import contact_of
from portal.core.actor import Actor


@dataclass(frozen=True)
class PinState:
    """What people may know of a device's PIN. locked_at: None also where a crash kept the time from being written."""

    is_set: bool
    is_locked: bool = False
    tries_left: int = 0
    created_at: datetime | None = None
    changed_at: datetime | None = None
    locked_at: datetime | None = None
    open_reset: PinReset | None = None


def pin_of(device: Device) -> DevicePin | None:
    """The device's PIN row. No query when the device was read with it (`select_related("pin")`)."""
    return getattr(device, "pin", None)


def pin_state(device: Device) -> PinState:
    """The state of a device's PIN and the reset on its way, in two queries at most."""
    pin = pin_of(device)
    if pin is None:
        return PinState(is_set=False)
    return PinState(
        is_set=True,
        is_locked=pin.is_locked,
        tries_left=PIN_TRIES - pin.failures,
        created_at=pin.created_at,
        changed_at=pin.changed_at,
        locked_at=pin.locked_at,
        open_reset=PinReset.objects.open().filter(device=device).select_related("started_by").first(),
    )


def reset_methods(owner: User) -> list[ResetMethod]:
    """The ways in which a reset code can reach an owner: those with a contact on file. No query."""
    contact = contact_of(owner)
    found = [(ResetMethod.SMS, contact.phone), (ResetMethod.EMAIL, contact.email)]
    return [method for method, address in found if address]


def device_of_reset(actor: Actor, reset_id: str) -> Device | None:
    """The device of a reset that the caller may confirm while it is open; None for every other. One query."""
    reset = PinReset.objects.named(reset_id).asked_by(actor).select_related("device").first()
    return reset.device if reset else None
