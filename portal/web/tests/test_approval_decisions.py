"""Approving, rejecting and withdrawing in the browser."""

from datetime import timedelta

import pytest
import time_machine

from devices.states import DeviceStatus
from devices.tests.factories import bank_actor, make_device, make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import code_at, enrol
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import NO, YES, People, ask, asked, make_people, reject
from portal.core.errors import InvalidState
from portal.web.tests.approving import decision, is_active, page_of, state_of, told, url
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(db: None) -> People:
    return make_people()


@pytest.fixture
def request_(people: People) -> ApprovalRequest:
    return asked(people)


def test_a_yes_with_a_fresh_code_carries_it_out(people: People, request_: ApprovalRequest) -> None:
    secret, _ = enrol(people.avi)
    client = signed_in_client(people.avi)
    answer = client.post(url(request_, "decide"), decision(request_, code_at(secret)), follow=True)
    assert answer.redirect_chain == [(url(request_), 302)]
    assert told(answer) == ["You approved it, and it was carried out."]
    assert (state_of(request_), is_active(people)) == (RequestState.DONE, True)
    for text in ("Approved and carried out", YES, "Sessions terminated"):
        assert text in page_of(answer)
    assert refusals() == []


def test_a_no_with_a_backup_code_changes_nothing(people: People, request_: ApprovalRequest) -> None:
    _, codes = enrol(people.avi)
    client = signed_in_client(people.avi)
    form = decision(request_, codes[0], decision="reject", reason="Two\nlines")
    answer = client.post(url(request_, "decide"), form, follow=True)
    assert told(answer) == ["You rejected it. Nothing was changed."]
    assert (state_of(request_), is_active(people)) == (RequestState.REJECTED, False)
    assert ApprovalRequest.objects.get().decision_reason == "Two lines"


def test_what_cannot_be_carried_out_says_why(people: People, request_: ApprovalRequest) -> None:
    secret, _ = enrol(people.avi)
    User.objects.filter(pk=people.bea.pk).update(is_active=False)
    answer = signed_in_client(people.avi).post(
        url(request_, "decide"), decision(request_, code_at(secret)), follow=True
    )
    assert told(answer) == [
        "You approved it, but it could not be carried out: Whoever asked may not ask any more. Nothing was changed."
    ]
    assert "maker-gone" in page_of(answer)
    assert (state_of(request_), is_active(people)) == (RequestState.FAILED, False)


def test_a_wrong_code_is_counted_and_decides_nothing(people: People, request_: ApprovalRequest) -> None:
    enrol(people.avi)
    answer = signed_in_client(people.avi).post(url(request_, "decide"), decision(request_, "000000"))
    assert (answer.status_code, state_of(request_)) == (422, RequestState.PENDING)
    assert "The code is not right, or was used before." in page_of(answer)
    assert YES in page_of(answer)
    assert [(event, code) for event, code, _, _ in refusals()] == [("second-factor.refused", "second-factor-wrong")]


def test_without_an_authenticator_nothing_is_decided(
    people: People, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken away between the page and the code."""

    def gone(**arguments: object) -> None:
        raise InvalidState("No authenticator is set up.", code="second-factor-not-enrolled")

    monkeypatch.setattr("portal.web.attempts.verify_second_factor", gone)
    answer = signed_in_client(people.avi).post(url(request_, "decide"), decision(request_, "000000"))
    assert (answer.status_code, state_of(request_), is_active(people)) == (409, RequestState.PENDING, False)
    told_of = ("request.refused", "second-factor-not-enrolled", str(people.avi.pk), str(request_.pk))
    assert refusals() == [told_of]


@pytest.mark.parametrize("missing", ["reason", "code", "seen", "decision"])
def test_a_form_with_something_missing_decides_nothing(
    people: People, request_: ApprovalRequest, missing: str
) -> None:
    secret, _ = enrol(people.avi)
    form = decision(request_, code_at(secret)) | {missing: ""}
    answer = signed_in_client(people.avi).post(url(request_, "decide"), form)
    assert (answer.status_code, state_of(request_)) == (422, RequestState.PENDING)


def test_what_was_not_shown_is_not_approved(people: People, request_: ApprovalRequest) -> None:
    secret, _ = enrol(people.avi)
    form = decision(request_, code_at(secret), seen="0" * 64)
    answer = signed_in_client(people.avi).post(url(request_, "decide"), form)
    assert (answer.status_code, state_of(request_)) == (409, RequestState.PENDING)
    assert "This is not what you were shown." in page_of(answer)
    assert f'value="{"0" * 64}"' not in page_of(answer)
    assert [(code, about) for _, code, _, about in refusals()] == [("payload-changed", str(request_.pk))]


def test_who_asked_cannot_decide_and_keeps_the_code(people: People) -> None:
    """By a token of the API first, in the browser then: the same person."""
    request = asked(people)
    User.objects.filter(pk=people.bea.pk).update(role=Role.APPROVER, is_superuser=True)
    people.bea.refresh_from_db()
    secret, _ = enrol(people.bea)
    client, code = signed_in_client(people.bea), code_at(secret)
    answer = client.post(url(request, "decide"), decision(request, code))
    assert (answer.status_code, state_of(request), is_active(people)) == (403, RequestState.PENDING, False)
    assert [(found, about) for _, found, _, about in refusals()] == [("maker-is-checker", str(request.pk))]
    other = ask(bank_actor(people.bank), make_device(people.ada, DeviceStatus.BLOCKED))
    assert client.post(url(other, "decide"), decision(other, code)).status_code == 302


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR, Role.SECURITY_OFFICER, Role.AUDITOR])
def test_without_the_right_nobody_decides(people: People, request_: ApprovalRequest, role: str) -> None:
    dan = make_staff(people.bank, role, "Dan")
    secret, _ = enrol(dan)
    answer = signed_in_client(dan).post(url(request_, "decide"), decision(request_, code_at(secret)))
    assert (answer.status_code, state_of(request_)) == (403, RequestState.PENDING)
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]


def test_somebody_was_faster(people: People, request_: ApprovalRequest) -> None:
    secret, _ = enrol(people.avi)
    dan = make_staff(people.bank, Role.APPROVER, "Dan")
    reject(dan, request_)
    answer = signed_in_client(people.avi).post(url(request_, "decide"), decision(request_, code_at(secret)))
    assert answer.status_code == 409
    page = page_of(answer)
    for text in ("This has been decided already.", "Rejected", "Dan", NO):
        assert text in page
    assert 'value="approve"' not in page
    assert [code for _, code, _, _ in refusals()] == ["already-decided"]


def test_its_time_ran_out(people: People, request_: ApprovalRequest) -> None:
    with time_machine.travel(request_.expires_at + timedelta(seconds=1)):
        secret, _ = enrol(people.avi)
        answer = signed_in_client(people.avi).post(url(request_, "decide"), decision(request_, code_at(secret)))
        assert answer.status_code == 410
        assert "Nobody decided in time." in page_of(answer)
    assert [code for _, code, _, _ in refusals()] == ["request-expired"]


def test_withdrawing_and_nobody_elses(people: People, request_: ApprovalRequest) -> None:
    answer = signed_in_client(people.avi).post(url(request_, "withdraw"))
    assert (answer.status_code, state_of(request_)) == (403, RequestState.PENDING)
    assert [code for _, code, _, _ in refusals()] == ["not-the-maker"]
    answer = signed_in_client(people.bea).post(url(request_, "withdraw"), follow=True)
    assert (told(answer), state_of(request_)) == (
        ["The request was withdrawn. Nothing was changed."],
        RequestState.WITHDRAWN,
    )


def test_deciding_and_withdrawing_are_posts(people: People, request_: ApprovalRequest) -> None:
    client = signed_in_client(people.avi)
    for step in ("decide", "withdraw"):
        assert client.get(url(request_, step)).status_code == 405
    strict = signed_in_client(people.avi, enforce_csrf_checks=True)
    assert strict.post(url(request_, "decide"), decision(request_, "1")).status_code == 403
