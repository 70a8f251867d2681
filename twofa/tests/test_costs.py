"""What an answer costs does not hang on how many requests are open."""

import json
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from devices.tests.factories import make_application, make_staff, make_token, staff_actor
from portal import vault
from portal.accounts.operations.client_webhooks import set_webhook
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most
from portal.core import ids
from portal.outbox.models import Message
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.contents import CONTENT, MESSAGE, content_of, message_of
from twofa.tests.asking import Scene, make_phone, signed

pytestmark = pytest.mark.django_db

MOST = 8  # statements of a whole call, with the look at the token and the stored answer of a repeat
OTHERS = (0, 1, 1000)


class Door:
    """Ada's phone, her server, and so many other requests that are open at the same phone."""

    def __init__(self, others: int) -> None:
        self.scene, self.others = Scene(), others
        mobile = make_application(self.scene.ada.bank, name="mobile")
        self.phone = Caller(make_token(user=self.scene.ada, device=self.scene.phone, application=mobile))
        self.server = Caller(make_token(application=self.scene.application))
        self.request = self.scene.ask().request
        self.path = f"/device/v1/2fa/{self.request.pk}"
        make_more(self.request, others)
        assert TwoFactorRequest.objects.open().count() == others + 1


def make_more(request: TwoFactorRequest, number: int) -> None:
    """Requests like this one, as open as it is."""
    fields = {field.attname: getattr(request, field.attname) for field in TwoFactorRequest._meta.concrete_fields}
    content, message = json.dumps(vars(content_of(request))), message_of(request)
    made = []
    for _ in range(number):
        pk = ids.new_id()
        new = {
            "id": pk,
            "request_id": ids.new_id(),
            "content_sealed": vault.seal(CONTENT, pk, content),
            "message_sealed": vault.seal(MESSAGE, pk, message),
            "requested_at": request.requested_at - timedelta(minutes=11),
        }
        made.append(TwoFactorRequest(**{**fields, **new}))
    TwoFactorRequest.objects.bulk_create(made, batch_size=100)


@pytest.fixture(params=OTHERS)
def door(request: pytest.FixtureRequest) -> Door:
    return Door(request.param)


def test_an_approval(door: Door) -> None:
    signature = signed(door.request)
    with at_most(MOST):
        assert door.phone.post(f"{door.path}/approve", {"signature": signature}).status_code == 204


def test_an_approval_that_shows_what_it_approved(door: Door) -> None:
    signature, prefer = signed(door.request), {"Prefer": "return=representation"}
    with at_most(MOST):
        assert door.phone.post(f"{door.path}/approve", {"signature": signature}, **prefer).status_code == 200


def test_a_denial(door: Door) -> None:
    with at_most(MOST):
        assert door.phone.send("DELETE", door.path).status_code == 204


def test_a_look(door: Door) -> None:
    for caller in (door.phone, door.server):
        with at_most(2):
            assert caller.get(door.path).status_code == 200


def test_the_list_of_what_is_open(door: Door) -> None:
    with at_most(2):
        listed = door.phone.get("/device/v1/2fa").json()["twoFactorAuths"]
    assert len(listed) == min(door.others + 1, 20)


def test_the_operation_itself(door: Door) -> None:
    signature = signed(door.request)
    with at_most(5):
        approve_request(actor=door.scene.owner, id=str(door.request.pk), signature=signature)


def test_an_approval_of_which_everybody_is_told(settings: Settings) -> None:
    settings.DEMO = True  # push messages leave, to the sink
    scene = Scene(rules={"number_matching": True})
    administrator = staff_actor(make_staff(scene.ada.bank, Role.ADMINISTRATOR))
    set_webhook(
        actor=administrator, client_id=scene.application.client_id, url="https://bank.example/hook", reason="Listens"
    )
    scene.application.refresh_from_db()
    source = make_phone(scene.ada, "source", push_handle="handle")
    asked = scene.ask(source_id=str(source.pk), destination_id=str(scene.phone.pk))
    mobile = make_application(scene.ada.bank, name="mobile")
    phone = Caller(make_token(user=scene.ada, device=scene.phone, application=mobile))
    body = {"signature": signed(asked.request), "number": asked.number, "txId": "tx-1"}
    with at_most(MOST + 1):  # to tell two costs two rows
        sent = phone.post(f"/device/v1/2fa/{asked.request.pk}/approve", body, Prefer="return=representation")
    assert sent.status_code == 200
    assert sorted(Message.objects.values_list("kind", flat=True)) == ["push", "webhook"]
