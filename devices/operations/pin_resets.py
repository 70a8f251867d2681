"""Starting the reset of a forgotten PIN, by its owner or by staff. A code goes to the owner's contact on file."""

import re
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.template.loader import render_to_string

from devices.models import Device, DevicePin, PinReset, ResetMethod
from devices.operations.facts import check_text
from devices.operations.pins import lock_device
from devices.policies import pins as rules
from devices.states import ResetState
from portal import jobs, vault
from portal.accounts.operations.people import Contact, contact_of
from portal.accounts.queries import claimed_customer
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState, RateLimited
from portal.crypto.codes import new_digits, same
from portal.outbox import operations as outbox
from portal.outbox.models import MessageKind

LIFETIME: Final = timedelta(minutes=60)  # contract, PIN reset
CODE_DIGITS: Final = 8  # promise C5
MOST: Final = 5  # of one device in `WINDOW`, by owner and staff each: our own policy, as each buys five guesses
WINDOW: Final = timedelta(hours=1)

_KINDS: Final = {ResetMethod.SMS: MessageKind.SMS, ResetMethod.EMAIL: MessageKind.EMAIL}
_KNOWN: Final = {ResetMethod.SMS: "known_phone", ResetMethod.EMAIL: "known_email"}
_NOBODY: Final = "nobody@invalid"  # RFC 2606 2: no such name is ever reached


@transaction.atomic
def request_reset(
    *,
    actor: Actor,
    device_id: str,
    method: str,
    known_phone: str = "",
    known_email: str = "",
    user_id: str | None = None,
) -> PinReset:
    """Ask for a reset of one's device's PIN (Adiba, "Reset Device PIN"). A newer one voids the older.

    method: SMS or EMAIL. known_phone, known_email: what the caller knows of the contact on file; that of the method
    has to be given. Where all that is given is right, a code goes to the contact on file, else nothing does: the
    answer is the same, and so is the work. user_id: as in `create_pin`. Raises Forbidden, InvalidInput, NotFound,
    InvalidState (`device-not-active`, `pin-not-set`), RateLimited `too-many-resets`.
    """
    rules.may_use(actor).require()
    if user_id is not None:
        claimed_customer(actor, user_id)
    way = _method(method)
    if not (known_phone if way is ResetMethod.SMS else known_email).strip():
        raise InvalidInput.at(_KNOWN[way], "required", "The contact that the code goes to is required.")
    device = lock_device(actor, device_id)
    _require_startable(device, by_owner=True)
    contact = contact_of(device.owner)
    knows = _knows(contact, known_phone, known_email)
    reset = PinReset(device=device, application_id=actor.application_id, method=way, sent=knows)
    return _start(actor, reset, contact)


def _named(device: Device) -> dict[str, object]:
    return {"device_id": device.public_id}


def facts_of(reset: PinReset) -> dict[str, object]:
    """What whoever asked for a second person is told of the reset; never its code."""
    return {"device_id": reset.device.public_id, "reset": reset.public_id, "method": reset.method}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).owned().get_named(arguments["device_id"], actor.bank_id)
    voided = PinReset.objects.filter(device=device, state=ResetState.OPEN).count()
    lines: Preview = [(None, f"A reset code goes to the owner's contact on file, by {_words(arguments['method'])}.")]
    if voided:
        lines.append((voided, "PIN reset on its way is voided"))
    return lines


@four_eyes(
    FourEyes(name="pin.start-reset", label="Start a PIN reset", names=_named, preview=_preview, facts=facts_of)
)
@transaction.atomic
def start_reset(*, actor: Actor, device_id: str, method: str, reason: str) -> PinReset:
    """Start a reset for a device's owner, who confirms it in any of the bank's applications. A newer one voids it.

    method: SMS or EMAIL; the code and the reset's id go to that contact on file. reason: 1 to 500 characters. Raises
    Forbidden, InvalidInput, NotFound, InvalidState (`device-not-active`, `pin-not-set`, `no-contact`), RateLimited
    `too-many-resets`, and ApprovalRequired where the bank's policy says so.
    """
    rules.may_start_reset(actor).require()
    reason = check_text("reason", reason, required=True)
    way = _method(method)
    devices = Device.objects.visible_to(actor).owned().select_related("owner")
    device = devices.for_change(device_id, actor.bank_id)
    rules.start_reset(actor, device).require()
    contact = contact_of(device.owner)
    if not _address(contact, way):
        raise InvalidState(f"No contact for {way.label} is on file.", code="no-contact")
    _require_startable(device, by_owner=False)
    require_by_policy(actor, "pin.start-reset", device)
    reset = PinReset(device=device, started_by_id=actor.user_id, method=way, sent=True)
    return _start(actor, reset, contact, reason)


def code_digest(reset: PinReset, code: str) -> str:
    """What is kept of a code: keyed, and good for this reset only."""
    return vault.digest("pin_reset.code", reset.pk, code)


def _method(text: str) -> ResetMethod:
    if text not in ResetMethod.values:
        raise InvalidInput.at("method", "unknown-enum", f"One of: {', '.join(ResetMethod.values)}.")
    return ResetMethod(text)


def _words(method: str) -> str:
    return ResetMethod(method).label if method in ResetMethod.values else "?"


def _address(contact: Contact, method: ResetMethod) -> str:
    return contact.phone if method is ResetMethod.SMS else contact.email


def _knows(contact: Contact, phone: str, email: str) -> bool:
    """Whether all that was given is what is on file. Both are compared, given or not."""
    number, address = re.sub(r"[ ()/.-]", "", phone), email.strip().casefold()
    right_phone = same(number, contact.phone) and bool(number)  # nothing is not what an empty file holds
    right_email = same(address, contact.email.casefold()) and bool(address)
    return (right_phone or not phone.strip()) and (right_email or not email.strip())


def _start(actor: Actor, reset: PinReset, contact: Contact, reason: str = "") -> PinReset:
    """Store it and write its message. The device's row is locked."""
    device, now = reset.device, clock.now()
    earlier = PinReset.objects.filter(device=device, state=ResetState.OPEN)
    earlier.filter(expires_at__lte=now).update(state=ResetState.EXPIRED, closed_at=now)
    voided = earlier.update(state=ResetState.VOID, closed_at=now)
    code = new_digits(CODE_DIGITS)
    reset.owner, reset.created_at, reset.expires_at = device.owner, now, now + LIFETIME
    reset.code_digest = code_digest(reset, code)
    reset.save(force_insert=True)
    _send(reset, contact, code)
    details = {"reset": reset.public_id, "method": reset.method, "sent": reset.sent, "voided": voided}
    audit.record(actor, Event.PIN_RESET_REQUESTED, device, reason=reason, details=details)
    return reset


def _require_startable(device: Device, *, by_owner: bool) -> None:
    """The device has a PIN, and not too many resets lately.

    The owner's and staff's are counted apart: who holds the owner's token cannot use up what staff help her with.
    """
    if not DevicePin.objects.filter(device=device).exists():
        raise InvalidState("This device has no PIN.", code="pin-not-set")
    now = clock.now()
    recent = PinReset.objects.filter(device=device, started_by__isnull=by_owner, created_at__gt=now - WINDOW)
    recent = recent.order_by("-created_at")
    started = list(recent.values_list("created_at", flat=True)[:MOST])
    if len(started) == MOST:
        seconds = int((started[-1] + WINDOW - now).total_seconds()) + 1
        raise RateLimited(
            "Too many PIN resets of this device. Wait a while.", code="too-many-resets", retry_after=seconds
        )


def _send(reset: PinReset, contact: Contact, code: str) -> None:
    """Write the message with the code. One that must not go out is written too and taken back: the same work.

    A ring is taken back with it, so there is one for that too: a broker's time would tell. No worker finds the row.
    """
    method = ResetMethod(reset.method)
    context = {"reset": reset, "device": reset.device, "name": reset.owner.name, "code": code}
    with transaction.atomic():
        message = outbox.write(
            bank_id=reset.device.bank_id,
            kind=_KINDS[method],
            recipient=_address(contact, method) or _NOBODY,
            template="pin-reset-code",
            subject="Resetting the PIN of your device",
            body=render_to_string("devices/notices/pin-reset-code.txt", context).strip(),
            about=reset.device,
        )
        transaction.set_rollback(not reset.sent)
    if not reset.sent:
        jobs.ring("outbox.deliver", message.pk)
