"""The four-eyes policy's page."""

from typing import Any

import pytest
from django.test import Client

from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.policy import policy_of
from portal.approvals.tests.asking import People, approve, make_people
from portal.web.tests.approving import page_of, told, url
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
POLICY = "/approvals/policy"


@pytest.fixture
def people(db: None) -> People:
    return make_people()


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
