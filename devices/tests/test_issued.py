"""Issuing cards and tokens."""

from datetime import timedelta
from typing import Any

import pytest

from devices.models import Device, IssuedDetails
from devices.operations.activation import activate_device
from devices.operations.issued import issue_device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_card,
    make_customer,
    make_staff,
    staff_actor,
)
from portal import vault
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.models import Message
from portal.tests.threads import race

pytestmark = pytest.mark.django_db
PAN = "4111 1111 1111 1111"


def last_day() -> str:
    return (clock.now().date() + timedelta(days=900)).isoformat()


def card(**values: Any) -> dict[str, Any]:
    """The facts of a good payment card."""
    return {
        "kind": "payment-card",
        "model": "Gold",
        "reference": "R-1",
        "capabilities": ["nfc", "icc"],
        "card_number": "411111******1111",
        "card_kind": "debit-card",
        "card_brand": "Visa",
        "cardholder_name": "ADA",
        "is_primary": True,
        "expires_on": last_day(),
        "reason": "At the counter",
        **values,
    }


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


def issue(bank: Bank, ada: User, **values: Any) -> Any:
    actor = values.pop("actor", None) or staff_actor(make_staff(bank))
    return issue_device(actor=actor, customer_id=ada.public_id, **card(**values))


def test_staff_issue_a_card_that_waits_for_its_delivery(bank: Bank, ada: User) -> None:
    issued = issue(bank, ada)
    device = Device.objects.select_related("issued").get()
    assert (issued.device, issued.created) == (device, True)
    assert (device.status, device.category, device.owner, device.model) == ("PENDING", "issued", ada, "Gold")
    details = device.issued
    assert details.masked_number == "411111••••••1111"
    assert (details.reference, details.capabilities, details.card_kind) == ("R-1", ["icc", "nfc"], "debit-card")
    assert (details.card_brand, details.cardholder_name, details.is_primary) == ("Visa", "ADA", True)
    assert (details.expires_on.isoformat() if details.expires_on else "", details.delivered_on) == (last_day(), None)
    event = AuditEvent.objects.get()
    assert (event.event, event.object_id, event.reason) == ("device.issued", str(device.pk), "At the counter")
    assert '"last_four":"1111"' in event.data
    assert "411111" not in event.data


def test_its_holder_is_told(bank: Bank, ada: User) -> None:
    ada.email_sealed = vault.seal("user.email", ada.pk, "ada@customer.example")
    ada.save()
    issue(bank, ada)
    assert list(Message.objects.values_list("template", flat=True)) == ["device-issued"]


def test_the_same_reference_again_is_the_same_card(bank: Bank, ada: User) -> None:
    first = issue(bank, ada)
    again = issue(bank, ada, actor=bank_actor(bank))
    assert (again.device, again.created) == (first.device, False)
    assert (Device.objects.count(), AuditEvent.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"card_number": "411111******2222"},
        {"kind": "smart-card", "card_number": "", "card_kind": "", "card_brand": "", "cardholder_name": ""},
        {"model": "Silver"},
        {"is_primary": False},
        {"capabilities": ["icc"]},
    ],
)
def test_another_card_under_the_same_reference_is_refused(other: dict[str, Any], bank: Bank, ada: User) -> None:
    issue(bank, ada)
    if other.get("kind"):
        other = {**other, "is_primary": None}
    with pytest.raises(Conflict) as refusal:
        issue(bank, ada, **other)
    assert refusal.value.code == "reference-not-unique"
    assert (Device.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_a_colleagues_customer_has_references_too_and_another_bank_its_own(bank: Bank, ada: User) -> None:
    issue(bank, ada)
    with pytest.raises(Conflict):
        issue(bank, make_customer(bank, "Bea"))
    elsewhere = make_bank()
    assert issue(elsewhere, make_customer(elsewhere, "Cem")).created
    assert Device.objects.count() == 2


def test_without_a_reference_each_call_issues_another(bank: Bank, ada: User) -> None:
    assert issue(bank, ada, reference="").device != issue(bank, ada, reference="").device


@pytest.mark.parametrize("field", ["model", "reference", "card_number", "card_brand", "cardholder_name", "reason"])
def test_a_full_card_number_is_refused_in_every_text_and_kept_nowhere(field: str, bank: Bank, ada: User) -> None:
    with pytest.raises(InvalidInput) as refusal:
        issue(bank, ada, **{field: f"x {PAN}"})
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [(field, "card-number")]
    assert "1111" not in str(refusal.value)
    assert (Device.objects.count(), AuditEvent.objects.count(), ApprovalRequest.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"kind": "mobile"}, "kind", "unknown-enum"),
        ({"kind": ""}, "kind", "required"),
        ({"card_number": ""}, "card_number", "required"),
        ({"card_number": "411111"}, "card_number", "invalid-format"),
        ({"card_kind": ""}, "card_kind", "required"),
        ({"card_kind": "gold"}, "card_kind", "unknown-enum"),
        ({"expires_on": ""}, "expires_on", "required"),
        ({"expires_on": "12/29"}, "expires_on", "invalid-format"),
        ({"expires_on": "2999-W52-1"}, "expires_on", "invalid-format"),
        ({"expires_on": "20291231"}, "expires_on", "invalid-format"),
        ({"expires_on": "2020-01-01"}, "expires_on", "out-of-range"),
        ({"delivered_on": "2999-01-01"}, "delivered_on", "out-of-range"),
        ({"capabilities": ["fly"]}, "capabilities", "unknown-enum"),
        ({"model": "x" * 65}, "model", "max-length"),
        ({"reference": "bell\x07"}, "reference", "invalid-format"),
        ({"reason": " "}, "reason", "required"),
        ({"kind": "otp-token"}, "card_number", "combination-required"),
    ],
)
def test_facts_that_do_not_fit(values: dict[str, Any], field: str, code: str, bank: Bank, ada: User) -> None:
    with pytest.raises(InvalidInput) as refusal:
        issue(bank, ada, **values)
    assert (field, code) in [(problem.field, problem.code) for problem in refusal.value.fields]
    assert (Device.objects.count(), AuditEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "role", [Role.SUPPORT, Role.APPROVER, Role.SECURITY_OFFICER, Role.AUDITOR, Role.ADMINISTRATOR]
)
def test_only_operators_issue(role: str, bank: Bank, ada: User) -> None:
    with pytest.raises(Forbidden) as refusal:
        issue(bank, ada, actor=staff_actor(make_staff(bank, role)))
    assert refusal.value.code == "capability-missing"
    assert Device.objects.count() == 0


def test_customers_issue_nothing_and_strangers_find_nobody(bank: Bank, ada: User) -> None:
    with pytest.raises(Forbidden) as refusal:
        issue(bank, ada, actor=customer_actor(ada))
    assert refusal.value.code == "cannot-issue"
    for actor in (staff_actor(make_staff(make_bank())), bank_actor(make_bank())):
        with pytest.raises(NotFound):
            issue(bank, ada, actor=actor)
    assert Device.objects.count() == 0


def test_a_suspended_customer_gets_none(bank: Bank) -> None:
    ada = make_customer(bank, is_active=False)
    with pytest.raises(InvalidState) as refusal:
        issue(bank, ada)
    assert refusal.value.code == "customer-suspended"


def test_before_its_delivery_and_after_its_last_day_it_is_not_activated(bank: Bank, ada: User) -> None:
    yesterday = clock.now().date() - timedelta(days=1)
    for status in (DeviceStatus.PENDING, DeviceStatus.INACTIVE):
        for values, code in (
            ({"delivered_on": None}, "not-delivered"),
            ({"expires_on": yesterday}, "card-expired"),
        ):
            device = make_card(ada, status, **values)
            with pytest.raises(InvalidState) as refusal:
                activate_device(actor=bank_actor(bank), device_id=str(device.pk))
            assert refusal.value.code == code
            device.refresh_from_db()
            assert device.status == status
    device = make_card(ada, DeviceStatus.PENDING, expires_on=clock.now().date())
    assert activate_device(actor=bank_actor(bank), device_id=str(device.pk)).device.is_active


@pytest.mark.django_db(transaction=True)
def test_where_the_bank_wants_a_second_person_nothing_is_issued_by_one() -> None:
    from portal.core.errors import ApprovalRequired

    bank = make_bank()
    ada = make_customer(bank)
    ApprovalPolicy.objects.create(bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now())
    with pytest.raises(ApprovalRequired):
        issue(bank, ada)
    assert Device.objects.count() == 0
    assert ApprovalRequest.objects.get().object_id == str(ada.pk)


@pytest.mark.django_db(transaction=True)
def test_racing_calls_with_one_reference_issue_one_card() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    actor = bank_actor(bank)
    outcomes = race(8, lambda number: issue(bank, ada, actor=actor).created)
    assert sorted(map(str, outcomes)) == ["False"] * 7 + ["True"]
    assert (IssuedDetails.objects.count(), AuditEvent.objects.count()) == (1, 1)
