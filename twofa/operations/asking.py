"""Asking a customer to approve something on a device, and asking again.

The customer's row is locked before anything is counted, then the device that is asked and the one that waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from devices.models import Device, DeviceKey
from devices.querysets import DeviceQuerySet
from portal.accounts.models import AccessToken, Application, User
from portal.accounts.models.oauth import LONGEST_REQUEST
from portal.accounts.queries import claimed_customer
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState, NotFound
from twofa.messages import described
from twofa.models import NewDeviceSignIn, TwoFactorRequest
from twofa.operations.alerts import over_budget
from twofa.operations.contents import Content, content_of, new_round
from twofa.operations.openness import require_open
from twofa.operations.telling import tell_destination
from twofa.policies import require_asker, require_waiting
from twofa.queries.requests import find_request
from twofa.shown_operations import PAYMENT, is_turned, shown_operation
from twofa.states import Proof, RequestState

LONGEST_TEXT: Final = 4096  # bytes
CAP: Final = timedelta(seconds=LONGEST_REQUEST)  # from the first asking on; no repetition reaches past it


@dataclass(frozen=True)
class Asked:
    """The request as it now waits. number: for the waiting side to show, now and never again; "" without matching."""

    request: TwoFactorRequest
    number: str = ""


@dataclass(frozen=True)
class Keyed:
    """A device that can sign, locked, and its key."""

    device: Device
    key: DeviceKey


def request_two_factor(
    *,
    actor: Actor,
    account_id: str,
    kind: str,
    facts: Mapping[str, str],
    text: str = "",
    source_id: str = "",
    destination_id: str = "",
) -> Asked:
    """Ask a customer of the bank to approve something; each call asks anew. Not inside a transaction.

    account_id: `USR_…` or the customer's number. kind, facts: as `shown_operation` takes them. text: free or JSON, at
    most 4 KiB, part of what is signed. source_id: the customer's device that waits, if one does. destination_id: the
    one that is asked, another one of the customer's with an approval key; without it the one heard of last. Raises
    Forbidden, InvalidInput, NotFound (a device), InvalidState (`device-not-active`, `no-approval-key`,
    `no-approval-device`, `customer-suspended`, `payment-needs-signature`), RateLimited `too-many-requests`.
    """
    require_asker(actor)
    operation = shown_operation(kind, facts)
    if len(text.encode()) > LONGEST_TEXT:
        raise InvalidInput.at("message", "max-length", f"This has at most {LONGEST_TEXT} bytes.")
    if is_turned(text):
        raise InvalidInput.at("message", "invalid-format", "This has characters that turn the direction of others.")
    with transaction.atomic(durable=True):
        account = claimed_customer(actor, account_id, lock=True)
        refusal = over_budget(actor, account)
        if refusal is None:
            source = _device(account, source_id) if source_id else None
            content = Content(operation=operation, text=text, source=_described(source))
            application = Application.objects.select_related("bank").get(pk=actor.application_id or 0)
            destination = choose_destination(account, source, destination_id)
            return open_request(actor, application, account, content, destination, source=source)
    raise refusal


def ask_again(*, actor: Actor, id: str, destination_id: str) -> Asked:
    """Ask once more, of the same device or another (Hyphen, "Re-request 2FA request"). Not inside a transaction.

    The round before is dead: new request id, message and number. It lasts as long as a new request would, but never
    past ten minutes after the first asking. destination_id: as in `request_two_factor`. Raises NotFound, Forbidden
    `not-the-source`, Conflict `request-closed` and `request-changed`, InvalidInput, InvalidState (`request-expired`
    and those of `request_two_factor`), RateLimited `too-many-requests`.
    """
    request = find_request(actor, id)
    require_waiting(actor, request)
    with transaction.atomic(durable=True):
        account = User.objects.select_for_update(no_key=True).get(pk=request.account_id)
        require_open(request)
        waits = NewDeviceSignIn.objects.filter(request=request).exists()
        refusal = over_budget(actor, account, new_device=waits)
        if refusal is None:
            destination = choose_destination(account, request.source, destination_id)
            return _next_round(actor, request, destination)
    raise refusal


def open_request(
    actor: Actor,
    application: Application,
    account: User,
    content: Content,
    destination: Keyed,
    *,
    source: Device | None = None,
    session: AccessToken | None = None,
) -> Asked:
    """The request itself, in the caller's transaction, the customer and both devices locked and all rules looked
    at but one: a payment is never approved unsigned (InvalidState `payment-needs-signature`)."""
    now = clock.now()
    kind = str(content.operation["type"])
    if kind == PAYMENT and application.approval_proof != Proof.SIGNATURE:
        raise InvalidState("Payments are only approved by signature.", code="payment-needs-signature")
    request = TwoFactorRequest(
        bank=application.bank,
        account=account,
        application=application,
        source=source,
        destination=destination.device,
        session=session,
        kind=kind,
        proof=application.approval_proof,
        requested_at=now,
        cap_at=now + CAP,
    )
    number = new_round(request, content, destination.key)
    request.save(force_insert=True)
    audit.record(actor, Event.TWO_FACTOR_REQUESTED, request, after=_shown(request), details={"kind": kind})
    tell_destination(request)
    return Asked(request, number)


def _next_round(actor: Actor, request: TwoFactorRequest, destination: Keyed) -> Asked:
    was, before = request.request_id, _shown(request)
    request.destination = destination.device  # the message binds it
    number = new_round(request, content_of(request), destination.key)
    changed = TwoFactorRequest.objects.open().filter(pk=request.pk, request_id=was)
    if not changed.update(
        request_id=request.request_id,
        destination=destination.device,
        content_sealed=request.content_sealed,
        message_sealed=request.message_sealed,
        number_digest=request.number_digest,
        expires_at=request.expires_at,
        rounds=F("rounds") + 1,
    ):
        request.refresh_from_db(fields=["state", "expires_at"])
        require_open(request)
        raise Conflict("The request was asked again meanwhile.", code="request-changed")
    audit.record(actor, Event.TWO_FACTOR_REPEATED, request, before=before, after=_shown(request))
    tell_destination(request)
    return Asked(request, number)


def _shown(request: TwoFactorRequest) -> dict[str, object]:
    """For the audit log: who asks whom until when, nothing of what is shown."""
    return {
        "state": RequestState(request.state).value,
        "account": request.account.public_id,
        "source": str(request.source_id or ""),
        "destination": str(request.destination_id),
        "request": str(request.request_id),
        "proof": request.proof,
        "number": bool(request.number_digest),
        "expires": clock.rfc3339(request.expires_at),
    }


def _described(device: Device | None) -> dict[str, str] | None:
    if device is None:
        return None
    key = DeviceKey.objects.in_use().filter(device=device).first()
    return described(device, key.spelling if key else "")


def _devices_of(account: User) -> DeviceQuerySet:
    return Device.objects.owned().filter(owner=account)


def _device(account: User, device_id: str) -> Device:
    """The device that waits. Raises NotFound, InvalidState."""
    device = _devices_of(account).get_named(device_id, account.bank_id)
    _require_active(device)
    return device


def choose_destination(account: User, source: Device | None, device_id: str) -> Keyed:
    """The device that is asked: the one that is named, else the one heard of last. Never the source.

    It is locked, and the source with it, in one order: whoever takes either out of use waits, or was faster. Raises
    NotFound, InvalidInput at `dest_device_id`, InvalidState as in `request_two_factor`.
    """
    _require_customer(account)
    chosen = _devices_of(account).get_named(device_id, account.bank_id) if device_id else _last_of(account, source)
    if source is not None and chosen.pk == source.pk:
        raise InvalidInput.at("dest_device_id", "is-the-source", "A device does not answer what it asks itself.")
    wanted = {chosen.pk} | ({source.pk} if source is not None else set())
    rows = _devices_of(account).select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk")
    locked = {device.pk: device for device in rows}
    if len(locked) < len(wanted):  # it has another owner now
        raise NotFound("There is no such device.")
    for device in locked.values():
        _require_active(device)
    key = DeviceKey.objects.in_use().filter(device=chosen).first()
    if key is None:
        raise InvalidState("The device has no approval key.", code="no-approval-key")
    return Keyed(locked[chosen.pk], key)


def _last_of(account: User, source: Device | None) -> Device:
    able = _devices_of(account).active().filter(keys__in=DeviceKey.objects.in_use())
    if source is not None:
        able = able.exclude(pk=source.pk)
    device = able.order_by(F("last_activity_at").desc(nulls_last=True), "-registered_at", "-id").first()
    if device is None:
        raise InvalidState("The customer has no other device that could approve.", code="no-approval-device")
    return device


def _require_active(device: Device) -> None:
    if not device.is_active:
        raise InvalidState("The device is not in use.", code="device-not-active")


def _require_customer(account: User) -> None:
    if not account.is_active:
        raise InvalidState("This customer is suspended.", code="customer-suspended")
