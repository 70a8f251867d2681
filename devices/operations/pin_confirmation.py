"""Ending a PIN reset: its code proves the caller, who sets the new PIN.

Every try at the code is counted in a transaction of its own before the answer, and a reset takes five. A new PIN that
is the current one costs a try too: nobody finds out a PIN this way.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from devices.models import PIN_TRIES, Device, DevicePin, PinReset
from devices.operations.notices import tell_owner
from devices.operations.pin_digests import check_form, matches, new_digest
from devices.operations.pin_resets import code_digest
from devices.operations.pins import PinSet, end_other_sessions, lock_device
from devices.operations.weak_pins import check_new_pin, weak_pin
from devices.policies import pins as rules
from devices.states import ResetState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Locked, NotFound, VerificationFailed
from portal.crypto.codes import same
from portal.hashing import pool


@dataclass(frozen=True)
class _Proved:
    """A reset whose code was right, and the digest of the PIN that it replaces."""

    reset: PinReset
    device: Device
    digest: str


def confirm_reset(
    *, actor: Actor, reset_id: str, verification_code: str, new_pin: str, confirm_new_pin: str
) -> PinSet:
    """Set a new PIN with the code of a reset (Adiba, "Confirm PIN Reset"). Not inside a transaction.

    reset_id: `RESET_…`, asked for by the same owner through the same application, or started by staff. It works once,
    for an hour, and takes five codes; then, and for whoever else asks, there is no such reset. Unlocks the PIN and
    ends the device's other sessions. Raises Forbidden, InvalidInput (a field, `weak-pin`), NotFound,
    VerificationFailed `reset-code-wrong`, InvalidState, RateLimited `pin-checks-busy`.
    """
    rules.may_use(actor).require()
    check_form(new_pin=new_pin, confirm_new_pin=confirm_new_pin)
    check_new_pin("new_pin", new_pin)
    with pool().place():
        proved = _prove(actor, reset_id, verification_code)
        if _is_current(proved, new_pin):
            raise weak_pin("new_pin", "The new PIN has to differ from the current one.")
        return _finish(actor, proved, new_digest(proved.device, new_pin))


def _prove(actor: Actor, reset_id: str, code: str) -> _Proved:
    with transaction.atomic(durable=True):
        reset, device = _lock(actor, reset_id)
        if not PinReset.objects.open().filter(pk=reset.pk).update(tries=F("tries") + 1):
            raise _unknown()
        right = same(reset.code_digest, code_digest(reset, code))
        if not right:
            _count_wrong(actor, reset, device)
        digest = DevicePin.objects.filter(device=device).values_list("digest", flat=True).first()
    if not right:
        error = VerificationFailed("The code is not right.", code="reset-code-wrong")
        error.audited = True
        raise error
    return _Proved(reset, device, digest or "")


def _lock(actor: Actor, reset_id: str) -> tuple[PinReset, Device]:
    """The open reset of this bearer, read again under the lock of its device. Everybody else finds none."""
    mine = PinReset.objects.open().named(reset_id).asked_by(actor)
    device_id = mine.values_list("device_id", flat=True).first()
    if device_id is None:
        raise _unknown()
    device = lock_device(actor, str(device_id))
    reset = mine.first()
    if reset is None:
        raise _unknown()
    return reset, device


def _count_wrong(actor: Actor, reset: PinReset, device: Device) -> None:
    number = reset.tries + 1
    if number >= PIN_TRIES:
        PinReset.objects.filter(pk=reset.pk).update(state=ResetState.VOID, closed_at=clock.now())
    details = {"reset": reset.public_id, "tries": number}
    audit.record_refusal(actor, Event.PIN_RESET_REFUSED, device, code="reset-code-wrong", details=details)


def _is_current(proved: _Proved, pin: str) -> bool:
    try:
        return bool(proved.digest) and matches(proved.device, proved.digest, pin)
    except Locked:  # its pepper is gone: any PIN is better
        return False


def _finish(actor: Actor, proved: _Proved, digest: str) -> PinSet:
    """Of any number of calls with the right code one sets its PIN."""
    with transaction.atomic(durable=True):
        device = lock_device(actor, str(proved.device.pk))
        now = clock.now()
        mine = PinReset.objects.filter(pk=proved.reset.pk, state=ResetState.OPEN, expires_at__gt=now)
        if not mine.update(state=ResetState.USED, closed_at=now):
            raise _unknown()
        pins = DevicePin.objects.filter(device=device)
        if not pins.update(digest=digest, failures=0, locked_at=None, changed_at=now):
            raise _unknown()
        ended = end_other_sessions(actor, device)
        details = {"reset": proved.reset.public_id, "ended": {"sessions": ended}}
        audit.record(actor, Event.PIN_RESET_CONFIRMED, device, details=details)
        tell_owner(device, "pin-reset")
    return PinSet(device, now, ended)


def _unknown() -> NotFound:
    return NotFound("There is no such reset.")
