"""The pages about two-factor requests: the log, one request, its evidence, push health, the clients' rules."""

import html
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import transaction
from django.test import Client

from devices.tests.factories import make_application, make_bank, make_customer, make_staff
from portal.accounts.models import Application
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalRequest
from portal.audit.inclusion import signing_key_pem
from portal.audit.models import AuditEvent
from portal.audit.sealing import seal_now
from portal.core import clock
from portal.core.errors import RateLimited
from portal.outbox.models import Message, MessageKind, MessageState
from portal.outbox.operations import write
from portal.outbox.recipients import push_recipient
from portal.web.tests.helpers import refusals, signed_in_client
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.queries import alerts, log
from twofa.tests.asking import PAYMENT, Scene, make_phone, retold, rows, signed

pytestmark = pytest.mark.django_db
LIST = "/two-factor"


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def avi(scene: Scene) -> Client:
    """Who may see devices and the audit log."""
    return signed_in_client(make_staff(scene.ada.bank, Role.AUDITOR, "Avi"))


def page(client: Client, path: str = LIST, status: int = 200, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == status
    return html.unescape(response.content.decode())


def listed(browser: Client, **query: str) -> list[str]:
    response = browser.get(LIST, query)
    assert response.status_code == 200
    return [row["url"] for row in response.context["requests"]]


def url(request: TwoFactorRequest, step: str = "") -> str:
    return f"{LIST}/{request.pk}{step}"


def approved(scene: Scene, **values: Any) -> TwoFactorRequest:
    request = scene.ask(**values).request
    return approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))


def test_the_log_shows_the_newest_first_and_says_what_is_signed(scene: Scene, avi: Client) -> None:
    assert "No request found" in page(avi)
    first = approved(scene, kind="payment", facts=PAYMENT)
    second = deny_request(actor=scene.owner, id=str(scene.ask().request.pk))
    third = scene.ask().request
    assert listed(avi) == [url(third), url(second), url(first)]
    shown = page(avi)
    for word in ("Payment", "Sign-in", "Waiting", "Denied", "Approved", "Signed", "Ada", "core banking"):
        assert word in shown
    assert "12.50" not in shown


def test_it_is_narrowed_by_state_kind_and_text(scene: Scene, avi: Client) -> None:
    paid = approved(scene, kind="payment", facts=PAYMENT)
    open_one = scene.ask().request
    assert listed(avi, state="approved") == [url(paid)]
    assert listed(avi, state="pending") == [url(open_one)]
    assert listed(avi, kind="payment") == [url(paid)]
    assert listed(avi, kind="payment", state="pending") == []
    both = [url(open_one), url(paid)]
    for text in (scene.ada.customer_number, scene.ada.public_id, scene.phone.public_id, str(scene.phone.pk)):
        assert listed(avi, q=str(text)) == both
    assert listed(avi, q=str(paid.pk)) == [url(paid)]
    for text in ("nobody", str(uuid4()), "USR_", "\x00"):
        assert listed(avi, q=text.replace("\x00", "%00")) == []
    assert listed(avi, state="<script>", kind="another") == both
    tabs = {tab["label"]: tab["count"] for tab in avi.get(LIST).context["states"]}
    assert (tabs["All"], tabs["Waiting"], tabs["Approved"], tabs["Alerts"]) == (None, 1, 1, 0)


def test_it_is_narrowed_by_application_and_day(scene: Scene, avi: Client) -> None:
    request = scene.ask().request
    day = request.requested_at.date()
    client, other = (
        scene.application.client_id,
        make_application(scene.ada.bank, kind="bank", name="another").client_id,
    )
    assert listed(avi, client=client) == [url(request)]
    assert listed(avi, client=other) == []
    assert listed(avi, client="unknown", since="nonsense") == [url(request)]  # what cannot be read does not filter
    for since, until, found in ((0, 0, True), (-9, 9, True), (1, None, False), (None, -1, False)):
        days = {"since": since, "until": until}
        query = {name: str(day + timedelta(days=by)) for name, by in days.items() if by is not None}
        assert listed(avi, **query) == ([url(request)] if found else [])
    kept = avi.get(LIST, {"client": client, "since": str(day)}).context["states"][1]["url"]
    assert kept == f"/two-factor?client={client}&since={day}&state=pending"


def test_what_cannot_be_seen_is_shown_by_its_number(scene: Scene, avi: Client) -> None:
    request = retold(scene.ask().request, "Pay \u202e00.1\u202c to \u0645\u062d\u0645\u062f\u200b")
    shown = avi.get(url(request)).content.decode()
    for sign in ("U+202E", "U+202C", "U+200B"):
        assert f'<span class="unseen">{sign}</span>' in shown
    assert "\u202e" not in shown
    assert "\u0645\u062d\u0645\u062f" in shown


def test_a_device_and_a_customer_lead_to_their_requests(scene: Scene, avi: Client) -> None:
    request = approved(scene)
    for path, key in (
        (f"/devices/{scene.phone.pk}", scene.phone.public_id),
        (f"/customers/{scene.ada.pk}", scene.ada.public_id),
    ):
        assert f"/two-factor?q={key}" in page(avi, path)
        assert listed(avi, q=key) == [url(request)]
        assert path in page(avi, url(request))


def test_one_whose_time_is_over_is_shown_as_expired(scene: Scene, avi: Client) -> None:
    request = scene.ask().request
    TwoFactorRequest.objects.update(expires_at=request.requested_at)
    assert listed(avi, state="pending") == []
    assert listed(avi, state="expired") == [url(request)]
    assert "Expired" in page(avi, url(request))


def test_pages_are_walked_and_cost_the_same(scene: Scene, avi: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(scene)
    page(avi)
    with at_most(13):  # session, person, second factor, six counts, the rows, the menu's badges
        page(avi)
    monkeypatch.setattr(log, "PAGE_SIZE", 5)
    for _ in range(6):
        approved(scene)
    with at_most(13):
        first = avi.get(LIST, {"state": "approved"})
    older = first.context["pager"]["next_url"]
    assert older.startswith("/two-factor?state=approved&cursor=")
    assert len(avi.get(older).context["requests"]) == 2


def test_htmx_gets_the_rows_alone(scene: Scene, avi: Client) -> None:
    scene.ask()
    shown = avi.get(LIST, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in shown
    assert "<table" in shown


def test_a_request_shows_what_was_shown_and_what_proves_the_answer(scene: Scene, avi: Client) -> None:
    request = approved(scene, kind="payment", facts=PAYMENT, text="<b>Lunch</b> money")
    response = avi.get(url(request))
    shown = response.content.decode()
    for word in ("12.50", "EUR", "Cem", "&lt;b&gt;Lunch&lt;/b&gt; money", "Signed", "Approved on the device"):
        assert word in shown
    assert response.context["answer"]["signature"] == request.answer.signature
    assert json.loads(response.context["answer"]["message"])["userOpInfo"]["payment"]["amount"] == "12.50"
    with at_most(12):
        avi.get(url(request))


def test_what_nothing_signed_is_called_so(avi: Client, scene: Scene) -> None:
    Application.objects.update(approval_proof="transaction-id")
    request = scene.ask(text="Hello").request
    approve_request(actor=scene.owner, id=str(request.pk), tx_id="0x1")
    assert "Not signed" in page(avi)
    assert "rests on a transaction id" in page(avi, url(request))


def test_a_hostile_text_stays_a_text(scene: Scene, avi: Client) -> None:
    facts = {"email": "<script>1</script>", "ip": "", "location": '"><img src=x>'}
    request = scene.ask(facts=facts).request
    shown = avi.get(url(request)).content.decode()
    assert "<script>1" not in shown
    assert "<img src=x" not in shown
    assert "&lt;script&gt;1" in shown


# Alerts.


def test_not_me_is_on_the_dashboard_and_in_the_log(scene: Scene, avi: Client) -> None:
    assert "alerts-heading" not in page(avi, "/")
    request = deny_request(actor=scene.owner, id=str(scene.ask().request.pk), not_me=True)
    shown = page(avi, "/")
    assert "Somebody else may be asking" in shown
    assert "The owner says that somebody else asked." in shown
    assert url(request) in shown
    assert listed(avi, state="alerted") == [url(request)]
    assert "The session that waited was ended." in page(avi, url(request))


def test_asking_too_often_is_told_by_its_own_words(scene: Scene, avi: Client) -> None:
    for _ in range(5):
        scene.ask()
    with pytest.raises(RateLimited):
        scene.ask()
    assert "Asked too often" in page(avi, "/")
    assert len(listed(avi, state="alerted")) == 1


def test_an_old_alert_leaves_the_dashboard(scene: Scene, avi: Client) -> None:
    request = deny_request(actor=scene.owner, id=str(scene.ask().request.pk), not_me=True)
    TwoFactorRequest.objects.update(alerted_at=request.requested_at - alerts.ALERTED_WITHIN)
    assert "alerts-heading" not in page(avi, "/")
    assert listed(avi, state="alerted") == [url(request)]


# Evidence.


def test_evidence_is_a_file_and_its_taking_is_written_down(scene: Scene, avi: Client) -> None:
    request = approved(scene)
    seal_now()
    response = avi.post(url(request, "/evidence"))
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="evidence-{request.pk}.json"'
    assert response["Cache-Control"] == "no-store"
    package = json.loads(response.content)
    assert package["signature"] == request.answer.signature
    event = AuditEvent.objects.get(event="two-factor.evidence")
    assert event.actor_label.startswith("Avi ")
    assert event.object_id == str(request.pk)
    assert avi.get(url(request, "/evidence")).status_code == 405
    assert avi.get("/two-factor/log-key").content.decode() == signing_key_pem()


def test_evidence_needs_the_right_to_read_the_audit_log(scene: Scene) -> None:
    request = approved(scene)
    sam = signed_in_client(make_staff(scene.ada.bank, Role.SUPPORT, "Sam"))
    assert "Roles that have it: Approver, Security officer, Auditor." in page(sam, url(request))
    assert sam.post(url(request, "/evidence")).status_code == 403
    assert sam.get("/two-factor/log-key").status_code == 403
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "capability-missing")] * 2


def test_before_there_is_any_the_page_says_so(scene: Scene, avi: Client) -> None:
    request = scene.ask().request
    assert "Nobody has answered" in page(avi, url(request))
    assert avi.post(url(request, "/evidence")).status_code == 409
    assert [code for _, code, _, _ in refusals()] == ["not-answered"]


# Push.


def test_push_health_counts_and_names_what_failed(scene: Scene, avi: Client, settings: Any) -> None:
    settings.DEMO = False
    eve = signed_in_client(make_staff(make_bank(), Role.AUDITOR, "Eve"))
    assert "No push service" in page(eve, "/two-factor/push")
    shown = page(avi, "/two-factor/push")
    assert "1 device with an approval key is reached by none" in shown
    settings.DEMO = True
    make_phone(scene.ada, "other", push_handle="handle")
    request = scene.ask(destination_id=str(scene.ada.devices.get(push_platform="gcm").pk)).request
    Message.objects.update(state=MessageState.FAILED, last_error="UNREGISTERED")
    response = avi.get("/two-factor/push")
    shown = response.content.decode()
    assert {tile["label"]: tile["value"] for tile in response.context["health"]["tiles"]}["Failed"] == 1
    assert "UNREGISTERED" in shown
    assert url(request) in shown
    assert "UNREGISTERED" in page(avi, url(request))


def test_push_is_counted_by_service_and_day(scene: Scene, avi: Client) -> None:
    now = clock.now()
    phone = make_phone(scene.ada, "other", push_platform="gcm", push_handle="handle")
    for days, state, gone in ((0, "sent", False), (0, "failed", True), (2, "failed", False), (20, "sent", False)):
        with time_machine.travel(now - timedelta(days=days), tick=False), transaction.atomic():
            recipient = push_recipient("gcm", "handle")
            made = write(bank_id=phone.bank_id, kind=MessageKind.PUSH, recipient=recipient, template="x", body="y")
        values = {"sent_at": now, "body_sealed": ""} if state == "sent" else {}
        Message.objects.filter(pk=made.pk).update(state=state, gone=gone, **values)
    with time_machine.travel(now, tick=False):
        avi.get("/two-factor/push")
        with at_most(12):
            answer = avi.get("/two-factor/push")
    by_name = {one["platform"]: one for one in answer.context["health"]["services"]}
    [gcm] = [one for one in by_name.values() if one["any"]]
    assert (gcm["platform"], gcm["chart"].lower, gcm["chart"].upper, gcm["gone"]) == ("gcm", 1, 2, 1)
    assert [(bar.lower, bar.upper, gone) for bar, gone in gcm["days"]][-3:] == [(0, 1, 0), (0, 0, 0), (1, 1, 1)]
    shown = answer.content.decode()
    assert '<title id="push-gcm-title">Messages through FCM per day, sent and failed</title>' in shown
    assert "1 sent message and 2 failed messages." in shown
    assert "1 sent, 1 failed</title>" in shown


# Clients.


@pytest.fixture
def admin(scene: Scene) -> Client:
    return signed_in_client(make_staff(scene.ada.bank, Role.ADMINISTRATOR, "Ann"))


def rules_of(scene: Scene) -> tuple[str, bool, int]:
    scene.application.refresh_from_db()
    found = scene.application
    return found.approval_proof, found.number_matching, found.request_seconds


def test_rules_are_changed_with_a_reason(scene: Scene, admin: Client) -> None:
    path = f"/two-factor/clients/{scene.application.client_id}"
    assert path in page(admin, "/two-factor/clients")
    sent = {"rules-request_seconds": "60", "rules-number_matching": "on", "rules-reason": "Shorter"}
    answer = admin.post(path, sent, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    assert rules_of(scene) == ("signature", True, 60)
    assert "The application is as you asked." in answer.content.decode()
    assert admin.post(path, {**sent, "rules-request_seconds": "601"}).status_code == 422
    assert admin.post(path, {**sent, "rules-request_seconds": "90", "rules-reason": ""}).status_code == 422
    assert rules_of(scene) == ("signature", True, 60)


def test_to_approve_unsigned_waits_for_a_second_person(scene: Scene, admin: Client) -> None:
    path = f"/two-factor/clients/{scene.application.client_id}"
    answer = admin.post(path, {"proof-proof": "transaction-id", "proof-reason": "Old app"}, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    assert rules_of(scene)[0] == "signature"
    assert ApprovalRequest.objects.get().operation == "client.approval-proof"
    [told] = answer.context["messages"]
    assert str(told) == "To approve without a signature takes a second person. The request waits for one."


def test_clients_need_their_right_and_bank(scene: Scene, admin: Client, avi: Client) -> None:
    other = make_application(make_bank(), kind="bank")
    page(admin, f"/two-factor/clients/{other.client_id}", 404)
    page(admin, "/two-factor/clients/unknown", 404)
    for path in ("/two-factor/clients", f"/two-factor/clients/{scene.application.client_id}"):
        page(avi, path, 403)
    page(admin, LIST, 403)
    page(admin, "/two-factor/push", 403)


# Who sees what.


def test_another_banks_request_is_unknown(scene: Scene) -> None:
    request = approved(scene)
    before = rows()
    eve = signed_in_client(make_staff(make_customer(make_bank()).bank, Role.AUDITOR, "Eve"))
    assert listed(eve) == []
    for path in (url(request), f"{LIST}/{uuid4()}"):
        page(eve, path, 404)
    assert eve.post(url(request, "/evidence")).status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 3
    assert rows() == before
