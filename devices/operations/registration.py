"""Registering devices and describing them anew."""

from dataclasses import dataclass

from devices import policies
from devices.models import Device
from devices.operations.describing import apply, save_changes
from devices.operations.facts import DESCRIPTIVE, DeviceFacts, check_push, check_text
from devices.operations.notices import tell_owner
from devices.operations.push import keep_push_handle
from devices.states import Category, DeviceStatus
from portal.accounts.models import User
from portal.accounts.queries import claimed_customer
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState
from portal.races import retried_on_conflict


@dataclass(frozen=True)
class Registered:
    """The device, whether it is new, and whether anything was written."""

    device: Device
    created: bool
    changed: bool


@retried_on_conflict
def register_device(*, actor: Actor, facts: DeviceFacts, customer_id: str | None = None) -> Registered:
    """Register a customer's own device. It is active at once (Asseco's description, "Register Device").

    A customer registers for itself: `customer_id`, when given, has to be its own. The bank's server has to name its
    customer (`USR_…` or the bank's number). The same external identifier again by the same owner: fields that differ
    are updated, none differs: nothing is written. Raises InvalidInput, Forbidden; Conflict `device-not-unique`
    (in use by somebody else in the bank), `nickname-not-unique`, `valid-push-registration-exist`; InvalidState for a
    device that the bank switched off.
    """
    policies.register(actor).require()
    facts.check()
    owner = _owner(actor, customer_id)
    existing = (
        Device.objects.select_related("owner")
        .select_for_update(of=("self",))
        .in_use()
        .named_externally(owner.bank_id, facts.external_id)
        .first()
    )
    if existing is None:
        _require_no_alias(owner, facts.external_id)
        return _register(actor, owner, facts)
    if existing.owner_id != owner.pk or existing.category != Category.OWNED:
        raise Conflict("This device is already registered.", code="device-not-unique")
    policies.register_again(actor, existing).require()
    return _describe_again(actor, existing, facts)


@retried_on_conflict
def set_nickname(*, actor: Actor, device_id: str, nickname: str) -> Device:
    """Name a device. The same name again writes nothing. Raises Conflict `nickname-not-unique`."""
    nickname = check_text("nickname", nickname, required=True)
    device = _locked(actor, device_id)
    changes = apply(device, {"nickname": nickname})
    return save_changes(actor, device, changes)


@retried_on_conflict
def set_push_handle(*, actor: Actor, device_id: str, platform: str, handle: str) -> Device:
    """Keep where a device's push messages go. The same handle again prolongs it and leaves no event.

    platform: apns, gcm, wns or mpns. Raises Conflict `valid-push-registration-exist` when the handle is in use by
    another device; one that has lapsed there is moved here.
    """
    check_push(platform, handle)
    device = _locked(actor, device_id)
    return save_changes(actor, device, keep_push_handle(device, platform, handle))


def _owner(actor: Actor, customer_id: str | None) -> User:
    """The owner-to-be, locked: one customer's registrations come one after the other, so that each sees the last."""
    if not customer_id and not actor.is_customer:
        raise InvalidInput.at("customer_id", "required", "Name the customer.")
    owner = claimed_customer(actor, customer_id, lock=True)
    if not owner.is_active:
        raise InvalidState("The customer is suspended.", code="customer-suspended")
    return owner


def _require_no_alias(owner: User, external_id: str) -> None:
    """An identifier that is the id of another device of the bank would make one name mean two devices."""
    if Device.objects.filter(bank_id=owner.bank_id).with_our_id(external_id).exists():
        raise Conflict("This device is already registered.", code="device-not-unique")


def _register(actor: Actor, owner: User, facts: DeviceFacts) -> Registered:
    now = clock.now()
    device = Device(
        bank_id=owner.bank_id,
        owner=owner,
        category=Category.OWNED,
        kind=facts.kind_or_inferred,
        status=DeviceStatus.ACTIVE,
        registered_at=now,
        activated_at=now,
        updated_at=now,
    )
    device.set_external_id(facts.external_id_kind_or_inferred, facts.external_id)
    apply(device, _described(facts))
    if facts.push_platform and facts.push_handle:
        keep_push_handle(device, facts.push_platform, facts.push_handle)
    device.save(force_insert=True)
    audit.record(actor, Event.DEVICE_REGISTERED, device, after={"status": device.status, **_shown(device)})
    tell_owner(device, "registered")
    return Registered(device, created=True, changed=True)


def _describe_again(actor: Actor, device: Device, facts: DeviceFacts) -> Registered:
    changes = apply(device, _described(facts))
    if facts.push_platform and facts.push_handle:
        changes |= keep_push_handle(device, facts.push_platform, facts.push_handle)
    save_changes(actor, device, changes)
    return Registered(device, created=False, changed=bool(changes))


def _locked(actor: Actor, device_id: str) -> Device:
    policies.may_edit(actor).require()
    devices = Device.objects.visible_to(actor).owned()
    device = devices.for_change(device_id, actor.bank_id)
    policies.edit(actor, device).require()
    return device


def _described(facts: DeviceFacts) -> dict[str, str]:
    given = {name: getattr(facts, name) for name in (*DESCRIPTIVE, "kind")}
    return {name: value.strip() for name, value in given.items() if value is not None}


def _shown(device: Device) -> dict[str, object]:
    """What a device is described by, for the audit log."""
    shown: dict[str, object] = {name: getattr(device, name) for name in (*DESCRIPTIVE, "kind", "push_platform")}
    return {name: value for name, value in shown.items() if value}
