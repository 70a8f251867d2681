"""The approvals pages: what a second person is shown, and what the buttons do."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse

from devices.models import Device
from devices.operations.activation import unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import bank_actor, make_bank, make_customer, make_device, make_staff, make_token
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import code_at, enrol, signed_in
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalRequest
from portal.approvals.policy import policy_of
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import NO, WHY, YES, People, approve, ask, asked, make_people, reject, server_of
from portal.approvals.tests.test_tampering import in_sql
from portal.audit.models import AuditEvent
from portal.core.errors import ApprovalRequired, DomainError
from portal.web.access import StaffRequest
from portal.web.access import signed_in as door
from portal.web.forms import PortalForm
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
LIST, POLICY = "/approvals", "/approvals/policy"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def people(db: None) -> People:
    return make_people()


@pytest.fixture
def request_(people: People) -> ApprovalRequest:
    return asked(people)


def page_of(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def url(request: ApprovalRequest, step: str = "") -> str:
    return f"/approvals/{request.public_id}" + (f"/{step}" if step else "")


def decision(request: ApprovalRequest, code: str, **values: str) -> dict[str, str]:
    return {"seen": request.payload_digest, "reason": YES, "code": code, "decision": "approve", **values}


def state_of(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.values_list("state", flat=True).get(pk=request.pk)


def is_active(people: People) -> bool:
    return Device.objects.get(pk=people.phone.pk).is_active


# The inbox.


def test_the_inbox_shows_what_waits_and_how_many_are_in_each_state(people: People, request_: ApprovalRequest) -> None:
    reject(people.avi, ask(signed_in(people.bea), make_device(people.ada, DeviceStatus.BLOCKED)))
    answer = signed_in_client(people.avi).get(LIST)
    assert [row["public_id"] for row in answer.context["requests"]] == [request_.public_id]
    counts = {tab["value"]: tab["count"] for tab in answer.context["tabs"]}
    assert {value: count for value, count in counts.items() if count} == {"PENDING": 1, "REJECTED": 1, "all": 2}
    for text in ("Activate a device", str(people.phone), WHY, f"Bea ({people.bea.username})", "Waiting"):
        assert text in page_of(answer)
    for tab in answer.context["tabs"]:
        assert len(signed_in_client(people.avi).get(tab["url"]).context["requests"]) == tab["count"]


def test_an_unknown_state_shows_what_waits(people: People, request_: ApprovalRequest) -> None:
    answer = signed_in_client(people.avi).get(f"{LIST}?state=x&cursor=y")
    assert (answer.status_code, answer.context["state"], len(answer.context["requests"])) == (200, "PENDING", 1)


def test_an_empty_inbox_says_so(people: People) -> None:
    assert "Nothing waits" in page_of(signed_in_client(people.avi).get(LIST))


def test_htmx_gets_the_rows_only(people: People, request_: ApprovalRequest) -> None:
    page = page_of(signed_in_client(people.avi).get(LIST, headers={"HX-Request": "true"}))
    assert "Activate a device" in page
    assert "<html" not in page


def test_the_inbox_costs_the_same_however_long_it_is(people: People) -> None:
    client = signed_in_client(people.avi)
    client.get(LIST)
    for number in (1, 24):
        for _ in range(number):
            ask(signed_in(people.bea), make_device(people.ada, DeviceStatus.BLOCKED))
        with at_most(9):
            assert len(client.get(LIST).context["requests"]) == (1 if number == 1 else 25)


@pytest.mark.parametrize("path", [LIST, POLICY, "/approvals/APR_00000000000000000000000000"])
def test_without_the_right_there_is_nothing_to_see(people: People, path: str) -> None:
    max_ = make_staff(people.bank, Role.ADMINISTRATOR, "Max")
    answer = signed_in_client(max_).get(path)
    assert answer.status_code == 403
    assert [(code, who) for _, code, who, _ in refusals()] == [("capability-missing", str(max_.pk))]


# A request.


def test_a_second_person_sees_everything_that_counts(people: People, request_: ApprovalRequest) -> None:
    answer = signed_in_client(people.avi).get(url(request_))
    page = page_of(answer)
    for text in (
        f'{{"device_id":"{people.phone.public_id}","reason":"{WHY}"}}',  # letter for letter
        f"Bea ({people.bea.username})",
        "Portal",
        WHY,
        "may use banking services again",
        "48 h 0 min left",
        request_.public_id,
        request_.payload_digest[:16],
        f'href="/devices/{people.phone.pk}"',
        'value="approve"',
        'value="reject"',
    ):
        assert text in page, text
    assert re.search(rf'type="hidden" name="seen" value="{request_.payload_digest}"', page)
    assert page.index("disabled hidden") < page.index('value="approve"')  # Enter decides nothing


def test_the_preview_counts_what_would_end(people: People) -> None:
    phone = make_device(people.ada)
    for _ in range(2):
        make_token(user=people.ada, device=phone)
    Device.objects.filter(pk=phone.pk).update(status="BLOCKED", held_by="bank", switched_off_at=phone.updated_at)
    request = ask(server_of(people.bank), phone, operation=unregister_device)
    preview = signed_in_client(people.avi).get(url(request)).context["asked"]["preview"]
    assert [(line["count"], line["text"]) for line in preview] == [
        (2, "open sessions are ended"),
        (None, "Its identifier may be registered anew."),
    ]
    assert approve(people.avi, request).result["sessions_terminated"] == 2


def test_who_asked_is_offered_to_withdraw_and_nothing_else(people: People, request_: ApprovalRequest) -> None:
    page = page_of(signed_in_client(people.bea).get(url(request_)))
    assert "Withdraw the request" in page
    assert 'value="approve"' not in page


def test_who_may_not_decide_is_told_who_can(people: People, request_: ApprovalRequest) -> None:
    sam = make_staff(people.bank, Role.SUPPORT, "Sam")
    page = page_of(signed_in_client(sam).get(url(request_)))
    assert "Roles that have it: approver." in page
    assert 'value="approve"' not in page
    assert "Withdraw the request" not in page


def test_unknown_and_foreign_requests_are_one_page(people: People, request_: ApprovalRequest) -> None:
    cem = make_staff(make_bank(), Role.APPROVER, "Cem")
    client = signed_in_client(cem)
    for path in (url(request_), "/approvals/APR_00000000000000000000000000", "/approvals/x"):
        assert client.get(path).status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 3


def test_a_row_that_was_tampered_with_says_so_and_cannot_be_approved(
    people: People, request_: ApprovalRequest
) -> None:
    in_sql(request_, maker_label="Somebody")
    page = page_of(signed_in_client(people.avi).get(url(request_)))
    assert "The stored request is not the one that was asked for." in page
    assert 'value="approve"' not in page
    assert 'value="reject"' in page


def test_hostile_texts_are_text(people: People) -> None:
    people.bea.name = HOSTILE
    people.bea.save()
    request = ask(signed_in(people.bea), people.phone, HOSTILE)
    client = signed_in_client(people.avi)
    for path in (LIST, url(request), f"/devices/{people.phone.pk}"):
        assert "<script>alert" not in client.get(path).content.decode()


# Deciding.


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


# Other pages.


def test_a_form_whose_work_waits_says_so_on_the_objects_page(people: People) -> None:
    client = signed_in_client(people.bea)
    answer = client.post(f"/devices/{people.phone.pk}/activate", {"reason": WHY}, follow=True)
    request = ApprovalRequest.objects.get()
    assert answer.redirect_chain == [(f"/devices/{people.phone.pk}", 302)]
    [message] = told(answer)
    assert "It takes a second person. The request waits for one." in message
    assert f'<a href="{url(request)}">See the request</a>' in message
    assert (is_active(people), refusals()) == (False, [])


def test_the_object_shows_what_waits_and_its_timeline_who_approved(people: People) -> None:
    request = asked(people)
    client = signed_in_client(people.avi)
    page = page_of(client.get(f"/devices/{people.phone.pk}"))
    assert "Waiting for a second person: Activate a device." in page
    assert f'href="{url(request)}"' in page
    approve(people.avi, request)
    page = page_of(client.get(f"/devices/{people.phone.pk}"))
    assert "Waiting for a second person" not in page
    assert f"approved by Avi ({people.avi.username})" in page


def test_the_menu_counts_what_waits_for_oneself(people: People, request_: ApprovalRequest) -> None:
    def count(person: User) -> int:
        nav = signed_in_client(person).get("/account").context["nav"]
        return int(next(entry["count"] for entry in nav if entry["label"] == "Approvals"))

    assert (count(people.avi), count(people.bea)) == (1, 0)
    reject(people.avi, request_)
    assert count(people.avi) == 0


def test_the_dashboard_counts_what_waits(people: People, request_: ApprovalRequest) -> None:
    def tile(person: User) -> tuple[object, object]:
        found = next(
            tile for tile in signed_in_client(person).get("/").context["tiles"] if tile["label"] == "Approvals"
        )
        return found["value"], found["note"]

    assert tile(people.avi) == (1, "wait for you")
    assert tile(people.bea) == (1, "wait for a second person")
    User.objects.filter(pk=people.bea.pk).update(role=Role.APPROVER)
    people.bea.refresh_from_db()
    assert tile(people.bea) == (1, "wait, 0 of them for you")


def test_a_refusals_event_leads_to_the_request(people: People, request_: ApprovalRequest) -> None:
    signed_in_client(people.avi).post(url(request_, "withdraw"))
    event = AuditEvent.objects.get(code="not-the-maker")
    page = signed_in_client(people.avi).get(reverse("audit:detail", args=[event.pk])).content.decode()
    assert url(request_) in page


class _Form(PortalForm):
    pass


def test_any_form_may_wait(people: People, request_: ApprovalRequest) -> None:
    """A view that shows refusals on its form needs no line of its own for what waits."""

    @door
    def view(request: StaffRequest) -> HttpResponse:
        form = _Form()
        try:
            raise ApprovalRequired("It waits.", request_id=request_.public_id)
        except DomainError as error:
            form.refuse(error)
        raise AssertionError("unreachable")

    request = HttpRequest()
    request.method = "POST"
    request.user = people.bea
    people.bea.otp_device = object()  # type: ignore[attr-defined]
    answer = view(request)
    assert (answer.status_code, answer["Location"]) == (302, url(request_))


# The policy.


@pytest.fixture
def cleo(people: People) -> Client:
    return signed_in_client(make_staff(people.bank, Role.SECURITY_OFFICER, "Cleo"))


def wish(**values: Any) -> dict[str, Any]:
    return {"required": ["device.deactivate"], "bulk_threshold": "5", "reason": "After the audit", **values}


def test_the_policy_shows_what_takes_two_people_and_when(people: People) -> None:
    answer = signed_in_client(people.avi).get(POLICY)
    marks = {operation["label"]: operation["mark"] for operation in answer.context["operations"]}
    assert marks["Change the four-eyes policy"] == "two-people"
    assert marks["Activate a device"] == "sometimes-two"
    assert marks["Deactivate a device"] == "one-person"
    assert answer.context["form"] is None
    assert "Roles that have it: security officer." in page_of(answer)


def test_a_change_is_asked_for_and_waits(people: People, cleo: Client) -> None:
    answer = cleo.post(POLICY, wish(), follow=True)
    request = ApprovalRequest.objects.get()
    assert answer.redirect_chain == [(url(request), 302)]
    assert "Deactivate a device: needs a second person each time" in page_of(answer)
    assert policy_of(people.bank.pk).required == frozenset()
    assert "Waiting for a second person: Change the four-eyes policy." in page_of(cleo.get(POLICY))
    approve(people.avi, request)
    answer = cleo.get(POLICY)
    assert answer.context["threshold"] == 5
    marks = {operation["label"]: operation["mark"] for operation in answer.context["operations"]}
    assert marks["Deactivate a device"] == "two-people"


def test_no_change_asks_nobody(people: People, cleo: Client) -> None:
    answer = cleo.post(POLICY, wish(required=[], bulk_threshold="10"), follow=True)
    assert told(answer) == ["Nothing has changed: the policy was so already."]
    assert ApprovalRequest.objects.count() == 0


@pytest.mark.parametrize(
    "values", [{"required": ["nothing"]}, {"bulk_threshold": "0"}, {"bulk_threshold": "201"}, {"bulk_threshold": ""}]
)
def test_a_wrong_wish_stays_on_the_form(people: People, cleo: Client, values: dict[str, Any]) -> None:
    answer = cleo.post(POLICY, wish(**values))
    assert (answer.status_code, ApprovalRequest.objects.count()) == (422, 0)


def test_a_wish_without_a_reason_is_refused_by_the_operation(people: People, cleo: Client) -> None:
    answer = cleo.post(POLICY, wish(reason=" "))
    assert (answer.status_code, ApprovalRequest.objects.count()) == (422, 0)
    assert [(code, about) for _, code, _, about in refusals()] == [("invalid-input", str(people.bank.pk))]


def test_without_the_right_nobody_asks_for_a_change(people: People) -> None:
    answer = signed_in_client(people.avi).post(POLICY, wish())
    assert (answer.status_code, ApprovalRequest.objects.count()) == (403, 0)
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]


def test_another_banks_policy_is_its_own(people: People, cleo: Client) -> None:
    cleo.post(POLICY, wish())
    approve(people.avi, ApprovalRequest.objects.get())
    other = make_customer(make_bank(), "Cem").bank
    assert policy_of(other.pk).required == frozenset()
