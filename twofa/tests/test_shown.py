"""What is shown can be seen, and is what is signed, whatever becomes of who asked."""

import json

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from devices.tests.factories import make_application, make_staff, make_token
from portal import vault
from portal.accounts.models import Application
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller
from portal.core.errors import InvalidInput
from portal.outbox.models import Message
from portal.outbox.operations import BODY
from portal.web.tests.helpers import signed_in_client
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.asking import ask_again
from twofa.operations.contents import message_of
from twofa.operations.telling import tell_source
from twofa.shown_operations import BLANK, TURNING, is_turned, is_visible
from twofa.tests.asking import PAYMENT, SIGN_IN, Scene, make_phone, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def renamed(scene: Scene) -> None:
    Application.objects.filter(pk=scene.application.pk).update(name="Other Bank")


def page_of(scene: Scene, request: TwoFactorRequest) -> str:
    client: Client = signed_in_client(make_staff(scene.ada.bank, Role.SUPPORT))
    return client.get(f"/two-factor/{request.pk}").content.decode()


def test_a_client_that_is_renamed_is_shown_as_it_was_signed(scene: Scene, settings: Settings) -> None:
    settings.DEMO = True  # push messages leave, to the sink
    source = make_phone(scene.ada, "source", push_handle="handle")
    request = scene.ask(source_id=str(source.pk)).request
    renamed(scene)
    mobile = make_application(scene.ada.bank, name="mobile")
    phone = Caller(make_token(user=scene.ada, device=scene.phone, application=mobile))
    shown = phone.get(f"/device/v1/2fa/{request.pk}").json()["twoFactorAuth"]["request"]
    signed_app = {"appId": scene.application.client_id, "appName": "core banking"}
    assert shown["app"] == json.loads(shown["message"])["app"] == signed_app
    assert phone.get("/device/v1/2fa").json()["twoFactorAuths"][0]["request"]["app"] == signed_app
    tell_source(TwoFactorRequest.objects.whole().get())
    told = Message.objects.get()
    pushed = json.loads(vault.unseal(BODY, told.pk, told.body_sealed))
    assert pushed["twoFactorAuth"]["request"]["app"] == signed_app
    page = page_of(scene, request)
    assert ("core banking" in page, "Other Bank" in page) == (True, False)
    approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))
    page = page_of(scene, request)
    assert ("core banking" in page, "Other Bank" in page) == (True, False)


def test_a_new_round_names_who_asks_now(scene: Scene) -> None:
    request = scene.ask().request
    renamed(scene)
    ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk))
    found = TwoFactorRequest.objects.whole().get()
    assert json.loads(message_of(found))["app"]["appName"] == "Other Bank"
    assert "Other Bank" in page_of(scene, found)


@pytest.mark.parametrize(
    "text", ["\u3164", "\u115f", "\u2800", "\u034f", "\ufe0f", "\u3164 \u2800\u034f", "\u3000", "\u0301"]
)
def test_what_nobody_can_see_names_nobody(scene: Scene, text: str) -> None:
    facts = {**PAYMENT, "payee": text}
    with pytest.raises(InvalidInput) as refused:
        scene.ask(kind="payment", facts=facts)
    assert [one.field for one in refused.value.fields] == ["user_op_info.payment.payee"]
    with pytest.raises(InvalidInput):
        scene.ask(kind="payment", facts={**PAYMENT, "reference": text})
    with pytest.raises(InvalidInput):
        scene.ask(facts={**SIGN_IN, "location": text})
    assert not TwoFactorRequest.objects.exists()


@pytest.mark.parametrize(
    "text", ["Cem", "\u00e7", "e\u0301", "\u6f22\u5b57", "\u0645\u062d\u0645\u062f", "7", "\u2764\ufe0f", "\u3164x"]
)
def test_what_can_be_seen_is_taken(scene: Scene, text: str) -> None:
    assert scene.ask(kind="payment", facts={**PAYMENT, "payee": text, "reference": ""}).request.is_open


def test_nothing_blank_is_visible() -> None:
    assert [one for one in BLANK | TURNING if is_visible(one)] == []


@pytest.mark.parametrize("sign", sorted(TURNING))
def test_a_text_that_turns_the_direction_is_not_asked(scene: Scene, sign: str) -> None:
    assert is_turned(sign)
    with pytest.raises(InvalidInput) as refused:
        scene.ask(text=f"Pay {sign}00.1")
    assert [(one.field, one.code) for one in refused.value.fields] == [("message", "invalid-format")]


def test_a_text_in_lines_and_from_right_to_left_is_asked(scene: Scene) -> None:
    assert scene.ask(text='{"a":\n\t"\u0645\u062d\u0645\u062f\u200c"}').request.is_open
