"""What became of a request, told to who asked: once for each that is over, where an address was named."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.tests.factories import make_staff, staff_actor
from portal import vault
from portal.accounts.operations.client_webhooks import recipient_of, set_webhook
from portal.accounts.roles import Role
from portal.core import clock
from portal.outbox.models import Message, MessageKind
from portal.outbox.operations import BODY, RECIPIENT
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.closing import cancel_open, expire_requests
from twofa.tests.asking import Scene, signed

pytestmark = pytest.mark.django_db

URL = "https://core.bank.example/hooks"


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with time_machine.travel(clock.now(), tick=False):
        yield


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    ann = staff_actor(make_staff(scene.ada.bank, Role.ADMINISTRATOR))
    set_webhook(actor=ann, client_id=scene.application.client_id, url=URL, reason="Listens")
    scene.application.refresh_from_db()
    return scene


def told(scene: Scene) -> list[dict[str, Any]]:
    found = []
    for message in Message.objects.filter(kind=MessageKind.WEBHOOK).order_by("pk"):
        assert vault.unseal(RECIPIENT, message.pk, message.recipient_sealed) == recipient_of(scene.application)
        assert message.template == "2fa-status-change"
        found.append(json.loads(vault.unseal(BODY, message.pk, message.body_sealed)))
    return found


def closed(request: TwoFactorRequest, status: str) -> list[dict[str, Any]]:
    data = {"id": str(request.pk), "requestId": str(request.request_id), "status": status}
    return [{"type": "2fa-status-change", "timestamp": clock.rfc3339(clock.now()), "data": data}]


def test_an_approval_and_nothing_that_was_shown(scene: Scene) -> None:
    request = scene.ask().request
    assert told(scene) == []
    approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))
    assert told(scene) == closed(request, "approved")


def test_a_denial(scene: Scene) -> None:
    request = scene.ask().request
    deny_request(actor=scene.owner, id=str(request.pk), not_me=True)
    assert told(scene) == closed(request, "denied")


def test_a_device_that_went_out_of_use(scene: Scene) -> None:
    request = scene.ask().request
    cancel_open(scene.owner, scene.phone)
    assert told(scene) == closed(request, "cancelled")


def test_one_that_nobody_answered(scene: Scene) -> None:
    request = scene.ask().request
    with time_machine.travel(request.expires_at + timedelta(seconds=1), tick=False):
        assert expire_requests() == 1
        assert expire_requests() == 0
        assert told(scene) == closed(request, "expired")


def test_who_named_no_address_is_not_told() -> None:
    scene = Scene()
    deny_request(actor=scene.owner, id=str(scene.ask().request.pk))
    assert not Message.objects.filter(kind=MessageKind.WEBHOOK).exists()
