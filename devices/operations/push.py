"""Where a device's push messages go: kept, prolonged, moved from a device where it has lapsed, and forgotten."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from devices.models import PUSH_FIELDS, Device
from devices.operations.describing import Changes, save_changes
from devices.policies.push import may_forget
from devices.querysets import PUSH_HANDLE
from portal import indexes
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict

# Firebase drops a registration after 270 days without contact; a client renews its handle well before.
PUSH_LIFETIME: Final = timedelta(days=270)
RENEWED_AFTER: Final = timedelta(days=1)  # the same handle again is written down once a day, not at each start


def keep_push_handle(device: Device, platform: str, handle: str) -> Changes:
    """Set the handle on the row in hand; the same one again is prolonged, which is no change that anybody is told of.

    Raises Conflict `valid-push-registration-exist` when another device in use has it and it has not lapsed there.
    """
    now = clock.now()
    found_by = indexes.to_find(PUSH_HANDLE, device.bank_id, handle)
    same = device.push_handle_index in found_by and device.push_platform == platform
    if not same:
        _free(device, found_by, now)
        before = device.push_platform
        device.set_push_handle(platform, handle, now + PUSH_LIFETIME)
        return {"push_platform": (before, platform)}
    if device.push_expires_at and device.push_expires_at < now + PUSH_LIFETIME - RENEWED_AFTER:
        device.push_expires_at = now + PUSH_LIFETIME
        Device.objects.filter(pk=device.pk).update(push_expires_at=device.push_expires_at)
    return {}


def remove_push_handle(device: Device) -> Changes:
    """Take the handle from the row in hand; without one nothing changes."""
    before = device.push_platform
    device.set_push_handle("", "", None)
    return {"push_platform": (before, "")} if before else {}


@transaction.atomic
def forget_push_handle(*, actor: Actor, platform: str, handle: str, since: datetime | None = None) -> Device | None:
    """Forget a handle that its push service knows no more. Nobody has it (any more): nothing happens.

    actor: our own work, of one bank. since: when the service noticed; a handle that its device registered again
    after that stays. Raises Forbidden for everybody else.
    """
    may_forget(actor).require()
    if actor.bank_id is None:
        raise ValueError("a handle is looked for in one bank")
    found_by = indexes.to_find(PUSH_HANDLE, actor.bank_id, handle)
    devices = Device.objects.in_use().filter(bank_id=actor.bank_id, push_handle_index__in=found_by)
    device = devices.filter(push_platform=platform).select_for_update(of=("self",)).first()
    if device is None or (since is not None and _registered_at(device) > since):
        return None
    return save_changes(actor, device, remove_push_handle(device))


def _registered_at(device: Device) -> datetime:
    """When the handle was set or last prolonged."""
    return (device.push_expires_at or clock.now()) - PUSH_LIFETIME


def _free(device: Device, found_by: list[str], now: datetime) -> None:
    others = Device.objects.in_use().filter(bank_id=device.bank_id, push_handle_index__in=found_by)
    other = others.exclude(pk=device.pk).select_for_update().first()
    if other is None:
        return
    if other.push_expires_at and other.push_expires_at > now:
        raise Conflict("Another device receives push messages there.", code="valid-push-registration-exist")
    other.set_push_handle("", "", None)
    other.save(update_fields=PUSH_FIELDS)
