"""Asking for a transfer, and who sees it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction

from devices.models import Device, Kind, Transfer
from devices.models.transfers import CODE_TRIES
from devices.operations.transfers import (
    request_transfer,
)
from devices.queries.transfers import get_transfer, waiting_for
from devices.states import DeviceStatus, TransferState
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_transfer,
    staff_actor,
)
from devices.tests.moving import messages, nothing_changed, reachable, story
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return reachable(make_customer(make_bank()), phone="", email="ada@customer.example")


@pytest.fixture
def cem(ada: User) -> User:
    return reachable(make_customer(ada.bank, "Cem"))


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@pytest.fixture
def bea(ada: User) -> User:
    return make_staff(ada.bank, Role.OPERATOR)


@pytest.fixture
def avi(ada: User) -> User:
    return make_staff(ada.bank, Role.APPROVER, "Avi")


def ask(actor: Actor, device: Device | str, new_owner: User | str, **values: object) -> Transfer:
    return request_transfer(
        actor=actor,
        device_id=device if isinstance(device, str) else device.public_id,
        new_owner_id=new_owner if isinstance(new_owner, str) else new_owner.public_id,
        reason=str(values.pop("reason", "A gift")),
        **values,  # type: ignore[arg-type]
    )


# Asking.


def test_the_owner_asks_and_it_waits_seven_days(ada: User, cem: User, phone: Device) -> None:
    with time_machine.travel("2024-12-01T14:50:00Z", tick=False):
        transfer = ask(customer_actor(ada), phone, cem)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.old_owner, transfer.new_owner) == ("PENDING_APPROVAL", ada, cem)
    assert transfer.requested_at == datetime(2024, 12, 1, 14, 50, tzinfo=UTC)
    assert transfer.expires_at == datetime(2024, 12, 8, 14, 50, tzinfo=UTC)
    assert (transfer.requested_by, transfer.effective_at, transfer.code_digest) == (None, None, "")
    phone.refresh_from_db()
    assert phone.owner == ada
    event = AuditEvent.objects.get()
    assert (event.event, event.object_id, event.reason) == ("transfer.requested", str(phone.pk), "A gift")
    assert transfer.public_id in event.data
    assert [(template, to) for template, _, to, _ in messages()] == [("transfer-requested", "ada@customer.example")]


def test_staff_ask_on_the_owners_behalf_and_may_use_the_banks_number(
    ada: User, cem: User, phone: Device, bea: User
) -> None:
    number = str(cem.customer_number)
    transfer = ask(staff_actor(bea), phone, number, current_owner_id=str(ada.customer_number))
    assert (transfer.requested_by, transfer.old_owner, transfer.new_owner) == (bea, ada, cem)


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        ("2024-12-01T14:50:00Z", None),
        ("2020-01-01T00:00:00Z", None),
        ("2024-12-01T14:50:01Z", "2024-12-01T14:50:01Z"),
        ("2025-12-01T14:50:00Z", "2025-12-01T14:50:00Z"),
    ],
)
def test_a_date_that_is_past_means_at_once(date: str, kept: str | None, ada: User, cem: User, phone: Device) -> None:
    with time_machine.travel("2024-12-01T14:50:00Z", tick=False):
        transfer = ask(customer_actor(ada), phone, cem, effective_date=clock.parse_rfc3339(date))
    assert transfer.effective_at == (clock.parse_rfc3339(kept) if kept else None)


def test_a_date_is_at_most_a_year_ahead(ada: User, cem: User, phone: Device) -> None:
    far = clock.now() + timedelta(days=365, seconds=5)
    with nothing_changed(), pytest.raises(InvalidInput) as refusal:
        ask(customer_actor(ada), phone, cem, effective_date=far)
    assert [(one.field, one.code) for one in refusal.value.fields] == [("effective_date", "out-of-range")]


def test_only_owners_and_staff_with_the_right_ask(ada: User, cem: User, phone: Device) -> None:
    refused = [
        (staff_actor(make_staff(ada.bank, role)), "capability-missing")
        for role in (Role.SUPPORT, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR, Role.SECURITY_OFFICER)
    ]
    for actor, code in [*refused, (bank_actor(ada.bank), "cannot-transfer")]:
        for device in (phone, "unknown"):  # the same whether or not there is such a device
            with nothing_changed(), pytest.raises(Forbidden) as refusal:
                ask(actor, device, cem)
            assert refusal.value.code == code


def test_foreign_devices_cards_and_unknown_ones_are_one_answer(ada: User, cem: User, phone: Device) -> None:
    stranger = make_device(make_customer(make_bank()))
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    told = set()
    for device in (make_device(cem), stranger, card, "DEV_1", "unknown"):
        with nothing_changed(), pytest.raises(NotFound) as refusal:
            ask(customer_actor(ada), device, cem)
        told.add((refusal.value.code, refusal.value.message))
    assert told == {("not-found", "There is no such device.")}


def test_new_owners_that_are_not_there_are_one_answer(ada: User, cem: User, phone: Device, bea: User) -> None:
    suspended = make_customer(ada.bank, is_active=False)
    stranger = make_customer(make_bank())
    told = set()
    unknown = ids.spell("USR", ids.new_id())
    for name in (suspended, stranger, bea.public_id, unknown, str(cem.customer_number), "nobody"):
        with nothing_changed(), pytest.raises(NotFound) as refusal:
            ask(customer_actor(ada), phone, name)
        told.add((refusal.value.code, refusal.value.message))
    for name in (suspended, stranger, str(stranger.customer_number), bea.public_id):
        with nothing_changed(), pytest.raises(NotFound):
            ask(staff_actor(bea), phone, name)
    assert told == {("not-found", "There is no such customer.")}


def test_a_claim_about_the_owner_has_to_be_true(ada: User, cem: User, phone: Device, bea: User) -> None:
    for actor, claim in (
        (customer_actor(ada), cem.public_id),
        (customer_actor(ada), "nobody"),
        (staff_actor(bea), cem.public_id),
        (staff_actor(bea), make_customer(make_bank()).public_id),
    ):
        with nothing_changed(), pytest.raises(Forbidden) as refusal:
            ask(actor, phone, cem, current_owner_id=claim)
        assert refusal.value.code == "identity-mismatch"
    ask(customer_actor(ada), phone, cem, current_owner_id=ada.public_id)


def test_one_does_not_give_to_oneself(ada: User, phone: Device, bea: User) -> None:
    for actor in (customer_actor(ada), staff_actor(bea)):
        with nothing_changed(), pytest.raises(InvalidInput) as refusal:
            ask(actor, phone, ada)
        assert refusal.value.code == "same-owner"


@pytest.mark.parametrize("status", [status for status in DeviceStatus if status != DeviceStatus.ACTIVE])
def test_only_active_devices_change_hands(status: str, ada: User, cem: User) -> None:
    device = make_device(ada, status)
    with nothing_changed(), pytest.raises(InvalidState) as refusal:
        ask(customer_actor(ada), device, cem)
    assert refusal.value.code == "device-not-active"


def test_one_transfer_at_a_time(ada: User, cem: User, phone: Device, bea: User) -> None:
    first = ask(customer_actor(ada), phone, cem)
    for actor in (customer_actor(ada), staff_actor(bea)):
        with nothing_changed(), pytest.raises(Conflict) as refusal:
            ask(actor, phone, make_customer(ada.bank))
        assert (refusal.value.code, refusal.value.details) == ("transfer-open", {"transfer": first.public_id})


def test_one_that_lapsed_does_not_stand_in_the_way(ada: User, cem: User, phone: Device) -> None:
    first = make_transfer(phone, cem, TransferState.PENDING_APPROVAL, expires_at=clock.now())
    second = ask(customer_actor(ada), phone, cem)
    first.refresh_from_db()
    assert (first.state, second.state) == ("EXPIRED", "PENDING_APPROVAL")
    assert [event for event, _ in story(phone)] == ["transfer.expired", "transfer.requested"]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "two\nlines"])
def test_a_reason_is_one_line(reason: str, ada: User, cem: User, phone: Device) -> None:
    with nothing_changed(), pytest.raises(InvalidInput) as refusal:
        ask(customer_actor(ada), phone, cem, reason=reason)
    assert refusal.value.fields[0].field == "reason"


# Who sees it.


def test_both_people_and_the_banks_staff_see_it_and_nobody_else(
    ada: User, cem: User, phone: Device, bea: User
) -> None:
    transfer = make_transfer(phone, cem)
    for actor in (customer_actor(ada), customer_actor(cem), staff_actor(bea)):
        assert get_transfer(actor, transfer.public_id) == transfer
    for actor in (
        customer_actor(make_customer(ada.bank)),
        staff_actor(make_staff(make_bank())),
        bank_actor(ada.bank),
    ):
        with pytest.raises(NotFound):
            get_transfer(actor, transfer.public_id)
    Transfer.objects.filter(pk=transfer.pk).update(
        state="COMPLETED", accepted_at=clock.now(), completed_at=clock.now(), closed_at=clock.now()
    )
    Device.objects.filter(pk=phone.pk).update(owner=cem)
    with pytest.raises(NotFound):
        get_transfer(customer_actor(ada), transfer.public_id)
    assert get_transfer(customer_actor(cem), transfer.public_id) == transfer


@pytest.mark.parametrize("ended", ["CANCELLED", "REJECTED", "EXPIRED", "COMPLETED"])
def test_once_it_is_anothers_earlier_transfers_are_gone_with_the_device(
    ended: str, ada: User, cem: User, phone: Device
) -> None:
    eve = make_customer(ada.bank, "Eve")
    first = make_transfer(phone, cem, ended)
    assert get_transfer(customer_actor(ada), first.public_id) == first  # it is still hers
    phone.owner = cem
    phone.save()
    offer = make_transfer(phone, eve)
    assert get_transfer(customer_actor(cem), first.public_id) == first
    for person in (cem, eve):
        assert get_transfer(customer_actor(person), offer.public_id) == offer
    for transfer in (first, offer):
        with pytest.raises(NotFound):
            get_transfer(customer_actor(ada), transfer.public_id)
    Transfer.objects.filter(pk=offer.pk).update(
        state="COMPLETED", accepted_at=clock.now(), completed_at=clock.now(), closed_at=clock.now()
    )
    Device.objects.filter(pk=phone.pk).update(owner=eve)
    assert get_transfer(customer_actor(eve), offer.public_id) == offer
    with pytest.raises(NotFound):
        get_transfer(customer_actor(cem), offer.public_id)
    if ended == "COMPLETED":
        with pytest.raises(NotFound):
            get_transfer(customer_actor(cem), first.public_id)
    else:  # what was offered to him and came to nothing he may still look up
        assert get_transfer(customer_actor(cem), first.public_id) == first


def test_what_waits_for_a_person_is_what_they_may_decide(ada: User, cem: User, bea: User, avi: User) -> None:
    make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL, requested_by=bea)
    make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL, requested_by=avi)
    make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL, expires_at=clock.now())
    make_transfer(make_device(ada), cem)
    assert (waiting_for(staff_actor(avi)), waiting_for(staff_actor(bea))) == (2, 0)


def test_the_database_holds_what_a_transfer_is(ada: User, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem)
    for wrong in (
        {"state": "MOVED"},
        {"tries": CODE_TRIES + 1},
        {"new_owner": ada},
        {"decided_by": None},
        {"state": "COMPLETED", "closed_at": clock.now()},
        {"state": "CANCELLED"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Transfer.objects.filter(pk=transfer.pk).update(**wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_transfer(phone, make_customer(ada.bank), TransferState.PENDING_APPROVAL)
