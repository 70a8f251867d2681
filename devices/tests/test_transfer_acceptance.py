"""The new owner's code, the date, the clock; and what is left of the old owner afterwards."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import transaction

from devices import tasks
from devices.models import Device, Transfer
from devices.operations import severing
from devices.operations.activation import deactivate_device
from devices.operations.cascade import STEPS, Cut
from devices.operations.transfer_acceptance import Swept, accept_transfer, sweep_transfers
from devices.operations.transfers import approve_transfer, cancel_transfer, request_transfer
from devices.states import TransferState
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
from devices.tests.moving import (
    ALL_CUT,
    code_sent,
    left_on,
    make_furnished,
    messages,
    nothing_changed,
    reachable,
    story,
)
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Conflict, Expired, Forbidden, InvalidState, NotFound, VerificationFailed

pytestmark = pytest.mark.django_db
CODE, WRONG = "12345678", "00000000"


@pytest.fixture
def ada() -> User:
    return reachable(make_customer(make_bank()), phone="", email="ada@customer.example")


@pytest.fixture
def cem(ada: User) -> User:
    return reachable(make_customer(ada.bank, "Cem"))


@pytest.fixture
def phone(ada: User) -> Device:
    return make_furnished(ada)


@pytest.fixture
def offer(phone: Device, cem: User) -> Transfer:
    return make_transfer(phone, cem, code=CODE)


def accept(actor: Actor, transfer: Transfer, code: str = CODE, acceptor_id: str = "") -> Transfer:
    return accept_transfer(actor=actor, transfer_id=transfer.public_id, acceptance_code=code, acceptor_id=acceptor_id)


def fresh(transfer: Transfer) -> Transfer:
    return Transfer.objects.select_related("device").get(pk=transfer.pk)


# The code.


def test_the_right_code_hands_the_device_over_at_once(cem: User, phone: Device, offer: Transfer) -> None:
    with time_machine.travel("2024-12-01T15:00:00Z", tick=False):
        Transfer.objects.filter(pk=offer.pk).update(expires_at=clock.now() + timedelta(seconds=1))
        accept(customer_actor(cem), offer, acceptor_id=cem.public_id)
    now, offer = datetime(2024, 12, 1, 15, tzinfo=UTC), fresh(offer)
    assert (offer.state, offer.device.owner, offer.device.status) == ("COMPLETED", cem, "ACTIVE")
    assert (offer.accepted_at, offer.completed_at, offer.closed_at) == (now, now, now)
    assert offer.device.external_id == phone.external_id


def test_the_whole_way_is_told_in_order_at_the_device(ada: User, cem: User, phone: Device) -> None:
    bea, avi = make_staff(ada.bank), make_staff(ada.bank, Role.APPROVER, "Avi")
    asked = request_transfer(
        actor=staff_actor(bea), device_id=phone.public_id, new_owner_id=cem.public_id, reason="Inherited"
    )
    approve_transfer(actor=staff_actor(avi), transfer_id=asked.public_id, proof=proof_of(avi))
    with pytest.raises(VerificationFailed):
        accept(customer_actor(cem), asked, code=WRONG if code_sent() != WRONG else CODE)
    accept(customer_actor(cem), asked, code=code_sent())
    assert story(phone) == [
        ("transfer.requested", "PENDING_APPROVAL"),
        ("transfer.approved", "APPROVED"),
        ("transfer-code.refused", "acceptance-code-wrong"),
        ("transfer.accepted", ""),
        ("link.cut", ""),
        ("transfer.completed", "COMPLETED"),
    ]
    events = list(AuditEvent.objects.filter(object_id=str(phone.pk)).order_by("id"))
    assert [one.actor_label for one in events] == ["Bea", "Avi", "Cem", "Cem", "Cem", "Cem"]
    assert all(asked.public_id in one.data for one in events if one.event != "link.cut")
    assert all(earlier.at <= later.at for earlier, later in pairwise(events))
    assert [template for template, _, _, _ in messages()] == [
        "transfer-requested",
        "transfer-code",
        "transfer-given",
        "transfer-received",
    ]


@pytest.mark.parametrize(
    "wrong", [WRONG, "1234567", "123456789", "１２３４５６７８", "12345678\n", "", " 12345678", "x" * 64]
)
def test_a_wrong_code_is_counted_and_written_once(wrong: str, cem: User, phone: Device, offer: Transfer) -> None:
    with pytest.raises(VerificationFailed) as refusal:
        accept(customer_actor(cem), offer, code=wrong)
    assert (refusal.value.code, refusal.value.audited) == ("acceptance-code-wrong", True)
    assert (fresh(offer).state, fresh(offer).tries, fresh(offer).device.owner_id) == ("APPROVED", 1, phone.owner_id)
    event = AuditEvent.objects.get()
    assert (event.event, event.outcome, event.code) == ("transfer-code.refused", "refused", "acceptance-code-wrong")
    assert event.object_id == str(phone.pk)
    assert not wrong or wrong not in event.data
    assert left_on(phone) == ALL_CUT


def test_the_fifth_wrong_code_ends_it_and_the_right_one_comes_too_late(
    ada: User, cem: User, phone: Device, offer: Transfer
) -> None:
    told = []
    for _ in range(5):
        with pytest.raises(VerificationFailed) as refusal:
            accept(customer_actor(cem), offer, code=WRONG)
        told.append((refusal.value.details["tries_left"], refusal.value.message))
    assert told == [
        *((left, "The acceptance code is not right.") for left in (4, 3, 2, 1)),
        (0, "The acceptance code is not right. The transfer ended."),
    ]
    offer = fresh(offer)
    assert (offer.state, offer.tries, offer.end_reason) == ("CANCELLED", 5, "Too many wrong acceptance codes.")
    assert story(phone) == [
        *[("transfer-code.refused", "acceptance-code-wrong")] * 5,
        ("transfer.cancelled", "CANCELLED"),
    ]
    assert [template for template, _, _, _ in messages()] == ["transfer-ended", "transfer-ended"]
    with nothing_changed(), pytest.raises(InvalidState) as late:
        accept(customer_actor(cem), offer)
    assert late.value.code == "transfer-state-not-valid"
    assert left_on(phone) == ALL_CUT


def test_a_code_is_good_for_its_own_transfer_only(ada: User, cem: User, phone: Device, offer: Transfer) -> None:
    make_transfer(make_device(ada), cem, code="87654321")
    with pytest.raises(VerificationFailed):
        accept(customer_actor(cem), offer, code="87654321")


def test_the_count_outlives_a_caller_that_rolls_back(cem: User, offer: Transfer) -> None:
    """Where the caller holds a transaction, nothing is tried at all."""
    with pytest.raises(RuntimeError), transaction.atomic():
        accept(customer_actor(cem), offer, code=WRONG)
    assert fresh(offer).tries == 0


# Who.


def test_to_everybody_but_the_new_owner_there_is_no_such_transfer(
    ada: User, cem: User, phone: Device, offer: Transfer
) -> None:
    told = set()
    eve = make_customer(ada.bank, "Eve")
    for actor in (customer_actor(ada), customer_actor(eve), customer_actor(make_customer(make_bank()))):
        with nothing_changed(), pytest.raises(NotFound) as refusal:
            accept(actor, offer)
        told.add((refusal.value.code, refusal.value.message))
    unknown = Transfer(pk=ids.new_id())
    with nothing_changed(), pytest.raises(NotFound) as refusal:
        accept(customer_actor(cem), unknown)
    assert told == {(refusal.value.code, refusal.value.message)}


def test_nobody_accepts_for_somebody_else(ada: User, offer: Transfer) -> None:
    staff = make_staff(ada.bank, Role.OPERATOR)
    for actor in (staff_actor(staff), bank_actor(ada.bank), Actor.system("sweep", bank_id=ada.bank_id)):
        for transfer in (offer, Transfer(pk=ids.new_id())):
            with nothing_changed(), pytest.raises(Forbidden) as refusal:
                accept(actor, transfer)
            assert refusal.value.code == "customer-only"


def test_the_claim_has_to_be_the_acceptor(ada: User, cem: User, offer: Transfer) -> None:
    for claim in (ada.public_id, "nobody"):
        with nothing_changed(), pytest.raises(Forbidden) as refusal:
            accept(customer_actor(cem), offer, acceptor_id=claim)
        assert refusal.value.code == "identity-mismatch"


# When.


@pytest.mark.parametrize("state", [state for state in TransferState if state != TransferState.APPROVED])
def test_only_an_approved_transfer_is_accepted(state: TransferState, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem, state, code=CODE)
    if state == TransferState.COMPLETED:
        Device.objects.filter(pk=phone.pk).update(owner=cem)
    expected = {
        "ACCEPTED": (Conflict, "already-accepted"),
        "COMPLETED": (Conflict, "already-accepted"),
        "EXPIRED": (Expired, "transfer-expired"),
    }.get(state, (InvalidState, "transfer-state-not-valid"))
    for code in (CODE, WRONG):
        with nothing_changed(), pytest.raises(expected[0]) as refusal:
            accept(customer_actor(cem), transfer, code=code)
        assert refusal.value.code == expected[1]


def test_after_72_hours_the_code_is_worth_nothing(cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem, code=CODE, expires_at=clock.now())
    with nothing_changed(), pytest.raises(Expired):
        accept(customer_actor(cem), transfer)


def test_a_device_that_is_not_active_any_more_stays(ada: User, cem: User, phone: Device, offer: Transfer) -> None:
    Device.objects.filter(pk=phone.pk).update(status="INACTIVE", held_by="bank")
    with nothing_changed(), pytest.raises(InvalidState) as refusal:
        accept(customer_actor(cem), offer)
    assert refusal.value.code == "device-not-active"
    Device.objects.filter(pk=phone.pk).update(status="ACTIVE", held_by="", owner=make_customer(ada.bank))
    with nothing_changed(), pytest.raises(InvalidState):
        accept(customer_actor(cem), offer)


def test_before_its_date_it_is_accepted_and_the_sweep_completes_it(ada: User, cem: User, phone: Device) -> None:
    with time_machine.travel("2024-12-01T15:00:00Z", tick=False) as at:
        date = datetime(2024, 12, 5, tzinfo=UTC)
        transfer = make_transfer(phone, cem, code=CODE, effective_at=date)
        accept(customer_actor(cem), transfer)
        transfer = fresh(transfer)
        assert (transfer.state, transfer.completed_at, transfer.device.owner) == ("ACCEPTED", None, ada)
        assert left_on(phone) == ALL_CUT
        at.move_to("2024-12-04T23:59:59Z")
        with nothing_changed():
            assert sweep_transfers() == Swept(completed=0, expired=0)
        at.move_to("2024-12-05T00:00:00Z")
        assert sweep_transfers() == Swept(completed=1, expired=0)
        with nothing_changed():
            assert sweep_transfers() == Swept(completed=0, expired=0)
    transfer = fresh(transfer)
    assert (transfer.state, transfer.completed_at, transfer.device.owner) == ("COMPLETED", date, cem)
    assert left_on(phone) == {}
    told = [("link.cut", ""), ("transfer.accepted", "ACCEPTED"), ("transfer.completed", "COMPLETED")]
    assert sorted(story(phone)) == told  # two of them at one moment
    ours = AuditEvent.objects.filter(object_id=str(phone.pk)).order_by("id")
    assert [one.actor_label for one in ours] == ["Cem", "transfers.sweep", "transfers.sweep"]


def test_a_date_that_has_passed_meanwhile_means_at_once(cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem, code=CODE, effective_at=clock.now())
    assert accept(customer_actor(cem), transfer).state == "COMPLETED"


def test_an_accepted_one_can_still_be_called_off_before_its_date(ada: User, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem, TransferState.ACCEPTED)
    cancel_transfer(actor=customer_actor(ada), transfer_id=transfer.public_id)
    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert sweep_transfers() == Swept(completed=0, expired=0)
    assert left_on(phone) == ALL_CUT


def test_the_sweep_closes_what_lapsed_each_once(ada: User, cem: User) -> None:
    now = clock.now()
    lapsing = [
        make_transfer(make_device(ada), cem, state, expires_at=now) for state in ("PENDING_APPROVAL", "APPROVED")
    ]
    kept = [
        make_transfer(make_device(ada), cem, state, expires_at=now + timedelta(seconds=30))
        for state in ("PENDING_APPROVAL", "APPROVED")
    ]
    kept.append(make_transfer(make_device(ada), cem, TransferState.ACCEPTED, expires_at=now))
    assert sweep_transfers() == Swept(completed=0, expired=2)
    with nothing_changed():
        assert sweep_transfers() == Swept(completed=0, expired=0)
    assert [fresh(one).state for one in lapsing] == ["EXPIRED", "EXPIRED"]
    assert [fresh(one).state for one in kept] == ["PENDING_APPROVAL", "APPROVED", "ACCEPTED"]
    assert list(AuditEvent.objects.values_list("event", flat=True)) == ["transfer.expired"] * 2


def test_the_task_sweeps_once_in_each_half_minute(cem: User, phone: Device) -> None:
    with time_machine.travel("2024-12-05T00:00:00Z", tick=False) as at:
        transfer = make_transfer(phone, cem, TransferState.ACCEPTED, effective_at=clock.now() + timedelta(seconds=10))
        tasks.transfers_sweep()
        at.shift(29)
        tasks.transfers_sweep()  # another node was first in this slot
        assert fresh(transfer).state == "ACCEPTED"
        at.shift(1)
        tasks.transfers_sweep()
        assert fresh(transfer).state == "COMPLETED"


def test_what_cannot_change_hands_on_its_date_is_cancelled(ada: User, cem: User, phone: Device) -> None:
    transfer = make_transfer(phone, cem, TransferState.ACCEPTED, effective_at=clock.now())
    User.objects.filter(pk=cem.pk).update(is_active=False)
    assert sweep_transfers() == Swept(completed=0, expired=0)
    transfer = fresh(transfer)
    assert (transfer.state, transfer.device.owner) == ("CANCELLED", ada)
    assert transfer.end_reason == "The device could not change hands on the date."
    assert left_on(phone) == ALL_CUT


def test_one_that_fails_does_not_stop_the_others(
    ada: User, cem: User, phone: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = clock.now()
    broken = make_transfer(phone, cem, TransferState.ACCEPTED, effective_at=now - timedelta(hours=2))
    good = make_transfer(make_device(ada), cem, TransferState.ACCEPTED, effective_at=now - timedelta(hours=1))
    complete = severing.complete

    def fail_once(actor: Actor, transfer: Transfer) -> severing.Severed:
        result = complete(actor, transfer)
        if transfer.pk == broken.pk:
            raise RuntimeError("the disk is full")
        return result

    monkeypatch.setattr(severing, "complete", fail_once)
    assert sweep_transfers() == Swept(completed=1, expired=0)
    assert [fresh(one).state for one in (broken, good)] == ["ACCEPTED", "COMPLETED"]
    assert fresh(broken).device.owner == ada
    assert left_on(phone) == ALL_CUT
    assert [record.message for record in caplog.records] == ["a transfer could not be settled"]


# What is cut.


def test_nothing_of_the_old_owner_survives_and_the_preview_said_so(cem: User, phone: Device, offer: Transfer) -> None:
    assert left_on(phone) == ALL_CUT
    with nothing_changed():
        shown = severing.preview(phone)
    accept(customer_actor(cem), offer)
    assert left_on(phone) == {}
    event = AuditEvent.objects.get(event="transfer.completed")
    assert f'"ended":{_canonical(shown.counts)}' in event.data
    assert shown.counts == ALL_CUT
    assert [count for count, _ in shown.lines] == list(ALL_CUT.values())
    assert severing.lines_of(shown.counts) == shown.lines


def _canonical(counts: dict[str, int]) -> str:
    return "{" + ",".join(f'"{name}":{counts[name]}' for name in sorted(counts)) + "}"


def test_every_step_of_the_cascade_that_moves_is_furnished() -> None:
    """A step that somebody adds is tried here too."""
    assert {step.name for step in STEPS if Cut.MOVED in step.at} == set(ALL_CUT) - set(severing.TRACES)


def test_a_bare_device_moves_too(ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada, nickname=""), cem, code=CODE)
    accept(customer_actor(cem), transfer)
    assert set(severing.preview(fresh(transfer).device).counts.values()) == {0}


def test_the_new_owners_own_nickname_does_not_stand_in_the_way(ada: User, cem: User) -> None:
    make_device(cem, nickname="My Phone")
    transfer = make_transfer(make_device(ada, nickname="My Phone"), cem, code=CODE)
    assert accept(customer_actor(cem), transfer).device.nickname == ""


def test_the_device_can_move_on(ada: User, cem: User, phone: Device, offer: Transfer) -> None:
    accept(customer_actor(cem), offer)
    back = request_transfer(
        actor=customer_actor(cem), device_id=phone.public_id, new_owner_id=ada.public_id, reason="Back again"
    )
    avi = make_staff(ada.bank, Role.APPROVER)
    approve_transfer(actor=staff_actor(avi), transfer_id=back.public_id, proof=proof_of(avi))
    accept(customer_actor(ada), back, code=code_sent())
    assert fresh(back).device.owner == ada


def test_the_old_owner_cannot_switch_it_off_any_more(ada: User, cem: User, phone: Device, offer: Transfer) -> None:
    accept(customer_actor(cem), offer)
    with nothing_changed(), pytest.raises(NotFound):
        deactivate_device(actor=customer_actor(ada), device_id=phone.public_id)
