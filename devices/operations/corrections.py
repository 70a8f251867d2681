"""Data fixes by staff: descriptive data only, with a reason, before and after."""

from collections.abc import Mapping
from typing import Final

from devices import policies
from devices.models import Device
from devices.operations.facts import check_text
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput
from portal.races import retried_on_conflict

CORRECTABLE: Final = ("nickname", "manufacturer", "model", "operating_system", "app_version")


@retried_on_conflict
def correct_device(*, actor: Actor, device_id: str, changes: Mapping[str, str], reason: str) -> Device:
    """Correct what a device is described by. Values that are already so write nothing.

    changes: field of `CORRECTABLE` → new text, up to 64 characters. reason: 1 to 500 characters. Raises NotFound,
    Forbidden, InvalidInput, Conflict `nickname-not-unique`.
    """
    policies.correct(actor).require()
    device = Device.objects.visible_to(actor).for_change(device_id, actor.bank_id)
    reason = check_text("reason", reason, required=True)
    if set(changes) - set(CORRECTABLE):
        raise InvalidInput("Only descriptive data can be corrected.", code="not-correctable")
    clean = {name: check_text(name, value) for name, value in changes.items()}
    different = {name: value for name, value in clean.items() if getattr(device, name) != value}
    if not different:
        return device
    before = {name: getattr(device, name) for name in different}
    for name, value in different.items():
        setattr(device, name, value)
    if "nickname" in different:
        _name(device, different["nickname"])
    device.updated_at = clock.now()
    device.save()
    audit.record(actor, Event.DEVICE_CORRECTED, device, before=before, after=different, reason=reason)
    return device


def _name(device: Device, nickname: str) -> None:
    device.set_nickname(nickname)
    if device.nickname_taken():
        raise Conflict("Another device of this customer has this nickname.", code="nickname-not-unique")
