"""Signing in from a new device: one that the customer has already approves it, and then it is theirs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device, DeviceKey
from devices.operations.device_sessions import (
    NewDevice,
    OfferedKey,
    SignedIn,
    enrol_device,
    offered_key,
    usable_keys,
)
from devices.operations.keys import read_key
from devices.operations.replacing import announcement, replaced_by
from portal.accounts.actors import signed_in_actor
from portal.accounts.models import AccessToken, Application, User
from portal.accounts.models.oauth import LONGEST_REQUEST
from portal.accounts.operations.people import contact_of
from portal.accounts.operations.tokens import issue_sign_in_token
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidState, NotFound
from twofa.models import Answer, NewDeviceSignIn, TwoFactorRequest
from twofa.operations.alerts import over_budget
from twofa.operations.asking import Asked, choose_destination, open_request
from twofa.operations.contents import Content
from twofa.operations.identifying import Identified, identify, please_sign_up, require_in_use
from twofa.operations.new_devices import facts_of, seal_facts
from twofa.shown_operations import SIGN_IN, shown_operation
from twofa.states import RequestState

REPLACES, PROVIDER = "replaces", "provider"  # kept beside how the device describes itself
SPARE: Final = timedelta(minutes=2)  # after the last moment of approval, to finish


@dataclass(frozen=True)
class Started:
    """The request as it waits, and the token that may finish it; shown once."""

    asked: Asked
    raw: str


def start_new_device(
    *,
    actor: Actor,
    application: Application,
    method: str,
    token: str,
    device: NewDevice,
    public_key: str = "",
    signature: str = "",
) -> Started:
    """Ask the customer's device heard of last to approve a sign-in from a new one. Not inside a transaction.

    device, public_key, signature: as in `sign_up`. Each call asks anew and counts against the customer's budget.
    A device in place of one that the customer has: another is asked, and told so. Raises what `identify` raises,
    InvalidInput, Conflict `key-in-use`, InvalidState `no-approval-device`, RateLimited `too-many-requests`.
    """
    identified = identify(actor, application, method, token)
    device.facts()
    offered = offered_key(application, token, public_key, signature)
    if not usable_keys(identified.customer):
        raise please_sign_up()
    with transaction.atomic(durable=True):
        customer = User.objects.select_for_update(no_key=True).get(pk=identified.customer.pk)
        refusal = over_budget(actor, customer, new_device=True)
        if refusal is None:
            return _asked(actor, application, Identified(customer, identified.provider), device, offered)
    raise refusal


def finish_new_device(*, actor: Actor, request_id: str) -> SignedIn:
    """Make the device and open its session, once the sign-in was approved.

    actor: by the token that `start_new_device` gave, which ends here. request_id: of the round that was approved.
    Raises NotFound (another's, unknown), Conflict `request-pending`, InvalidState `request-expired`, Forbidden
    `request-denied` and `sign-in-refused` (the provider was suspended), InvalidState `device-not-active` where the
    device that approved, or its key, does not count any more, and what `enrol_device` raises; a second call finds the
    token ended.
    """
    waiting = NewDeviceSignIn.objects.select_related("request__application", "request__account")
    row = waiting.filter(session_id=actor.token_id or 0).first()
    if row is None or str(row.request.request_id) != request_id.lower():
        raise NotFound("There is no such request.")
    _require_approved(row.request)
    facts = facts_of(row)
    replaces, provider = facts.pop(REPLACES, ""), facts.pop(PROVIDER, "")
    device = NewDevice(**facts)
    key = read_key(row.public_key) if row.public_key else None
    with transaction.atomic():
        customer = User.objects.select_for_update(no_key=True).get(pk=row.request.account_id)
        if provider:
            require_in_use(UUID(provider))
        _require_approver(row.request, replaces)
        unfinished = NewDeviceSignIn.objects.filter(pk=row.pk, finished_at__isnull=True)
        if not customer.is_active or not unfinished.update(finished_at=clock.now()):
            raise Conflict("This sign-in is over.", code="request-closed")
        AccessToken.objects.filter(pk=actor.token_id or 0).end()
        offered = OfferedKey(key, row.proved)
        return enrol_device(
            actor,
            row.request.application,
            customer,
            device,
            offered,
            how="approval",
            replaces=UUID(replaces) if replaces else None,
        )


def _asked(
    caller: Actor, application: Application, identified: Identified, device: NewDevice, offered: OfferedKey
) -> Started:
    customer = identified.customer
    actor = signed_in_actor(caller, customer)
    lifetime = timedelta(seconds=LONGEST_REQUEST) + SPARE
    session, raw = issue_sign_in_token(actor=actor, application=application, user=customer, lifetime=lifetime)
    shown = {"email": contact_of(customer).email, "ip": caller.ip, "location": ""}
    key = offered.key.spelling if offered.key is not None else ""
    replaced = _replaced(customer, device, offered)
    text, source = announcement(replaced), _described(device, key)
    content = Content(operation=shown_operation(SIGN_IN, shown), text=text, source=source)
    destination = choose_destination(customer, replaced, "")
    asked = open_request(actor, application, customer, content, destination, session=session)
    kept = {PROVIDER: str(identified.provider.pk), **({REPLACES: str(replaced.pk)} if replaced else {})}
    NewDeviceSignIn.objects.create(
        request=asked.request,
        session=session,
        facts_sealed=seal_facts(asked.request, {**device.plain(), **kept}),
        public_key=key,
        proved=offered.proved,
    )
    return Started(asked, raw)


def _described(device: NewDevice, key: str) -> dict[str, str]:
    """The new device as both sides see it and as it is signed: Hyphen's fields, all but its push token."""
    return {
        "id": device.external_id,
        "publicKey": key,
        "sdkVersion": device.sdk_version,
        "name": device.nickname,
        "osName": device.os_name,
        "osVersion": device.os_version,
        "deviceManufacturer": device.manufacturer,
        "deviceModel": device.model,
        "lang": device.language,
        "type": "tablet" if device.kind == "tablet" else "mobile",
    }


def _replaced(customer: User, device: NewDevice, offered: OfferedKey) -> Device | None:
    if not device.external_id:
        return None
    return replaced_by(customer, device.external_id, offered.key, proved=offered.proved)


def _require_approver(request: TwoFactorRequest, replaces: str) -> None:
    """The device that approved still stands for its owner, locked with the one that is replaced, in one order."""
    wanted = [request.destination_id, *([UUID(replaces)] if replaces else [])]
    locked = Device.objects.select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk")
    device = next(device for device in locked if device.pk == request.destination_id)
    answer = Answer.objects.get(pk=request.pk)
    key_counts = answer.key_id is None or DeviceKey.objects.in_use().filter(pk=answer.key_id).exists()
    if not (device.is_active and device.owner_id == request.account_id and key_counts):
        raise InvalidState("The device that approved is not in use any more.", code="device-not-active")
    if replaces == str(device.pk):  # asked again, of the very one
        raise Conflict("A device does not approve what takes its place.", code="device-not-unique")


def _require_approved(request: TwoFactorRequest) -> None:
    if request.is_open:
        raise Conflict("Nobody has answered yet.", code="request-pending")
    if request.state in {RequestState.PENDING, RequestState.EXPIRED}:
        raise InvalidState("The request has expired.", code="request-expired")
    if request.state != RequestState.APPROVED:
        raise Forbidden("The sign-in was denied.", code="request-denied")
