"""Setting and changing a device's PIN.

    reserve   transaction: one more try is counted, or the PIN is locked and nothing is looked at
    check     no transaction: Argon2id, in the hashing threads
    settle    transaction: right → the new PIN and no failures; wrong → the refusal is written down

A try is counted before its PIN is looked at, so that neither a crash nor a hundred calls at once buy another one.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from devices.models import PIN_TRIES, Device, DevicePin, PinReset
from devices.operations.notices import tell_owner
from devices.operations.pin_digests import check_form, locked, matches, new_digest
from devices.operations.weak_pins import check_new_pin, weak_pin
from devices.policies import pins as rules
from devices.states import ResetState
from portal.accounts.operations.tokens import end_tokens_of_device
from portal.accounts.queries import claimed_customer
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidState, VerificationFailed
from portal.hashing import pool


@dataclass(frozen=True)
class PinSet:
    """A PIN was set: when, and how many other live sessions of the device really ended."""

    device: Device
    at: datetime
    sessions_ended: int = 0


@dataclass(frozen=True)
class _Try:
    """One counted try. digest: what it is checked against. number: of tries since the last right one."""

    device: Device
    digest: str
    number: int


def create_pin(*, actor: Actor, device_id: str, pin: str, confirm_pin: str, user_id: str | None = None) -> PinSet:
    """Give one's device its first PIN (Adiba, "Create Device PIN"). Not inside a transaction.

    pin, confirm_pin: the same six digits. user_id: `USR_…` or the customer's number, a claim that has to be true. A
    repeat is a Conflict `pin-exists`. Raises Forbidden, InvalidInput (a field, `weak-pin`), NotFound, InvalidState
    `device-not-active`, RateLimited `pin-checks-busy`.
    """
    _check_caller(actor, user_id)
    check_form(pin=pin, confirm_pin=confirm_pin)
    check_new_pin("pin", pin)
    with pool().place():
        with transaction.atomic(durable=True):  # before the slow part: most refusals need none
            device = _lock_without_pin(actor, device_id)
        digest = new_digest(device, pin)
        with transaction.atomic(durable=True):
            device = _lock_without_pin(actor, str(device.pk))
            now = clock.now()
            DevicePin.objects.create(device=device, digest=digest, created_at=now, changed_at=now)
            audit.record(actor, Event.PIN_CREATED, device)
    return PinSet(device, now)


def change_pin(
    *,
    actor: Actor,
    device_id: str,
    current_pin: str,
    new_pin: str,
    confirm_new_pin: str,
    user_id: str | None = None,
) -> PinSet:
    """Exchange the PIN of one's device, proving the current one (Adiba, "Change Device PIN"). Not in a transaction.

    All three PINs are six digits. user_id: as in `create_pin`. Ends the device's other sessions and voids a reset on
    its way. Each wrong current PIN is counted and written down; the fifth in a row locks the PIN. Raises Forbidden,
    InvalidInput (a field, `weak-pin`), NotFound, InvalidState (`device-not-active`, `pin-not-set`), Locked
    `pin-locked`, VerificationFailed `pin-wrong`, Conflict `pin-changed-meanwhile`, RateLimited `pin-checks-busy`.
    """
    _check_caller(actor, user_id)
    check_form(current_pin=current_pin, new_pin=new_pin, confirm_new_pin=confirm_new_pin)
    if new_pin == current_pin:
        raise weak_pin("new_pin", "The new PIN has to differ from the current one.")
    check_new_pin("new_pin", new_pin)
    with pool().place():
        tried = _reserve(actor, device_id)
        if not matches(tried.device, tried.digest, current_pin):
            raise _refused(actor, tried)
        return _replace(actor, tried, new_digest(tried.device, new_pin))


def lock_device(actor: Actor, device_id: str) -> Device:
    """The caller's own device, locked, when a PIN may be used on it. Raises NotFound, Forbidden, InvalidState."""
    devices = Device.objects.visible_to(actor).owned().select_related("owner")
    device = devices.for_change(device_id, actor.bank_id)
    rules.use(actor, device).require()
    return device


def end_other_sessions(actor: Actor, device: Device) -> int:
    """End the device's live sessions but the caller's. Returns how many that were."""
    return end_tokens_of_device(device.pk, but=actor.token_id)


def _check_caller(actor: Actor, user_id: str | None) -> None:
    rules.may_use(actor).require()
    if user_id is not None:
        claimed_customer(actor, user_id)


def _lock_without_pin(actor: Actor, device_id: str) -> Device:
    device = lock_device(actor, device_id)
    if DevicePin.objects.filter(device=device).exists():
        raise Conflict("This device has a PIN. Change it instead.", code="pin-exists")
    return device


def _reserve(actor: Actor, device_id: str) -> _Try:
    """Count one try. The conditional UPDATE decides who gets one; it is committed before anything is hashed."""
    with transaction.atomic(durable=True):
        device = lock_device(actor, device_id)
        pins = DevicePin.objects.filter(device=device)
        counted = pins.filter(failures__lt=PIN_TRIES).update(failures=F("failures") + 1)
        pin = pins.first()
        if pin is None:
            raise InvalidState("This device has no PIN.", code="pin-not-set")
        if not counted:
            raise locked()
        return _Try(device, pin.digest, pin.failures)


def _refused(actor: Actor, tried: _Try) -> VerificationFailed:
    """Write a wrong PIN down; the fifth locks. All wrong PINs get the same words."""
    with transaction.atomic(durable=True):
        device = Device.objects.select_for_update(of=("self",)).select_related("owner").get(pk=tried.device.pk)
        details = {"failures": tried.number}
        audit.record_refusal(actor, Event.PIN_REFUSED, device, code="pin-wrong", details=details)
        if tried.number >= PIN_TRIES:
            _lock_pin(actor, device, tried.digest)
    error = VerificationFailed("The PIN is not right.", code="pin-wrong")
    error.audited = True
    return error


def _lock_pin(actor: Actor, device: Device, digest: str) -> None:
    """The count alone locks; this is when, and for whom to read. Not a PIN that was exchanged meanwhile."""
    counted_out = DevicePin.objects.filter(device=device, digest=digest, failures=PIN_TRIES, locked_at=None)
    if counted_out.update(locked_at=clock.now()):
        audit.record(actor, Event.PIN_LOCKED, device, details={"failures": PIN_TRIES})
        tell_owner(device, "pin-locked")


def _replace(actor: Actor, tried: _Try, digest: str) -> PinSet:
    with transaction.atomic(durable=True):
        device = lock_device(actor, str(tried.device.pk))
        now = clock.now()
        same = DevicePin.objects.filter(device=device, digest=tried.digest)
        if not same.update(digest=digest, failures=0, locked_at=None, changed_at=now):
            raise Conflict("The PIN was changed meanwhile.", code="pin-changed-meanwhile")
        resets = PinReset.objects.filter(device=device, state=ResetState.OPEN)
        voided = resets.update(state=ResetState.VOID, closed_at=now)
        ended = end_other_sessions(actor, device)
        details = {"ended": {"sessions": ended, "pin_resets": voided}}
        audit.record(actor, Event.PIN_CHANGED, device, details=details)
        tell_owner(device, "pin-changed")
    return PinSet(device, now, ended)
