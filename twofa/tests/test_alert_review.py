"""Looking at an alert: once, by who could act on it, and written down."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from devices.tests.factories import make_bank, make_staff, staff_actor
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from portal.web.tests.helpers import refusals, signed_in_client
from twofa.models import AlertReview, TwoFactorRequest
from twofa.operations.alert_review import review_alert
from twofa.operations.answering import deny_request
from twofa.queries.alerts import open_alerts
from twofa.tests.asking import Scene

pytestmark = pytest.mark.django_db
FOUND = "Called Ada: it was nobody she knows"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def alerted(scene: Scene) -> TwoFactorRequest:
    return deny_request(actor=scene.owner, id=str(scene.ask().request.pk), not_me=True)


def reviews() -> list[str]:
    found = AuditEvent.objects.filter(event="two-factor.alert-reviewed").order_by("id")
    return list(found.values_list("reason", flat=True))


def test_looked_at_it_leaves_the_open_ones_and_a_repeat_is_quiet(scene: Scene) -> None:
    bea = staff_actor(make_staff(scene.ada.bank, Role.OPERATOR, "Bea"))
    request = alerted(scene)
    assert open_alerts(bea) == [request]
    first = review_alert(actor=bea, id=str(request.pk), reason=FOUND)
    assert review_alert(actor=bea, id=str(request.pk), reason="Again") == first
    assert (first.reviewed_by, first.note) == ("Bea", FOUND)
    assert open_alerts(bea) == []
    assert reviews() == [FOUND]


def test_an_alert_that_comes_later_is_open_again(scene: Scene) -> None:
    bea = staff_actor(make_staff(scene.ada.bank, Role.OPERATOR, "Bea"))
    request = alerted(scene)
    review_alert(actor=bea, id=str(request.pk), reason=FOUND)
    TwoFactorRequest.objects.update(alerted_at=clock.now())
    assert open_alerts(bea) == [request]
    review_alert(actor=bea, id=str(request.pk), reason="Looked once more")
    assert AlertReview.objects.get().note == "Looked once more"
    assert reviews() == [FOUND, "Looked once more"]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_who_could_not_act_marks_nothing(scene: Scene, role: Role) -> None:
    request = alerted(scene)
    with pytest.raises(Forbidden):
        review_alert(actor=staff_actor(make_staff(scene.ada.bank, role)), id=str(request.pk), reason=FOUND)
    assert not AlertReview.objects.exists()


def test_what_cannot_be_marked(scene: Scene) -> None:
    bea = staff_actor(make_staff(scene.ada.bank, Role.OPERATOR, "Bea"))
    cem = staff_actor(make_staff(make_bank(), Role.OPERATOR, "Cem"))
    quiet, request = scene.ask().request, alerted(scene)
    wrong: list[tuple[Any, str, str, type[Exception]]] = [
        (bea, str(quiet.pk), FOUND, InvalidState),
        (bea, str(request.pk), " ", InvalidInput),
        (bea, str(uuid4()), FOUND, NotFound),
        (bea, "x", FOUND, NotFound),
        (cem, str(request.pk), FOUND, NotFound),
    ]
    for actor, id, reason, error in wrong:
        with pytest.raises(error):
            review_alert(actor=actor, id=id, reason=reason)
    assert not AlertReview.objects.exists()
    assert reviews() == []


# The page.


def page_of(request: TwoFactorRequest) -> str:
    return f"/two-factor/{request.pk}"


def test_the_page_says_what_to_do_and_takes_what_was_found(scene: Scene) -> None:
    bea = signed_in_client(make_staff(scene.ada.bank, Role.OPERATOR, "Bea"))
    request = alerted(scene)
    shown = bea.get(page_of(request)).content.decode()
    assert "Call the customer on the number on file" in shown
    assert "Mark as looked at" in shown
    assert bea.post(f"{page_of(request)}/review", {"reason": ""}).status_code == 422
    answer = bea.post(f"{page_of(request)}/review", {"reason": FOUND}, follow=True)
    assert answer.redirect_chain == [(page_of(request), 302)]
    shown = answer.content.decode()
    assert FOUND in shown
    assert "Mark as looked at" not in shown
    assert "alerts-heading" not in bea.get("/").content.decode()
    assert [row["alert_mark"] for row in bea.get("/two-factor?state=alerted").context["requests"]] == [
        "alert-reviewed"
    ]


def test_who_only_looks_is_told_who_marks(scene: Scene) -> None:
    sam: Client = signed_in_client(make_staff(scene.ada.bank, Role.SUPPORT, "Sam"))
    request = alerted(scene)
    shown = sam.get(page_of(request)).content.decode()
    assert "Roles that have it: Operator, Security officer." in shown
    assert sam.post(f"{page_of(request)}/review", {"reason": FOUND}).status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]
