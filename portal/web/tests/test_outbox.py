"""The outbox's pages."""

from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.models import Bank
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.audit.models import AuditEvent
from portal.outbox import operations, queries
from portal.outbox.gateways import GatewayError, Outgoing
from portal.outbox.models import Message, MessageKind, MessageState
from portal.outbox.tests.factories import BODY, RECIPIENT, make_message
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def bea(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank, Role.OPERATOR))


@pytest.fixture
def phone(bank: Bank) -> Device:
    return make_device(make_customer(bank))


class Refusing:
    def send(self, message: Outgoing) -> None:
        raise GatewayError("SMS gateway answered 400", retry=False)


def failed(bank: Bank, monkeypatch: pytest.MonkeyPatch, about: Device | None = None) -> Message:
    message = make_message(bank_id=bank.pk, about=about)
    with monkeypatch.context() as patch:
        patch.setattr(operations, "gateway_for", lambda kind: Refusing())
        assert operations.deliver(message.pk) == MessageState.FAILED
    return message


def page(client: Client, path: str = "/outbox", status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def test_the_ledger_shows_where_a_message_is(
    bank: Bank, bea: Client, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = failed(bank, monkeypatch, phone)
    shown = page(bea)
    for text in ("Failed", "SMS gateway answered 400", f"/outbox/{message.pk}", f"/devices/{phone.pk}"):
        assert text in shown
    assert "In the demo no message leaves" in shown


@pytest.mark.parametrize("delivered", [True, False])
def test_in_production_no_page_shows_a_text_or_a_whole_recipient(
    delivered: bool, bank: Bank, bea: Client, settings: LazySettings
) -> None:
    message = make_message(bank_id=bank.pk, subject="A code")
    if delivered:
        operations.deliver(message.pk)
    assert (RECIPIENT in page(bea), BODY in page(bea)) == (True, delivered)
    settings.DEMO = settings.SECURE_SSL_REDIRECT = False
    for path in ("/outbox", f"/outbox/{message.pk}"):
        shown = page(bea, path)
        assert RECIPIENT not in shown
        assert BODY not in shown
        assert "•••4567" in shown
    assert 'href="/outbox"' in page(bea, "/account")


def test_tabs_count_and_filter_and_keep_the_kind(bank: Bank, bea: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(bank, monkeypatch)
    push = make_message(bank_id=bank.pk, kind=MessageKind.PUSH, recipient="gcm:handle-1")
    answer = bea.get("/outbox?state=pending&kind=push")
    assert [row["url"] for row in answer.context["messages_listed"]] == [f"/outbox/{push.pk}"]
    tabs = {tab["label"]: tab for tab in answer.context["states"]}
    assert {label: tab["count"] for label, tab in tabs.items()} == {
        "All": None,
        "Waiting": 1,
        "On its way": 0,
        "Failed": 1,
        "Sent": 0,
    }
    assert [label for label, tab in tabs.items() if tab["current"]] == ["Waiting"]
    assert tabs["Failed"]["url"] == "/outbox?state=failed&kind=push"
    assert [tab["label"] for tab in answer.context["kinds"] if tab["current"]] == ["Push"]
    answer = bea.get("/outbox?state=<script>&kind=%00")
    assert (answer.status_code, len(answer.context["messages_listed"])) == (200, 2)


def test_htmx_gets_the_rows_alone(bank: Bank, bea: Client) -> None:
    make_message(bank_id=bank.pk)
    shown = bea.get("/outbox", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in shown
    assert 'class="items"' in shown


def test_pages_are_walked(bank: Bank, bea: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    for _ in range(3):
        make_message(bank_id=bank.pk)
    first = bea.get("/outbox?state=pending")
    older = first.context["pager"]["next_url"]
    assert older.startswith("/outbox?state=pending&cursor=")
    assert len(bea.get(older).context["messages_listed"]) == 1


def test_the_list_costs_the_same_however_long_it_is(bank: Bank, bea: Client, phone: Device) -> None:
    make_message(bank_id=bank.pk, about=phone)
    page(bea)
    with at_most(9):  # session, person, second factor, four counts, the rows, the menu's badge
        page(bea)
    for _ in range(24):
        make_message(bank_id=bank.pk, about=phone)
    with at_most(9):
        page(bea)


def test_sending_again_is_a_post_with_a_reason(bank: Bank, bea: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    message = failed(bank, monkeypatch)
    path = f"/outbox/{message.pk}"
    assert "Send it again" in page(bea, path)
    answer = bea.post(path, {"reason": "The provider is back"}, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    shown = answer.content.decode()
    assert "The message is on its way again." in shown
    assert "Message sent again" in shown  # the timeline
    message.refresh_from_db()
    assert message.state == MessageState.PENDING
    again = bea.post(path, {"reason": "Twice"}, follow=True).content.decode()
    assert "Nothing has changed" in again
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_without_a_good_reason_the_form_says_so(
    reason: str, bank: Bank, bea: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = failed(bank, monkeypatch)
    answer = bea.post(f"/outbox/{message.pk}", {"reason": reason})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    message.refresh_from_db()
    assert message.state == MessageState.FAILED
    assert [event for event, _, _, _ in refusals()] == ["request.refused"]


def test_a_sent_message_is_not_sent_again(bank: Bank, bea: Client) -> None:
    message = make_message(bank_id=bank.pk)
    operations.deliver(message.pk)
    path = f"/outbox/{message.pk}"
    assert "Send it again" not in page(bea, path)
    answer = bea.post(path, {"reason": "Once more"})
    assert answer.status_code == 409
    assert "The message was sent, and its text is gone." in answer.content.decode()
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "message-sent")]
    [(_, _, _, about)] = refusals()
    assert about == str(message.pk)


def test_who_may_only_look_is_told_who_may_send(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    message = failed(bank, monkeypatch)
    sam = signed_in_client(make_staff(bank, Role.SUPPORT, "Sam"))
    shown = page(sam, f"/outbox/{message.pk}")
    assert "Roles that do: Operator." in shown
    assert 'name="reason"' not in shown
    assert sam.post(f"/outbox/{message.pk}", {"reason": "Please"}).status_code == 403
    message.refresh_from_db()
    assert message.state == MessageState.FAILED
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "capability-missing")]


def test_the_outbox_needs_its_right(bank: Bank) -> None:
    avi = make_staff(bank, Role.APPROVER, "Avi")
    client = signed_in_client(avi)
    message = make_message(bank_id=bank.pk)
    for number, path in enumerate(("/outbox", f"/outbox/{message.pk}", f"/outbox/{uuid4()}"), 1):
        assert client.get(path).status_code == 403
        assert [(event, actor) for event, _, actor, _ in refusals()] == [("request.refused", str(avi.pk))] * number
    assert 'href="/outbox"' not in page(client, "/account")


@pytest.mark.parametrize("other", [True, False])
def test_another_banks_message_is_unknown(other: bool, bank: Bank, bea: Client) -> None:
    key: UUID = make_message(bank_id=make_bank().pk).pk if other else uuid4()
    page(bea, f"/outbox/{key}", 404)
    assert bea.post(f"/outbox/{key}", {"reason": "Please"}).status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found", "not-found"]
