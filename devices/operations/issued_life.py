"""A card or token after it was issued: delivered, replaced, named. `activation` switches it on and off."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import transaction

from devices import policies as device_policies
from devices.models import PUSH_FIELDS, Device, IssuedDetails
from devices.operations.cascade import Cut, end_access, preview
from devices.operations.issued import ISSUE, read_date, require_may_hold, save_issued, with_reference
from devices.operations.issued_facts import IssuedFacts, check_reason, text_problems
from devices.operations.notices import tell_owner
from devices.policies import issued as policies
from devices.states import DeviceStatus
from portal.accounts.models import User
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState
from portal.races import retried_on_conflict

REPLACE = "device.replace"


@dataclass(frozen=True)
class Delivered:
    """The card or token, and whether the call changed it."""

    device: Device
    changed: bool


@transaction.atomic
def deliver_device(*, actor: Actor, device_id: str, delivered_on: str = "", reason: str = "") -> Delivered:
    """Note that a card or token has reached its holder. Only then can it be activated.

    delivered_on: `2026-11-22`, not after today; "" is today. reason: up to 500 characters; staff must give one.
    Delivered already: the same date, or none, changes nothing. Raises InvalidInput, Forbidden, NotFound, InvalidState
    (`already-delivered` on another date, `device-lost`, `device-status-not-valid`).
    """
    policies.issue(actor).require()
    reason = check_reason(reason, required=actor.is_staff)
    day = _delivery_day(delivered_on)
    device, details = _locked(actor, device_id)
    policies.deliver(actor, device).require()
    if details.delivered_on is not None:
        if delivered_on and details.delivered_on != day:
            raise InvalidState("It was delivered on another day.", code="already-delivered")
        return Delivered(device, changed=False)
    details.delivered_on = day
    details.save(update_fields=["delivered_on"])
    Device.objects.filter(pk=device.pk).update(updated_at=clock.now())
    audit.record(actor, Event.DEVICE_DELIVERED, device, after={"delivered_on": day}, reason=reason)
    return Delivered(device, changed=True)


def _delivery_day(text: str) -> date:
    today = clock.now().date()
    day = read_date("delivered_on", text) or today
    if day > today:
        raise InvalidInput.at("delivered_on", "out-of-range", "This day is still to come.")
    return day


def _locked(actor: Actor, device_id: str) -> tuple[Device, IssuedDetails]:
    devices = Device.objects.visible_to(actor).issued().select_related("owner")
    device = devices.for_change(device_id, actor.bank_id)
    details = policies.details_of(device)
    return device, details if details is not None else IssuedDetails.objects.create(
        device=device, bank_id=device.bank_id
    )


@dataclass(frozen=True)
class Replaced:
    """The card or token that is out of use now, the one in its place, and how many sessions really ended."""

    old: Device
    new: Device
    changed: bool
    sessions_terminated: int = 0


def _named(device: Device) -> dict[str, object]:
    return {"device_id": device.public_id}


def _facts(replaced: Replaced) -> dict[str, object]:
    return {"device_id": replaced.new.public_id, "replaces": replaced.old.public_id, "changed": replaced.changed}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    device = Device.objects.visible_to(actor).issued().get_named(arguments["device_id"], actor.bank_id)
    return [(None, f"{device} is out of use for good, and another is issued."), *preview(device, Cut.RETIRED).lines]


@four_eyes(
    FourEyes(
        name=REPLACE,
        label="Replace a card or token",
        names=_named,
        preview=_preview,
        facts=_facts,
        covers=(ISSUE,),
    )
)
@retried_on_conflict
def replace_device(
    *,
    actor: Actor,
    device_id: str,
    reference: str = "",
    card_number: str = "",
    expires_on: str = "",
    reason: str = "",
) -> Replaced:
    """Retire a card or token and issue its holder another like it, in one transaction. The new one waits, PENDING.

    reference, card_number, expires_on: of the new one, as in `issue_device`; without a card_number the old one is
    kept, without a reference it has none. reason: as in `issue_device`. The same call with the same reference again:
    the two that there are, and nothing is written. Raises InvalidInput, Forbidden, NotFound, InvalidState
    (`device-status-not-valid`, `customer-suspended`), Conflict `reference-not-unique`, and ApprovalRequired where the
    bank's policy says so for this or for issuing.
    """
    policies.issue(actor).require()
    reason = check_reason(reason, required=actor.is_staff)
    day = read_date("expires_on", expires_on)
    owner_id = Device.objects.visible_to(actor).issued().get_named(device_id, actor.bank_id).owner_id
    _lock_owner(owner_id)
    device, details = _locked(actor, device_id)
    if same := _replaced_already(device, reference):
        return Replaced(device, same, changed=False)
    policies.replace(actor, device).require()
    facts = IssuedFacts.again(device, details, reference=reference, card_number=card_number, expires_on=day)
    facts.check()
    there = with_reference(device.owner, reference)
    if there is not None:
        raise Conflict("Another card or token has this reference.", code="reference-not-unique")
    require_may_hold(device.owner, facts, None)
    for operation in (REPLACE, ISSUE):
        require_by_policy(actor, operation, device)
    return _replace(actor, device, facts, reason)


def _lock_owner(owner_id: UUID) -> None:
    """The owner's row before the device's, as everywhere: issuing takes it too."""
    User.objects.select_for_update(no_key=True).get(pk=owner_id)


def _replaced_already(device: Device, reference: str) -> Device | None:
    """What a repeat finds: the device that this one was replaced by under the same reference."""
    if device.status != DeviceStatus.RETIRED or not reference.strip():
        return None
    found = IssuedDetails.objects.filter(replaces=device, reference=reference.strip())
    details = found.select_related("device").first()
    return details.device if details else None


def _replace(actor: Actor, device: Device, facts: IssuedFacts, reason: str) -> Replaced:
    now = clock.now()
    held_by = device.held_by
    before = device.move_to(DeviceStatus.RETIRED)
    device.retired_at = device.updated_at = now
    ended = end_access(actor, device, Cut.RETIRED)
    device.save(update_fields=["status", "held_by", "retired_at", "updated_at", *PUSH_FIELDS])
    new = save_issued(actor, device.owner, facts, reason=reason, replaces=device)
    audit.record(
        actor,
        Event.DEVICE_REPLACED,
        device,
        before={"status": before.value, "held_by": held_by},
        after={"status": device.status, "held_by": device.held_by},
        reason=reason,
        details={"replaced_by": new.public_id, "ended": ended.counts},
    )
    tell_owner(new, "replaced")
    return Replaced(device, new, changed=True, sessions_terminated=ended.sessions)


@retried_on_conflict
def name_issued_device(*, actor: Actor, device_id: str, nickname: str) -> Device:
    """Let its holder, or the bank's server, name a card or token. The same name again writes nothing.

    nickname: 1 to 64 characters. Raises InvalidInput, Forbidden, NotFound, InvalidState, Conflict
    `nickname-not-unique`.
    """
    device_policies.may_edit(actor).require()
    if problems := text_problems("nickname", nickname, required=True):
        raise InvalidInput(fields=tuple(problems))
    device = Device.objects.visible_to(actor).issued().in_use().for_change(device_id, actor.bank_id)
    device_policies.edit(actor, device).require()
    if device.nickname == nickname.strip():
        return device
    before = device.nickname
    device.set_nickname(nickname.strip())
    if device.nickname_taken():
        raise Conflict("Another of your devices has this nickname.", code="nickname-not-unique")
    device.updated_at = clock.now()
    device.save(update_fields=["nickname", "nickname_key", "updated_at"])
    after = {"nickname": device.nickname}
    audit.record(actor, Event.DEVICE_UPDATED, device, before={"nickname": before}, after=after)
    return device
