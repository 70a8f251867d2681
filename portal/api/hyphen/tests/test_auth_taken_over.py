"""A sign-in from a new device after its approver went, and one that names itself as a device the customer has."""

import json
from typing import Any

import pytest

from devices.models import Device, DeviceKey
from devices.operations.activation import block_device
from devices.operations.keys import keep_key, read_key
from devices.operations.loss import report_lost
from devices.states import DeviceStatus
from devices.tests.factories import make_customer, make_token
from portal.accounts.actors import actor_from_token
from portal.accounts.models import AccessToken
from portal.accounts.tokens import find_token
from portal.api.hyphen.tests.signing_in import FINISH, Scene, approve, hex_of, refused
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Channel
from twofa.models import IdentityProvider, TwoFactorRequest
from twofa.tests.asking import bound, make_phone

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def finish(body: dict[str, Any]) -> Any:
    request = body["twoFactorAuth"]["request"]["id"]
    return Caller(body["ephemeralAccessToken"]).post(FINISH, {"twoFactorAuthRequestId": request})


def waiting_token(body: dict[str, Any]) -> AccessToken:
    token = find_token(body["ephemeralAccessToken"])
    assert token is not None
    return token


def replaced_phone(scene: Scene) -> tuple[Device, Device]:
    """The phone that is asked, and another one of Ada's by the name of `the-other`."""
    approver = make_phone(scene.ada, "old", external_id="the-approver")
    return approver, make_phone(scene.ada, "other", external_id="the-other", nickname="Ada's other")


def test_the_approval_of_a_phone_that_was_then_lost_lets_nothing_in(scene: Scene) -> None:
    old = make_phone(scene.ada, "old")
    body = scene.new_device().json()
    approve(scene, body["twoFactorAuth"], old)
    report_lost(actor=bound(old), device_id=str(old.pk))
    assert waiting_token(body).ended_at is not None
    assert finish(body).status_code == 401
    assert Device.objects.count() == 1


def test_a_sign_in_that_waits_ends_with_the_phone_that_is_asked(scene: Scene) -> None:
    old, other = make_phone(scene.ada, "old"), make_phone(scene.ada, "other")
    body = scene.new_device().json()
    asked = TwoFactorRequest.objects.get().destination
    block_device(actor=bound(old), device_id=str((other if asked == old else old).pk))
    assert waiting_token(body).ended_at is None
    block_device(actor=bound(old), device_id=str(asked.pk))
    assert waiting_token(body).ended_at is not None
    assert TwoFactorRequest.objects.get().state == "cancelled"


@pytest.mark.parametrize("gone", ["status", "key", "owner"])
def test_an_approver_that_does_not_count_any_more_is_looked_at_again(gone: str, scene: Scene) -> None:
    """Whatever way it went out of use, without the sign-in's own token being ended."""
    old = make_phone(scene.ada, "old")
    body = scene.new_device().json()
    approve(scene, body["twoFactorAuth"], old)
    if gone == "status":
        Device.objects.update(status=DeviceStatus.INACTIVE, held_by="owner")
    elif gone == "key":
        DeviceKey.objects.update(retired_at=clock.now())
    else:
        Device.objects.update(owner=make_customer(scene.ada.bank, "Bo"))
    with refused("device-not-active"):
        assert finish(body).json()["code"] == "device-not-active"


def test_an_app_that_was_installed_anew_replaces_its_phone_and_the_approver_was_told(scene: Scene) -> None:
    approver, other = replaced_phone(scene)
    session = make_token(user=scene.ada, device=other, application=scene.application)
    body = scene.new_device(id="the-other").json()
    request = TwoFactorRequest.objects.get()
    assert request.destination == approver  # not the one heard of last, which is gone
    assert "It takes the place of your device “Ada's other”" in body["twoFactorAuth"]["request"]["message"]
    approve(scene, body["twoFactorAuth"], approver)
    answer = finish(body)
    assert answer.status_code == 200, answer.content
    other.refresh_from_db()
    assert (other.status, other.nickname) == (DeviceStatus.RETIRED, "Ada's other")
    assert not DeviceKey.objects.in_use().filter(device=other).exists()
    assert Caller(session).get("/device/v1/devices").status_code == 401
    new = find_token(answer.json()["credentials"]["accessToken"])
    assert new is not None
    assert new.device_id not in {other.pk, approver.pk}
    assert AuditEvent.objects.filter(event="device.unregistered").count() == 1


def test_what_the_approver_was_not_told_is_not_done(scene: Scene) -> None:
    """The name comes into use after the asking: what was approved was a new phone."""
    approver = make_phone(scene.ada, "old", external_id="the-approver")
    body = scene.new_device(id="the-other").json()
    make_phone(scene.ada, "other", external_id="the-other")
    approve(scene, body["twoFactorAuth"], approver)
    with refused("device-not-unique"):
        assert finish(body).status_code == 409


def test_no_phone_approves_what_takes_its_own_place(scene: Scene) -> None:
    make_phone(scene.ada, "old", external_id="the-old-one")
    with refused("no-approval-device"):
        assert scene.new_device(id="the-old-one").status_code == 409


def test_asked_again_of_the_one_that_is_replaced_it_is_refused(scene: Scene) -> None:
    _, other = replaced_phone(scene)
    body = scene.new_device(id="the-other").json()
    again = Caller(body["ephemeralAccessToken"]).put(
        f"/device/v1/2fa/{body['twoFactorAuth']['id']}", {"destDeviceId": str(other.pk)}
    )
    assert again.status_code == 200, again.content
    body["twoFactorAuth"] = again.json()["twoFactorAuth"]
    approve(scene, body["twoFactorAuth"], other, "other")
    with refused("device-not-unique"):
        assert finish(body).status_code == 409


def test_the_key_of_a_phone_is_named_by_nobody_who_has_not_got_it(scene: Scene) -> None:
    replaced_phone(scene)
    with refused("key-in-use"):
        assert scene.new_device(key="other", id="the-other").status_code == 409


def test_signing_up_ends_the_sessions_of_a_device_without_a_key(scene: Scene) -> None:
    first = scene.sign_up(scene.code(), proved=False).json()["credentials"]["accessToken"]
    second = scene.sign_up(scene.code(), key="other").json()["credentials"]["accessToken"]
    assert [Caller(raw).get("/device/v1/devices").status_code for raw in (first, second)] == [401, 200]
    assert Device.objects.count() == 1


def test_another_key_ends_all_sessions_of_the_phone_but_the_one_that_brings_it(scene: Scene) -> None:
    phone = make_phone(scene.ada, "old")
    mine, others = (make_token(user=scene.ada, device=phone, application=scene.application) for _ in range(2))
    token = find_token(mine)
    assert token is not None
    keep_key(actor_from_token(token, channel=Channel.HYPHEN), phone, read_key(hex_of("new")), proved=True)
    assert [Caller(raw).get("/device/v1/devices").status_code for raw in (mine, others)] == [200, 401]
    kept = AuditEvent.objects.get(event="device.key-enrolled")
    assert json.loads(kept.data)["details"]["ended"] == {"sessions": 1}


def test_a_challenge_opens_nothing_once_its_provider_is_suspended(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    text = scene.challenge().json()["challengeData"]
    IdentityProvider.objects.update(suspended_at=clock.now())
    with refused("sign-in-refused"):
        assert scene.respond(text).status_code == 403


def test_an_approval_opens_nothing_once_the_provider_is_suspended(scene: Scene) -> None:
    old = make_phone(scene.ada, "old")
    body = scene.new_device().json()
    approve(scene, body["twoFactorAuth"], old)
    IdentityProvider.objects.update(suspended_at=clock.now())
    with refused("sign-in-refused"):
        assert finish(body).status_code == 403
