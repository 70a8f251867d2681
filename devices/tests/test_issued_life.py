"""Delivering, replacing and naming cards and tokens."""

from datetime import timedelta
from typing import Any

import pytest

from devices.models import Device, IssuedDetails
from devices.operations.cascade import Cut, preview
from devices.operations.issued_life import deliver_device, name_issued_device, replace_device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_card,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.tests.threads import race

pytestmark = pytest.mark.django_db
PAN = "4111111111111111"


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


def rows() -> list[Any]:
    return [*Device.objects.order_by("pk").values(), *IssuedDetails.objects.order_by("pk").values()]


def deliver(bank: Bank, device: Device, **values: Any) -> Any:
    actor = values.pop("actor", None) or staff_actor(make_staff(bank))
    return deliver_device(actor=actor, device_id=str(device.pk), **{"reason": "Handed over", **values})


def replace(bank: Bank, device: Device, **values: Any) -> Any:
    actor = values.pop("actor", None) or staff_actor(make_staff(bank))
    day = (clock.now().date() + timedelta(days=1500)).isoformat()
    facts = {"reference": "R-2", "card_number": "411111******2222", "expires_on": day, "reason": "Worn out", **values}
    return replace_device(actor=actor, device_id=str(device.pk), **facts)


def test_a_delivery_is_noted_once(bank: Bank, ada: User) -> None:
    device = make_card(ada, DeviceStatus.PENDING, delivered_on=None)
    assert deliver(bank, device).changed
    details = IssuedDetails.objects.get()
    assert details.delivered_on == clock.now().date()
    assert not deliver(bank, device).changed
    assert not deliver(bank, device, delivered_on=clock.now().date().isoformat()).changed
    with pytest.raises(InvalidState) as refusal:
        deliver(bank, device, delivered_on="2020-01-01")
    assert refusal.value.code == "already-delivered"
    event = AuditEvent.objects.get()
    assert (event.event, event.object_id, event.reason) == ("device.delivered", str(device.pk), "Handed over")


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"delivered_on": "2999-01-01"}, "delivered_on", "out-of-range"),
        ({"delivered_on": "yesterday"}, "delivered_on", "invalid-format"),
        ({"reason": ""}, "reason", "required"),
        ({"reason": PAN}, "reason", "card-number"),
    ],
)
def test_a_delivery_that_cannot_be(values: dict[str, str], field: str, code: str, bank: Bank, ada: User) -> None:
    device = make_card(ada, DeviceStatus.PENDING, delivered_on=None)
    before = rows()
    with pytest.raises(InvalidInput) as refusal:
        deliver(bank, device, **values)
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [(field, code)]
    assert (rows(), AuditEvent.objects.count()) == (before, 0)


def test_what_is_lost_or_out_of_use_is_not_delivered(bank: Bank, ada: User) -> None:
    lost = make_card(ada, DeviceStatus.BLOCKED, delivered_on=None, lost_at=clock.now(), held_by=HeldBy.BANK)
    retired = make_card(ada, DeviceStatus.RETIRED, delivered_on=None)
    for device, code in ((lost, "device-lost"), (retired, "device-status-not-valid")):
        with pytest.raises(InvalidState) as refusal:
            deliver(bank, device)
        assert refusal.value.code == code
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("step", [deliver, replace])
def test_who_may_not(step: Any, bank: Bank, ada: User) -> None:
    device = make_card(ada)
    phone = make_device(ada)
    before = rows()
    for actor, error in (
        (customer_actor(ada), Forbidden),
        (staff_actor(make_staff(bank, Role.SUPPORT)), Forbidden),
        (staff_actor(make_staff(make_bank())), NotFound),
        (bank_actor(make_bank()), NotFound),
    ):
        with pytest.raises(error):
            step(bank, device, actor=actor)
    with pytest.raises(NotFound):
        step(bank, phone)
    assert (rows(), AuditEvent.objects.count()) == (before, 0)


def test_a_replacement_retires_the_old_and_issues_the_new(bank: Bank, ada: User) -> None:
    old = make_card(ada, reference="R-1", nickname="Groceries", capabilities=["icc"])
    make_token(user=ada, device=old)
    make_token(user=ada)
    foreseen = preview(old, Cut.RETIRED)
    replaced = replace(bank, old)

    old.refresh_from_db()
    new = Device.objects.get(pk=replaced.new.pk)
    assert (old.status, new.status, new.owner, new.nickname) == ("RETIRED", "PENDING", ada, "Groceries")
    details = new.issued
    assert (details.replaces, details.reference, details.number_end) == (old, "R-2", "2222")
    assert (details.card_kind, details.capabilities, details.delivered_on) == ("debit-card", ["icc"], None)
    assert replaced.sessions_terminated == foreseen.sessions == 1
    assert AccessToken.objects.live().count() == 1
    events = AuditEvent.objects.order_by("at", "id")
    assert [(event.event, event.object_id) for event in events] == [
        ("device.issued", str(new.pk)),
        ("device.replaced", str(old.pk)),
    ]


def test_a_repeat_of_a_replacement_finds_what_is_there(bank: Bank, ada: User) -> None:
    old = make_card(ada)
    first = replace(bank, old)
    before, events = rows(), AuditEvent.objects.count()
    again = replace(bank, old)
    assert (again.new, again.changed) == (first.new, False)
    for reference in ("", "R-3"):
        with pytest.raises(InvalidState) as refusal:
            replace(bank, old, reference=reference)
        assert refusal.value.code == "device-status-not-valid"
    assert (rows(), AuditEvent.objects.count()) == (before, events)


def test_lost_and_blocked_cards_are_replaced_without_lifting_the_block(bank: Bank, ada: User) -> None:
    lost = make_card(ada, DeviceStatus.BLOCKED, lost_at=clock.now(), held_by=HeldBy.BANK)
    assert replace(bank, lost).new.status == DeviceStatus.PENDING
    lost.refresh_from_db()
    assert (lost.status, lost.lost_at is not None) == (DeviceStatus.RETIRED, True)


def test_a_replacement_keeps_the_number_unless_another_is_given(bank: Bank, ada: User) -> None:
    assert replace(bank, make_card(ada), card_number="").new.issued.masked_number == "411111••••••1111"
    token = make_card(ada, kind="otp-token")
    assert replace(bank, token, reference="T-2", card_number="", expires_on="").new.kind == "otp-token"


@pytest.mark.parametrize(
    ("values", "error", "code"),
    [
        ({"reference": "TAKEN"}, Conflict, "reference-not-unique"),
        ({"reference": PAN}, InvalidInput, "invalid-input"),
        ({"card_number": PAN}, InvalidInput, "invalid-input"),
        ({"expires_on": ""}, InvalidInput, "invalid-input"),
        ({"expires_on": "2020-01-01"}, InvalidInput, "invalid-input"),
    ],
)
def test_a_replacement_that_cannot_be(
    values: dict[str, str], error: type[Exception], code: str, bank: Bank, ada: User
) -> None:
    device = make_card(ada)
    make_card(ada, reference="TAKEN")
    before = rows()
    with pytest.raises(error) as refusal:
        replace(bank, device, **values)
    assert getattr(refusal.value, "code", "") == code
    assert (rows(), AuditEvent.objects.count()) == (before, 0)


@pytest.mark.django_db(transaction=True)
def test_replacing_is_no_way_round_a_second_person_for_issuing() -> None:
    bank = make_bank()
    device = make_card(make_customer(bank))
    policy = ApprovalPolicy.objects.create(
        bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now()
    )
    for required in (["device.issue"], ["device.replace"]):
        ApprovalRequest.objects.all().delete()
        policy.required = required
        policy.save()
        with pytest.raises(ApprovalRequired):
            replace(bank, device)
        assert ApprovalRequest.objects.get().operation == "device.replace"
    assert Device.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_replacements_are_one() -> None:
    bank = make_bank()
    device = make_card(make_customer(bank))
    actor = bank_actor(bank)

    def work(number: int) -> str:
        try:
            return str(replace(bank, device, actor=actor, reference=f"R-{number}").changed)
        except InvalidState as refusal:
            return refusal.code

    outcomes = race(8, work)
    assert sorted(map(str, outcomes)) == ["True"] + ["device-status-not-valid"] * 7
    assert Device.objects.count() == 2


def test_naming_is_for_holders_and_the_bank(bank: Bank, ada: User) -> None:
    device = make_card(ada)
    for actor in (customer_actor(ada), bank_actor(bank)):
        assert (
            name_issued_device(actor=actor, device_id=str(device.pk), nickname=" Groceries ").nickname == "Groceries"
        )
    assert AuditEvent.objects.count() == 1
    with pytest.raises(Forbidden):
        name_issued_device(actor=staff_actor(make_staff(bank)), device_id=str(device.pk), nickname="Hers")
    with pytest.raises(NotFound):
        name_issued_device(actor=customer_actor(make_customer(bank)), device_id=str(device.pk), nickname="Mine")
