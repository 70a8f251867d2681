"""Issuing cards and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from devices.models import Device, IssuedDetails, Kind
from devices.operations.issued_facts import IssuedFacts, check_reason, day_of
from devices.operations.notices import tell_owner
from devices.policies import issued as policies
from devices.states import Category, DeviceStatus
from portal.accounts.models import User
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState
from portal.races import retried_on_conflict

ISSUE = "device.issue"


@dataclass(frozen=True)
class Issued:
    """The card or token, and whether it is new."""

    device: Device
    created: bool


def _named(owner: User) -> dict[str, object]:
    return {"customer_id": owner.public_id}


def _facts(issued: Issued) -> dict[str, object]:
    return {"device_id": issued.device.public_id, "status": issued.device.status, "created": issued.created}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    owner = User.objects.visible_to(actor).named(arguments["customer_id"])
    return [(1, f"{Kind(arguments['kind']).label.lower()} is issued to {owner} ({owner.customer_number}).")]


@four_eyes(
    FourEyes(name=ISSUE, label="Issue a card or token", names=_named, preview=_preview, facts=_facts, several=True)
)
@retried_on_conflict
def issue_device(
    *,
    actor: Actor,
    customer_id: str,
    kind: str,
    model: str = "",
    reference: str = "",
    capabilities: Sequence[str] = (),
    card_number: str = "",
    card_kind: str = "",
    card_brand: str = "",
    cardholder_name: str = "",
    is_primary: bool | None = None,
    expires_on: str = "",
    delivered_on: str = "",
    reason: str = "",
) -> Issued:
    """Issue a card or token to a customer. It waits, PENDING, until it is delivered and staff activate it.

    customer_id: `USR_…` or the bank's number. The rest as in `IssuedFacts`; dates are `2029-12-31`. reason: up to 500
    characters; staff must give one. The same call with the same reference again: the device that there is, and
    nothing is written; without a reference each call issues another. Raises InvalidInput (`card-number` where a full
    card number stands), Forbidden, NotFound, InvalidState `customer-suspended`, Conflict `reference-not-unique`, and
    ApprovalRequired where the bank's policy says so.
    """
    policies.issue(actor).require()
    reason = check_reason(reason, required=actor.is_staff)
    facts = IssuedFacts(
        kind=kind,
        model=model,
        reference=reference,
        capabilities=tuple(capabilities),
        card_number=card_number,
        card_kind=card_kind,
        card_brand=card_brand,
        cardholder_name=cardholder_name,
        is_primary=is_primary,
        expires_on=read_date("expires_on", expires_on),
        delivered_on=read_date("delivered_on", delivered_on),
    )
    facts.check()
    owner = User.objects.visible_to(actor).select_for_update(no_key=True).named(customer_id)
    there = with_reference(owner, facts.reference)
    require_may_hold(owner, facts, there)
    if there is not None:
        return Issued(there.device, created=False)
    require_by_policy(actor, ISSUE, owner)
    device = save_issued(actor, owner, facts, reason=reason)
    tell_owner(device, "issued")
    return Issued(device, created=True)


def read_date(field: str, text: str) -> date | None:
    """A date in `2029-12-31`; None for an empty text. Raises InvalidInput."""
    try:
        return day_of(text)
    except ValueError:
        raise InvalidInput.at(field, "invalid-format", "A date looks like 2029-12-31.") from None


def with_reference(owner: User, reference: str) -> IssuedDetails | None:
    """What the owner's bank has under a reference. The owner's row is locked; the database has the last word."""
    found = IssuedDetails.objects.filter(bank_id=owner.bank_id, reference=reference.strip())
    return found.select_related("device").first() if reference.strip() else None


def require_may_hold(owner: User, facts: IssuedFacts, there: IssuedDetails | None) -> None:
    """Whether a customer may get what the facts say; `there`: what the bank has under their reference.

    Raises Conflict `reference-not-unique` when that is something else, InvalidState `customer-suspended`.
    """
    if there is not None:
        if there.device.owner_id != owner.pk or not facts.say_the_same_as(there):
            message = "Another card or token has this reference, or it was issued with other values."
            raise Conflict(message, code="reference-not-unique")
    elif not owner.is_active:
        raise InvalidState("The customer is suspended.", code="customer-suspended")


def new_device(owner: User, facts: IssuedFacts) -> tuple[Device, IssuedDetails]:
    """The two rows of a card or token, not saved."""
    now = clock.now()
    device = Device(
        bank_id=owner.bank_id,
        owner=owner,
        category=Category.ISSUED,
        kind=facts.kind,
        status=DeviceStatus.PENDING,
        model=facts.model.strip(),
        registered_at=now,
        updated_at=now,
    )
    return device, facts.details_of(device)


def save_issued(
    actor: Actor, owner: User, facts: IssuedFacts, *, reason: str, replaces: Device | None = None
) -> Device:
    """Write a card or token and its event, in the caller's transaction. Everything has been checked."""
    device, details = new_device(owner, facts)
    details.replaces = replaces
    if replaces is not None:
        device.set_nickname(replaces.nickname)
    device.save(force_insert=True)
    details.save(force_insert=True)
    told = {"replaces": replaces.public_id} if replaces else None
    audit.record(actor, Event.DEVICE_ISSUED, device, after=shown(device, details), reason=reason, details=told)
    return device


def shown(device: Device, details: IssuedDetails) -> dict[str, object]:
    """What the audit log says of a card or token: its state, and of a card number the last four."""
    told: dict[str, object] = {"status": device.status, "kind": device.kind, "model": device.model}
    told |= {"reference": details.reference, "card_kind": details.card_kind, "last_four": details.number_end}
    told |= {"expires_on": details.expires_on, "delivered_on": details.delivered_on}
    return {name: value for name, value in told.items() if value}
