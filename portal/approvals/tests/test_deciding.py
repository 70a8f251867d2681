"""Deciding: who may, what exactly runs, in whose name, and what is refused."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import time_machine

from devices.operations.activation import activate_device, unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import bank_actor, customer_actor, make_bank, make_staff, make_token
from portal.accounts.actors import actor_from_token
from portal.accounts.models import AccessToken, User
from portal.accounts.roles import Role, capabilities_of
from portal.accounts.tests.people import proof_of, signed_in
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import (
    NO,
    WHY,
    YES,
    People,
    approve,
    ask,
    asked,
    refused,
    reject,
    server_of,
    status_of,
    told,
    withdraw,
)
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Channel
from portal.core.errors import (
    Conflict,
    Expired,
    Forbidden,
    InvalidInput,
    NotFound,
)

# What a yes does.


def test_the_approved_call_runs_in_its_makers_name_and_the_timeline_tells_it_in_order(people: People) -> None:
    request = approve(people.avi, asked(people))
    assert status_of(people.phone) == DeviceStatus.ACTIVE
    assert (request.state, request.decided_by, request.decision_reason) == (RequestState.DONE, people.avi, YES)
    assert request.result == {
        "device_id": people.phone.public_id,
        "status": "ACTIVE",
        "changed": True,
        "sessions_terminated": 0,
    }
    bea, avi = (f"{person.name} ({person.username})" for person in (people.bea, people.avi))
    assert told(people.phone) == [
        ("approval.requested", bea),
        ("approval.granted", avi),
        ("device.unblocked", bea),
    ]
    done = AuditEvent.objects.get(event="device.unblocked")
    assert (done.reason, done.request_id) == (WHY, "request-1")
    assert f'"approval":{{"by":"{avi}","id":"{request.public_id}"}}' in done.data


def test_it_runs_what_was_asked_for_whatever_the_caller_wrote_since(people: People) -> None:
    """The device is named by our own id: its external identifier may mean another one by now."""
    activate = lambda **named: activate_device(**(named | {"device_id": people.phone.external_id}))  # noqa: E731
    request = ask(signed_in(people.bea), people.phone, operation=activate)
    people.phone.set_external_id("imei", "350000000000777")
    people.phone.save()
    assert approve(people.avi, request).state == RequestState.DONE


def test_a_no_changes_nothing(people: People) -> None:
    request = reject(people.avi, asked(people))
    assert status_of(people.phone) == DeviceStatus.BLOCKED
    assert (request.state, request.decided_by, request.decision_reason) == (RequestState.REJECTED, people.avi, NO)
    assert [event for event, _ in told(people.phone)] == ["approval.requested", "approval.rejected"]


def test_the_banks_server_asks_and_staff_decide(people: People) -> None:
    server = server_of(people.bank)
    request = approve(people.avi, ask(server, people.phone, operation=unregister_device))
    assert (request.state, status_of(people.phone)) == (RequestState.DONE, DeviceStatus.RETIRED)
    retired = AuditEvent.objects.get(event="device.unregistered")
    assert (retired.actor_kind, retired.actor_id, retired.channel) == ("bank", server.id, "adiba")


# Who may not decide.


def both(person: User, request: ApprovalRequest, **values: object) -> list[Callable[[], object]]:
    return [partial(approve, person, request, **values), partial(reject, person, request, **values)]


def test_who_asked_cannot_decide_even_with_the_right(people: People) -> None:
    request = asked(people)
    User.objects.filter(pk=people.bea.pk).update(role=Role.APPROVER)
    people.bea.refresh_from_db()
    for work in both(people.bea, request):
        refused(people, Forbidden, "maker-is-checker", work)


@pytest.mark.parametrize("door", [Channel.ADIBA, Channel.ASSECO])
def test_who_asked_by_an_api_token_cannot_decide_in_the_browser(people: People, door: Channel) -> None:
    make_token(user=people.bea)
    by_token = actor_from_token(AccessToken.objects.get(user=people.bea), channel=door)
    request = ask(by_token, people.phone)
    assert (request.channel, request.maker_user) == (door, people.bea)
    User.objects.filter(pk=people.bea.pk).update(role=Role.APPROVER)
    people.bea.refresh_from_db()
    for work in both(people.bea, request):
        refused(people, Forbidden, "maker-is-checker", work)


def test_a_superuser_is_nobody_special(people: People) -> None:
    request = asked(people)
    for role, code in ((Role.APPROVER, "maker-is-checker"), (Role.ADMINISTRATOR, "capability-missing")):
        User.objects.filter(pk=people.bea.pk).update(role=role, is_superuser=True)
        people.bea.refresh_from_db()
        for work in both(people.bea, request):
            refused(people, Forbidden, code, work)


@pytest.mark.parametrize(
    "role", [Role.SUPPORT, Role.OPERATOR, Role.SECURITY_OFFICER, Role.AUDITOR, Role.ADMINISTRATOR]
)
def test_without_the_right_the_answer_is_the_same_whether_or_not_there_is_a_request(
    people: People, role: str
) -> None:
    request = asked(people)
    person = make_staff(people.bank, role, "Dan")
    unknown = "APR_00000000000000000000000000"
    for request_id in (request.public_id, unknown):
        for work in both(person, request, request_id=request_id):
            refused(people, Forbidden, "capability-missing", work)


def test_only_people_decide(people: People) -> None:
    request = asked(people)
    for actor, code in (
        (Actor.system("robot", bank_id=people.bank.pk), "staff-only"),
        (bank_actor(people.bank), "capability-missing"),
        (customer_actor(people.ada), "capability-missing"),
    ):
        for work in both(people.avi, request, actor=actor):
            refused(people, Forbidden, code, work)


def test_another_banks_request_is_unknown(people: People) -> None:
    request = asked(people)
    cem = make_staff(make_bank(), Role.APPROVER, "Cem")
    for request_id in (request.public_id, "APR_00000000000000000000000000", "APR_x", "", str(request.pk)):
        for work in both(cem, request, request_id=request_id):
            refused(people, NotFound, "not-found", work)


def test_a_decision_takes_the_approvers_own_fresh_second_factor(people: People) -> None:
    request = asked(people)
    for proof in (None, proof_of(people.bea), proof_of(people.avi, age=timedelta(minutes=5, seconds=1))):
        for work in both(people.avi, request, proof=proof):
            refused(people, Forbidden, "second-factor-needed", work)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "two\nlines", "for 4111_1111_1111_1111"])
def test_a_decision_says_why(people: People, reason: str) -> None:
    request = asked(people)
    for work in both(people.avi, request, reason=reason):
        refused(people, InvalidInput, "invalid-input", work)


def test_what_the_approver_did_not_see_does_not_run(people: People) -> None:
    request = asked(people)
    for seen in ("", request.payload_digest[:-1], "0" * 64, "ä"):
        refused(people, Conflict, "payload-changed", partial(approve, people.avi, request, seen=seen))


def test_no_role_both_takes_such_steps_and_decides_on_them() -> None:
    makers = {"devices.activate", "devices.block", "devices.issue", "pins.reset", "approvals.policy"}
    for role in Role:
        rights = capabilities_of(role)
        assert not ("approvals.decide" in rights and rights & makers), role


# Once.


@pytest.mark.parametrize("first", [approve, reject])
def test_a_decision_is_made_once(people: People, first: Callable[..., ApprovalRequest]) -> None:
    request = asked(people)
    first(people.avi, request)
    other = make_staff(people.bank, Role.APPROVER, "Dan")
    for person in (people.avi, other):
        for work in both(person, request):
            refused(people, Conflict, "already-decided", work)


def test_after_its_time_nobody_decides(people: People) -> None:
    request = asked(people)
    with time_machine.travel(request.expires_at):
        for work in both(people.avi, request):
            refused(people, Expired, "request-expired", work)
        refused(people, Expired, "request-expired", partial(withdraw, people.bea, request))


def test_a_moment_before_its_end_somebody_decides(people: People) -> None:
    request = asked(people)
    with time_machine.travel(request.expires_at - timedelta(milliseconds=1), tick=False):
        assert approve(people.avi, request).state == RequestState.DONE


# Withdrawing.


def test_who_asked_takes_it_back_and_a_repeat_is_quiet(people: People) -> None:
    request = asked(people)
    for _ in range(2):
        closed = withdraw(people.bea, request)
        assert (closed.state, closed.decided_by) == (RequestState.WITHDRAWN, None)
    assert [event for event, _ in told(people.phone)] == ["approval.requested", "approval.withdrawn"]
    for work in both(people.avi, request):
        refused(people, Conflict, "already-decided", work)


def test_nobody_else_takes_it_back(people: People) -> None:
    request = asked(people)
    dan = make_staff(people.bank, Role.OPERATOR, "Dan")
    for person in (people.avi, dan):
        refused(people, Forbidden, "not-the-maker", partial(withdraw, person, request))
    cem = make_staff(make_bank(), Role.OPERATOR, "Cem")
    refused(people, NotFound, "not-found", partial(withdraw, cem, request))


def test_what_was_decided_cannot_be_taken_back(people: People) -> None:
    request = reject(people.avi, asked(people))
    refused(people, Conflict, "already-decided", partial(withdraw, people.bea, request))
