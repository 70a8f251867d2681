"""People and sweeps that come at the same moment, each in a thread and a connection of its own."""

from collections.abc import Callable

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_staff
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals.lapse import expire_requests
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import WHY, People, approve, ask, asked, make_people, reject, withdraw
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, Expired
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 10


@pytest.fixture
def people(transactional_db: None) -> People:
    return make_people()


def count(event: str) -> int:
    return AuditEvent.objects.filter(event=event).count()


def test_of_many_approvers_one_decides(people: People) -> None:
    request = asked(people)
    approvers = [make_staff(people.bank, Role.APPROVER, f"Approver {number}") for number in range(8)]
    outcomes = race(8, lambda number: approve(approvers[number], request))
    won = [outcome for outcome in outcomes if isinstance(outcome, ApprovalRequest)]
    lost = [outcome.code for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(won), lost) == (1, ["already-decided"] * 7)
    request.refresh_from_db()
    assert (request.state, request.decided_by) == (RequestState.DONE, won[0].decided_by)
    assert Device.objects.get(pk=people.phone.pk).status == DeviceStatus.ACTIVE
    assert (count("approval.granted"), count("device.unblocked"), count("approval.failed")) == (1, 1, 0)


def test_yes_and_no_at_once_have_one_outcome(people: People) -> None:
    dan = make_staff(people.bank, Role.APPROVER, "Dan")
    for round_number in range(1, ROUNDS + 1):
        Device.objects.filter(pk=people.phone.pk).update(status="BLOCKED", held_by="bank")
        request = asked(people)
        deeds: list[Callable[[], object]] = [
            lambda request=request: approve(people.avi, request),  # type: ignore[misc]
            lambda request=request: reject(dan, request),  # type: ignore[misc]
        ]
        outcomes = race(2, lambda number, deeds=deeds: deeds[number]())  # type: ignore[misc]
        refusals = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert [error.code for error in refusals if isinstance(error, Conflict)] == ["already-decided"]
        request.refresh_from_db()
        phone = Device.objects.get(pk=people.phone.pk)
        assert request.state in {RequestState.DONE, RequestState.REJECTED}
        assert phone.is_active == (request.state == RequestState.DONE)
        assert count("approval.granted") + count("approval.rejected") == round_number
        assert count("device.unblocked") == count("approval.granted")


def test_yes_while_it_is_withdrawn_and_while_the_sweep_comes(people: People) -> None:
    request = asked(people)
    deeds: list[Callable[[], object]] = [
        lambda: approve(people.avi, request),
        lambda: withdraw(people.bea, request),
        expire_requests,
        expire_requests,
    ]
    outcomes = race(4, lambda number: deeds[number]())
    assert outcomes[2:] == [0, 0]
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Conflict)] == ["already-decided"]
    request.refresh_from_db()
    assert request.state in {RequestState.DONE, RequestState.WITHDRAWN}
    assert Device.objects.get(pk=people.phone.pk).is_active == (request.state == RequestState.DONE)
    assert count("approval.granted") + count("approval.withdrawn") == 1


def test_at_the_end_of_its_time_it_is_never_both_decided_and_expired(people: People) -> None:
    request = asked(people)
    with time_machine.travel(request.expires_at):
        deeds: list[Callable[[], object]] = [lambda: approve(people.avi, request), expire_requests, expire_requests]
        outcomes = race(3, lambda number: deeds[number]())
    assert isinstance(outcomes[0], Expired)
    assert sorted(outcome for outcome in outcomes[1:] if isinstance(outcome, int)) == [0, 1]
    request.refresh_from_db()
    assert (request.state, count("approval.expired"), count("approval.granted")) == (RequestState.EXPIRED, 1, 0)


def test_the_same_asked_by_many_threads_is_one_request(people: People) -> None:
    outcomes = race(8, lambda number: ask(signed_in(people.bea), people.phone).public_id)
    assert len(set(map(str, outcomes))) == 1
    assert (ApprovalRequest.objects.count(), count("approval.requested")) == (1, 1)


def test_of_many_people_who_ask_for_the_same_one_does(people: People) -> None:
    staff = [make_staff(people.bank, Role.OPERATOR, f"Operator {number}") for number in range(8)]
    outcomes = race(8, lambda number: ask(signed_in(staff[number]), people.phone, f"{WHY} {number}"))
    assert sum(isinstance(outcome, ApprovalRequest) for outcome in outcomes) == 1
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Conflict)] == ["approval-pending"] * 7
    assert (ApprovalRequest.objects.count(), count("approval.requested")) == (1, 1)
