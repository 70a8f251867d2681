"""The approvals inbox, and a request's own page: what a second person is shown."""

import re

import pytest

from devices.models import Device
from devices.operations.activation import unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_device, make_staff, make_token
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import WHY, People, approve, ask, asked, make_people, reject, server_of
from portal.approvals.tests.test_tampering import in_sql
from portal.web.tests.approving import page_of, url
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
