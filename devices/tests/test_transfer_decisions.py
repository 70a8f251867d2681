"""Approving, rejecting, calling off and turning down."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError

from devices.models import Device, Transfer
from devices.operations.activation import block_device, deactivate_device
from devices.operations.transfers import (
    approve_transfer,
    cancel_transfer,
    code_digest,
    decline_transfer,
    reject_transfer,
    request_transfer,
)
from devices.states import TRANSFER_TRANSITIONS, TransferState, no_way_for_transfer
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
from devices.tests.moving import EMAIL, PHONE, code_sent, messages, nothing_changed, reachable, story
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, Expired, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.models import Message

pytestmark = pytest.mark.django_db
UNKNOWN = ids.spell("TRF", ids.new_id())


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


def approve(person: User, transfer: Transfer, reason: str = "") -> Transfer:
    return approve_transfer(
        actor=staff_actor(person), transfer_id=transfer.public_id, reason=reason, proof=proof_of(person)
    )


def reject(person: User, transfer: Transfer, reason: str = "Not seen in person") -> Transfer:
    return reject_transfer(
        actor=staff_actor(person), transfer_id=transfer.public_id, reason=reason, proof=proof_of(person)
    )


def last_event() -> AuditEvent:
    found = AuditEvent.objects.order_by("id").last()
    assert found is not None
    return found


# Approving and rejecting.


def test_approval_sends_the_code_and_keeps_only_its_digest(
    ada: User, cem: User, phone: Device, bea: User, avi: User
) -> None:
    with time_machine.travel("2024-12-01T14:50:00Z", tick=False) as at:
        transfer = ask(staff_actor(bea), phone, cem)
        at.move_to("2024-12-01T15:00:00Z")
        approve(avi, transfer, "Seen in the branch")
    transfer.refresh_from_db()
    [(template, kind, to, text)] = messages("transfer-code")
    assert (kind, to) == ("sms", PHONE)
    assert transfer.public_id in text
    code = code_sent()
    assert re.fullmatch("[0-9]{8}", code)
    assert transfer.code_digest == code_digest(transfer, code)
    assert (transfer.state, transfer.decided_by) == ("APPROVED", avi)
    assert transfer.expires_at == datetime(2024, 12, 4, 15, tzinfo=UTC)
    event = last_event()
    assert (event.event, event.reason, event.object_id) == (
        "transfer.approved",
        "Seen in the branch",
        str(phone.pk),
    )
    written = "".join(one.data + one.reason + one.object_label for one in AuditEvent.objects.all())
    assert code not in written
    assert PHONE not in written
    phone.refresh_from_db()
    assert phone.owner == ada


def test_without_a_phone_the_code_goes_by_e_mail(ada: User, cem: User, phone: Device, avi: User) -> None:
    reachable(cem, phone="")
    approve(avi, ask(customer_actor(ada), phone, cem))
    assert [(kind, to) for _, kind, to, _ in messages("transfer-code")] == [("email", EMAIL)]


def test_without_a_contact_nothing_is_approved(ada: User, cem: User, phone: Device, avi: User) -> None:
    reachable(cem, phone="", email="")
    transfer = ask(customer_actor(ada), phone, cem)
    with nothing_changed(), pytest.raises(Conflict) as refusal:
        approve(avi, transfer)
    assert refusal.value.code == "no-contact"


def test_nobody_decides_on_what_they_asked_for(ada: User, cem: User, phone: Device) -> None:
    # Somebody who was an operator, asked, and is an approver now; by the browser or by a token it is one person.
    person = make_staff(ada.bank, Role.OPERATOR, is_superuser=True)
    transfer = ask(staff_actor(person), phone, cem)
    person.role = Role.APPROVER
    person.save()
    for decide in (approve, reject):
        with nothing_changed(), pytest.raises(Forbidden) as refusal:
            decide(person, transfer)
        assert refusal.value.code == "maker-is-checker"
    with pytest.raises(IntegrityError):
        Transfer.objects.filter(pk=transfer.pk).update(decided_by=person)


def test_only_persons_with_the_right_and_a_fresh_second_factor_decide(
    ada: User, cem: User, phone: Device, bea: User, avi: User
) -> None:
    transfer = ask(customer_actor(ada), phone, cem)
    old, of_another = proof_of(avi, age=timedelta(minutes=5, seconds=1)), proof_of(bea)
    refused = [
        (staff_actor(bea), proof_of(bea), "capability-missing"),
        (staff_actor(make_staff(ada.bank, Role.ADMINISTRATOR, is_superuser=True)), None, "capability-missing"),
        (staff_actor(avi), None, "second-factor-needed"),
        (staff_actor(avi), old, "second-factor-needed"),
        (staff_actor(avi), of_another, "second-factor-needed"),
        (customer_actor(ada), None, "staff-only"),
        (bank_actor(ada.bank), None, "staff-only"),
        (Actor.system("sweep", bank_id=ada.bank_id), None, "staff-only"),
    ]
    for actor, proof, code in refused:
        for name in (transfer.public_id, UNKNOWN):
            for decide in (approve_transfer, reject_transfer):
                with nothing_changed(), pytest.raises(Forbidden) as refusal:
                    decide(actor=actor, transfer_id=name, reason="Why not", proof=proof)
                assert refusal.value.code == code


def test_another_banks_transfer_is_as_unknown(ada: User, cem: User, phone: Device) -> None:
    transfer = ask(customer_actor(ada), phone, cem)
    stranger = make_staff(make_bank(), Role.APPROVER)
    for name in (transfer.public_id, UNKNOWN, "TRF_1", str(transfer.pk)):
        with nothing_changed(), pytest.raises(NotFound):
            approve_transfer(actor=staff_actor(stranger), transfer_id=name, proof=proof_of(stranger))


def test_a_transfer_is_decided_on_once(ada: User, cem: User, phone: Device, avi: User) -> None:
    transfer = approve(avi, ask(customer_actor(ada), phone, cem))
    for decide in (approve, reject):
        with nothing_changed(), pytest.raises(Conflict) as refusal:
            decide(avi, transfer)
        assert refusal.value.code == "already-decided"
    cancel_transfer(actor=customer_actor(ada), transfer_id=transfer.public_id)
    rejected = reject(avi, ask(customer_actor(ada), phone, cem))
    for decide in (approve, reject):
        with nothing_changed(), pytest.raises(Conflict):
            decide(avi, rejected)


def test_nobody_decides_after_seven_days(ada: User, cem: User, phone: Device, avi: User) -> None:
    transfer = make_transfer(phone, cem, TransferState.PENDING_APPROVAL, expires_at=clock.now())
    for decide in (approve, reject):
        with nothing_changed(), pytest.raises(Expired) as refusal:
            decide(avi, transfer)
        assert refusal.value.code == "transfer-expired"


def test_a_new_owner_who_was_suspended_meanwhile_gets_nothing(ada: User, cem: User, phone: Device, avi: User) -> None:
    transfer = ask(customer_actor(ada), phone, cem)
    User.objects.filter(pk=cem.pk).update(is_active=False)
    with nothing_changed(), pytest.raises(InvalidState):
        approve(avi, transfer)


def test_a_rejection_says_why_and_the_device_stays(ada: User, cem: User, phone: Device, avi: User) -> None:
    transfer = ask(customer_actor(ada), phone, cem)
    with nothing_changed(), pytest.raises(InvalidInput):
        reject(avi, transfer, "")
    reject(avi, transfer)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.end_reason, transfer.decided_by) == ("REJECTED", "Not seen in person", avi)
    assert transfer.closed_at is not None
    assert story(phone) == [("transfer.requested", "PENDING_APPROVAL"), ("transfer.rejected", "REJECTED")]
    told = [(template, to) for template, _, to, _ in messages()]
    assert told[1:] == [("transfer-ended", "ada@customer.example")]  # the new owner never knew


# Calling off and turning down.


@pytest.mark.parametrize(
    "state", [TransferState.PENDING_APPROVAL, TransferState.APPROVED, TransferState.ACCEPTED], ids=str
)
def test_the_old_owner_and_staff_call_it_off_and_a_repeat_is_quiet(
    state: str, ada: User, cem: User, phone: Device, bea: User
) -> None:
    for actor, reason in ((customer_actor(ada), ""), (staff_actor(bea), "Asked by phone")):
        transfer = make_transfer(phone, cem, state)
        before = AuditEvent.objects.count()
        for _ in range(2):
            cancel_transfer(actor=actor, transfer_id=transfer.public_id, reason=reason)
        transfer.refresh_from_db()
        assert (transfer.state, transfer.end_reason) == ("CANCELLED", reason)
        assert AuditEvent.objects.count() == before + 1
        event = last_event()
        assert (event.event, event.actor_id, event.reason) == ("transfer.cancelled", actor.id, reason)


def test_who_is_told_that_it_ended(ada: User, cem: User, phone: Device) -> None:
    for state, people in (
        ("PENDING_APPROVAL", ["ada@customer.example"]),
        ("APPROVED", ["ada@customer.example", EMAIL]),
    ):
        transfer = make_transfer(phone, cem, state)
        cancel_transfer(actor=customer_actor(ada), transfer_id=transfer.public_id)
        assert [to for _, _, to, _ in messages()][-len(people) :] == people
    assert len(messages()) == 3


def test_staff_say_why_they_call_it_off(ada: User, cem: User, phone: Device, bea: User) -> None:
    transfer = make_transfer(phone, cem)
    with nothing_changed(), pytest.raises(InvalidInput):
        cancel_transfer(actor=staff_actor(bea), transfer_id=transfer.public_id)


def test_to_all_others_there_is_nothing_to_call_off(ada: User, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem)
    stranger = make_customer(ada.bank, "Eve")
    for actor in (customer_actor(cem), customer_actor(stranger), customer_actor(make_customer(make_bank()))):
        with nothing_changed(), pytest.raises(NotFound):
            cancel_transfer(actor=actor, transfer_id=transfer.public_id)
    for actor in (bank_actor(ada.bank), staff_actor(make_staff(ada.bank, Role.APPROVER))):
        with nothing_changed(), pytest.raises(Forbidden):
            cancel_transfer(actor=actor, transfer_id=transfer.public_id, reason="Why not")


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (TransferState.COMPLETED, InvalidState),
        (TransferState.REJECTED, InvalidState),
        (TransferState.EXPIRED, Expired),
    ],
)
def test_what_is_over_cannot_be_called_off(
    state: str, error: type[DomainError], ada: User, cem: User, phone: Device, bea: User
) -> None:
    transfer = make_transfer(phone, cem, state)
    with nothing_changed(), pytest.raises(error):
        cancel_transfer(actor=staff_actor(bea), transfer_id=transfer.public_id, reason="Too late")


def test_the_new_owner_turns_it_down_once(ada: User, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem)
    decline_transfer(actor=customer_actor(cem), transfer_id=transfer.public_id, acceptor_id=cem.public_id)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.end_reason) == ("REJECTED", "The new owner declined.")
    assert story(phone) == [("transfer.rejected", "REJECTED")]
    with nothing_changed(), pytest.raises(InvalidState):
        decline_transfer(actor=customer_actor(cem), transfer_id=transfer.public_id)


def test_nobody_else_turns_it_down(ada: User, cem: User, phone: Device, bea: User) -> None:
    transfer = make_transfer(phone, cem)
    for actor in (customer_actor(ada), customer_actor(make_customer(ada.bank))):
        with nothing_changed(), pytest.raises(NotFound):
            decline_transfer(actor=actor, transfer_id=transfer.public_id)
    for actor in (staff_actor(bea), bank_actor(ada.bank), Actor.system("sweep")):
        with nothing_changed(), pytest.raises(Forbidden):
            decline_transfer(actor=actor, transfer_id=transfer.public_id)


# What else ends a transfer.


@pytest.mark.parametrize("state", [TransferState.PENDING_APPROVAL, TransferState.APPROVED, TransferState.ACCEPTED])
def test_a_device_that_is_switched_off_moves_no_more(state: str, ada: User, cem: User, bea: User) -> None:
    for switch in (deactivate_device, block_device):
        device = make_device(ada)
        transfer = make_transfer(device, cem, state)
        switch(actor=staff_actor(bea), device_id=device.public_id, reason="Suspicious")
        transfer.refresh_from_db()
        assert transfer.state == "CANCELLED"
        assert story(device)[0] == ("transfer.cancelled", "CANCELLED")
        told = Message.objects.filter(template="transfer-ended", about_id=str(device.pk))
        assert told.count() == (1 if state == TransferState.PENDING_APPROVAL else 2)


# Every state × every transition.


@pytest.mark.parametrize("before", TransferState)
@pytest.mark.parametrize("after", TransferState)
def test_only_the_tables_transitions_are_gone(before: TransferState, after: TransferState) -> None:
    transfer = Transfer(state=before)
    if after in TRANSFER_TRANSITIONS[before]:
        assert transfer.move_to(after) == before
        assert transfer.state == after
        return
    with pytest.raises(InvalidState) as refusal:
        transfer.move_to(after)
    assert (refusal.value.code, transfer.state) == ("transfer-state-not-valid", before)
    assert no_way_for_transfer(before, after) is not None


@pytest.mark.parametrize("state", TransferState)
def test_what_each_state_allows(state: TransferState, ada: User, cem: User, phone: Device, avi: User) -> None:
    """Each step in each state: done in those that the table names, refused and without a trace in all others."""
    steps: dict[str, Callable[[Transfer], Transfer]] = {
        "approve": lambda one: approve(avi, one),
        "reject": lambda one: reject(avi, one),
        "cancel": lambda one: cancel_transfer(actor=customer_actor(ada), transfer_id=one.public_id),
        "decline": lambda one: decline_transfer(actor=customer_actor(cem), transfer_id=one.public_id),
    }
    done = {
        "approve": {"PENDING_APPROVAL"},
        "reject": {"PENDING_APPROVAL"},
        "cancel": {"PENDING_APPROVAL", "APPROVED", "ACCEPTED"},
        "decline": {"APPROVED"},
    }
    for name, step in steps.items():
        Transfer.objects.all().delete()
        transfer = make_transfer(phone, cem, state)
        if state in done[name]:
            assert step(transfer).state != state
        elif (name, state) == ("cancel", "CANCELLED"):
            with nothing_changed():
                step(transfer)
        else:
            with nothing_changed(), pytest.raises(DomainError):
                step(transfer)
