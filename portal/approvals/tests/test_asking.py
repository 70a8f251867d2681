"""The gate: what one person asks for is stored, exactly and once, and nothing else happens."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from devices.operations.activation import (
    activate_device,
    block_device,
    deactivate_device,
    unblock_device,
    unregister_device,
)
from devices.states import DeviceStatus
from devices.tests.factories import bank_actor, customer_actor, make_bank, make_customer, make_device, make_staff
from portal import vault
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals import gate, payloads, registry
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import WHY, People, ask, asked, reject, rows, stored, told
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import ApprovalRequired, Conflict, SecondPersonNeeded


def test_the_request_holds_the_exact_call_and_nothing_else_happens(people: People) -> None:
    before = people.phone.status
    with pytest.raises(ApprovalRequired) as waits:
        activate_device(actor=signed_in(people.bea), device_id=people.phone.external_id, reason=WHY)
    request = stored(waits.value.request_id)
    people.phone.refresh_from_db()
    assert people.phone.status == before == DeviceStatus.BLOCKED
    assert (request.operation, request.state, request.reason) == ("device.activate", RequestState.PENDING, WHY)
    assert (request.maker_user, request.maker_id, request.channel) == (people.bea, str(people.bea.pk), "portal")
    assert (request.object_type, request.object_id) == ("device", str(people.phone.pk))
    assert request.expires_at - request.created_at == timedelta(hours=48)
    assert payloads.open_payload(request).arguments == {"device_id": people.phone.public_id, "reason": WHY}
    assert waits.value.details == {"device_id": people.phone.public_id, "expires_at": request.expires_at}
    assert waits.value.audited
    assert told(people.phone) == [("approval.requested", f"Bea ({people.bea.username})")]


def test_the_payload_is_canonical_and_sealed_to_its_row(people: People) -> None:
    request = asked(people)
    text = payloads.open_payload(request).text
    assert text == f'{{"device_id":"{people.phone.public_id}","reason":"{WHY}"}}'
    for column in ApprovalRequest.objects.values_list("payload_sealed", "payload_digest"):
        assert people.phone.public_id not in str(column)
    whole = json.loads(vault.unseal(payloads.PURPOSE, request.pk, request.payload_sealed))
    assert set(whole) == {"request", "state", "arguments"}


def test_arguments_that_were_left_out_are_written_down_too(people: People) -> None:
    with pytest.raises(ApprovalRequired) as waits:
        unregister_device(actor=bank_actor(people.bank), device_id=str(people.phone.pk))
    arguments = payloads.open_payload(stored(waits.value.request_id)).arguments
    assert arguments == {"device_id": people.phone.public_id, "reason": "", "owned_only": False}


@pytest.mark.parametrize("spelling", ["public_id", "external_id", "pk"])
def test_the_same_again_names_the_same_request_and_is_quiet(people: People, spelling: str) -> None:
    first = asked(people)
    before = rows()
    with pytest.raises(ApprovalRequired) as waits:
        unblock_device(
            actor=signed_in(people.bea), device_id=str(getattr(people.phone, spelling)), reason=WHY, owned_only=True
        )
    assert waits.value.request_id == first.public_id
    assert rows() == before
    assert AuditEvent.objects.count() == 1


def test_the_same_by_another_door_is_the_same_persons(people: People) -> None:
    first = asked(people)
    api = replace(signed_in(people.bea), channel=Channel.ADIBA)
    assert ask(api, people.phone) == first


def test_another_reason_waits_for_the_first_request_to_end(people: People) -> None:
    first = asked(people)
    before = rows()
    with pytest.raises(Conflict) as refusal:
        ask(signed_in(people.bea), people.phone, "Another reason")
    assert (refusal.value.code, refusal.value.details) == ("approval-pending", {"request": first.public_id})
    assert "You have asked for this already" in refusal.value.message
    assert rows() == before
    reject(people.avi, first)
    assert ask(signed_in(people.bea), people.phone, "Another reason") != first


def test_somebody_elses_request_is_not_ones_own(people: People) -> None:
    first = asked(people)
    before = rows()
    dan = make_staff(people.bank, Role.OPERATOR, "Dan")
    for actor in (signed_in(dan), bank_actor(people.bank)):
        for reason in (WHY, "Another"):
            with pytest.raises(Conflict) as refusal:
                ask(actor, people.phone, reason)
            assert (refusal.value.code, refusal.value.details) == ("approval-pending", {"request": first.public_id})
            assert "Somebody else" in refusal.value.message
    assert rows() == before
    assert AuditEvent.objects.count() == 1


def test_two_operations_may_wait_at_one_device(people: People) -> None:
    ask(bank_actor(people.bank), people.phone)
    ask(bank_actor(people.bank), people.phone, operation=unregister_device)
    assert ApprovalRequest.objects.open().about(people.phone).count() == 2


@pytest.mark.parametrize("marked", [True, False])
def test_a_request_whose_time_ran_out_does_not_stand_in_the_way(people: People, marked: bool) -> None:
    first = asked(people)
    with time_machine.travel(first.expires_at):
        if marked:
            ApprovalRequest.objects.update(state=RequestState.EXPIRED, closed_at=clock.now())
        second = asked(people)
    first.refresh_from_db()
    assert (first.state, second.state) == (RequestState.EXPIRED, RequestState.PENDING)
    names = [name for name, _ in told(people.phone)]
    assert names == ["approval.requested", *([] if marked else ["approval.expired"]), "approval.requested"]


def test_inside_a_transaction_nothing_is_stored_because_the_refusal_would_undo_it(people: People) -> None:
    before = rows()
    with pytest.raises(SecondPersonNeeded), transaction.atomic():
        asked(people)
    assert rows() == before
    assert AuditEvent.objects.count() == 0


def test_who_cannot_ask_is_refused(people: People) -> None:
    before = rows()
    with pytest.raises(SecondPersonNeeded) as refusal:
        activate_device(actor=Actor.system("fix", channel=Channel.COMMAND), device_id=str(people.phone.pk))
    assert refusal.value.code == "needs-second-person"
    assert rows() == before
    assert AuditEvent.objects.count() == 0


def test_our_own_work_inside_a_bank_asks_in_its_name(people: People) -> None:
    assert ask(Actor.system("fix", bank_id=people.bank.pk), people.phone).maker_label == "fix"


def test_what_needs_nobody_is_done_at_once(people: People) -> None:
    phone = make_device(people.ada, DeviceStatus.INACTIVE)
    assert activate_device(actor=signed_in(people.bea), device_id=str(phone.pk), reason=WHY).changed
    assert ApprovalRequest.objects.count() == 0


def test_a_foreign_or_unknown_device_is_unknown_and_nothing_is_stored(people: People) -> None:
    cem = make_device(make_customer(make_bank(), "Cem"), DeviceStatus.BLOCKED)
    for device_id in (str(cem.pk), cem.public_id, "DEV_unknown"):
        with pytest.raises(Exception, match="There is no such device"):
            activate_device(actor=signed_in(people.bea), device_id=device_id, reason=WHY)
    assert ApprovalRequest.objects.count() == 0


# By the bank's policy.


@pytest.fixture
def careful(people: People) -> People:
    """The bank wants a second person for each deactivation."""
    ApprovalPolicy.objects.create(
        bank=people.bank, required=["device.deactivate"], bulk_threshold=10, updated_at=clock.now()
    )
    return people


def test_the_banks_policy_asks_staff_and_the_banks_server_each_time(careful: People) -> None:
    for actor in (signed_in(careful.bea), bank_actor(careful.bank)):
        phone = make_device(careful.ada)
        assert ask(actor, phone, operation=deactivate_device).operation == "device.deactivate"
        phone.refresh_from_db()
        assert phone.is_active


def test_the_policy_asks_neither_owners_nor_other_banks_nor_for_what_is_so_already(careful: People) -> None:
    owner = customer_actor(careful.ada)
    own = make_device(careful.ada)
    assert deactivate_device(actor=owner, device_id=str(own.pk)).changed
    cem = make_device(make_customer(make_bank(), "Cem"))
    assert deactivate_device(actor=bank_actor(cem.bank), device_id=str(cem.pk)).changed
    off = make_device(careful.ada, DeviceStatus.INACTIVE)
    assert not deactivate_device(actor=bank_actor(careful.bank), device_id=str(off.pk)).changed
    assert ApprovalRequest.objects.count() == 0


def test_the_policy_never_slows_a_block(careful: People) -> None:
    assert block_device(
        actor=signed_in(careful.bea), device_id=str(make_device(careful.ada).pk), reason="Lost"
    ).changed


# Several requests at one object, as cards for one customer.


def test_several_wait_beside_each_other_where_the_operation_says_so(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_OPERATIONS", {})

    @gate.four_eyes(registry.FourEyes(name="test.several", label="Test", several=True))
    @transaction.atomic
    def issue(*, actor: Actor, kind: str) -> None:
        raise SecondPersonNeeded(about=people.ada)

    found = []
    for kind in ("card", "token", "card"):
        with pytest.raises(ApprovalRequired) as waits:
            issue(actor=signed_in(people.bea), kind=kind)
        found.append(waits.value.request_id)
    assert found[0] == found[2] != found[1]
    assert ApprovalRequest.objects.open().about(people.ada).count() == 2
