"""What waits for a second person, on all other pages: messages, badges, counts."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import WHY, People, approve, asked, make_people, reject
from portal.audit.models import AuditEvent
from portal.core.errors import ApprovalRequired, DomainError
from portal.web.access import StaffRequest
from portal.web.access import signed_in as door
from portal.web.forms import PortalForm
from portal.web.tests.approving import is_active, page_of, told, url
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(db: None) -> People:
    return make_people()


@pytest.fixture
def request_(people: People) -> ApprovalRequest:
    return asked(people)


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
