"""A device that is let in by the name of one that its owner has: the app was installed anew, or somebody says so."""

from typing import Final
from uuid import UUID

from devices.models import Device, DeviceKey
from devices.operations.activation import unregister_device
from portal.accounts.models import User
from portal.accounts.operations.tokens import end_tokens_of_device
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict
from portal.crypto.keys import PublicKey

WHY: Final = "Another installation took its place."


def replaced_by(customer: User, external_id: str, key: PublicKey | None, *, proved: bool) -> Device | None:
    """The customer's active device of this identifier, where another key than its own comes now, or none.

    None, too, where it has no key in use, and where its key has just signed: then it is the same device. Raises
    Conflict `key-in-use` where its key is named and has not signed: anybody could name it.
    """
    existing = _named(customer, external_id)
    own = DeviceKey.objects.in_use().filter(device=existing).first() if existing is not None else None
    if own is None or key is None or key.fingerprint != own.fingerprint:
        return existing if own is not None else None
    if not proved:
        raise Conflict("The device has this key already: sign in with it.", code="key-in-use")
    return None


def make_room(
    actor: Actor, customer: User, external_id: str, key: PublicKey | None, *, proved: bool, announced: UUID | None
) -> None:
    """Let nothing of a device live on that the new one comes in place of; the customer's row is locked.

    announced: the device that whoever approved was told of. The one that is replaced is unregistered with all that
    ends then, and its keys never count again. One without a key is only described anew, and its sessions end. Raises
    Conflict: `device-not-unique` where another one, or none, was announced; `key-in-use` as `replaced_by` does.
    """
    replaced = replaced_by(customer, external_id, key, proved=proved)
    if replaced is None:
        _end_sessions_without_key(customer, external_id)
        return
    if replaced.pk != announced:
        raise Conflict("This device is already registered.", code="device-not-unique")
    unregister_device(actor=actor, device_id=str(replaced.pk), reason=WHY, owned_only=True)
    DeviceKey.objects.filter(device=replaced, retired_at=None).update(retired_at=clock.now())


def announcement(replaced: Device | None) -> str:
    """What whoever approves is told, as part of what is signed; "" where nothing is replaced."""
    if replaced is None:
        return ""
    name = replaced.nickname or replaced.label
    return f"It takes the place of your device “{name}”, which is unregistered."


def _named(customer: User, external_id: str) -> Device | None:
    own = Device.objects.owned().active().filter(owner=customer)
    return own.select_for_update(of=("self",)).named_externally(customer.bank_id, external_id).first()


def _end_sessions_without_key(customer: User, external_id: str) -> None:
    existing = _named(customer, external_id)
    if existing is not None and not DeviceKey.objects.in_use().filter(device=existing).exists():
        end_tokens_of_device(existing.pk)
