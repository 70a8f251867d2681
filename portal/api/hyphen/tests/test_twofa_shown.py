"""What is shown is what is signed, and nothing else."""

import json
from typing import Any

import pytest

from devices.models import Device
from portal.accounts.models import User
from portal.api.hyphen.tests.test_twofa import Scene, path_of, signature_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(ada: User, settings: Any) -> Scene:
    return Scene(ada, settings)


def bound(shown: dict[str, Any]) -> dict[str, Any]:
    """Everything in an answer that a signature has to bind: all but the push tokens, and what became of it."""
    inner, request = shown["twoFactorAuth"], shown["twoFactorAuth"]["request"]
    sides = {
        side: {name: text for name, text in request[side].items() if name != "pushToken"}
        for side in ("srcDevice", "destDevice")
    }
    return {
        **sides,
        "id": inner["id"],
        "account": inner["accountId"],
        "expiresAt": inner["expiresAt"],
        "requestId": request["id"],
        **{name: request[name] for name in ("app", "userOpInfo", "requestedAt")},
    }


def test_all_that_is_shown_stands_in_the_message(scene: Scene, settings: Any) -> None:
    asked = scene.ask(message="Hello")
    for caller in (scene.server, scene.waiting, scene.answering):
        shown = caller.get(path_of(asked)).json()
        message = json.loads(shown["twoFactorAuth"]["request"]["message"])
        key, nonce = message["destDevice"].pop("key"), message.pop("nonce")
        assert (len(key), len(nonce)) == (64, 32)
        assert message == {
            **bound(shown),
            "domain": "device-portal/2fa-approval/v1",
            "decision": "approve",
            "issuer": {"bank": scene.ada.bank.code, "origin": settings.BASE_URL},
            "text": "Hello",
        }


def test_what_a_device_is_called_later_is_shown_in_the_next_round(scene: Scene) -> None:
    asked = scene.ask()
    Device.objects.filter(pk=scene.phone.pk).update(nickname="Pocket phone")
    shown = scene.answering.get(path_of(asked)).json()
    assert bound(shown) == bound(asked)
    again = scene.waiting.put(path_of(asked), {"destDeviceId": str(scene.phone.pk)}).json()
    assert again["twoFactorAuth"]["request"]["destDevice"]["name"] == "Pocket phone"
    assert bound(scene.answering.get(path_of(asked)).json()) == bound(again)
    approve = {"signature": signature_of(again)}
    assert scene.answering.post(f"{path_of(asked)}/approve", approve).status_code == 204
