"""Webhooks: one signed POST to the address that a client has named."""

import base64
import hmac
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from portal.core import ids
from portal.outbox.gateways import GatewayError, Outgoing, gateway_for
from portal.outbox.gateways.webhook import WebhookGateway, webhook_recipient
from portal.outbox.models import MessageKind
from portal.outbox.tests.factories import BANK
from portal.outbox.tests.fakes import Answer, Service, http_service

KEY = b"k" * 32
BODY = '{"type":"2fa-status-change"}'

pytestmark = pytest.mark.usefixtures("new_connections")


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Service]:
    settings.DEMO = True  # this machine may be called
    with http_service() as service:
        yield service


def message(url: str) -> Outgoing:
    return Outgoing(
        id=ids.uuid7(),
        bank_id=BANK,
        kind=MessageKind.WEBHOOK,
        template="2fa-status-change",
        recipient=webhook_recipient(url, KEY),
        subject="",
        body=BODY,
    )


def test_a_receiver_can_tell_who_sent_it_and_that_nothing_was_changed(receiver: Service) -> None:
    sent = message(f"{receiver.url}/hooks/1")
    WebhookGateway().send(sent)
    [asked] = receiver.asked
    assert (asked.method, asked.path, asked.body.decode()) == ("POST", "/hooks/1", BODY)
    assert asked.headers["content-type"] == "application/json"
    name, moment = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    wanted = hmac.digest(KEY, f"{name}.{moment}.".encode() + asked.body, "sha256")
    assert name == str(sent.id)
    assert asked.headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"


@pytest.mark.parametrize(
    ("status", "again"), [(302, True), (400, True), (404, True), (410, False), (429, True), (500, True)]
)
def test_whatever_is_not_taken_is_tried_again_unless_the_receiver_is_gone(
    receiver: Service, status: int, again: bool
) -> None:
    receiver.answers = [Answer(status, headers={"Location": "https://elsewhere.example/"})]
    with pytest.raises(GatewayError) as refused:
        WebhookGateway().send(message(receiver.url))
    assert (refused.value.reason, refused.value.retry) == (f"webhook answered {status}", again)
    assert len(receiver.asked) == 1


def test_a_place_inside_is_not_called(receiver: Service, settings: LazySettings) -> None:
    settings.DEMO = False
    with pytest.raises(GatewayError) as refused:
        WebhookGateway().send(message(receiver.url))
    assert refused.value.reason == "the address is not a public one"
    assert receiver.asked == []


def test_it_needs_no_setting(settings: LazySettings) -> None:
    settings.DEMO = False
    assert isinstance(gateway_for(MessageKind.WEBHOOK), WebhookGateway)
