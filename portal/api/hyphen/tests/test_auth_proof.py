"""What a session may do before its device's key has signed: everything but two-factor requests."""

import pytest

from devices.models import Device, DeviceKey
from portal.accounts.models import AccessToken
from portal.accounts.tokens import find_token
from portal.api.hyphen.tests.signing_in import FINISH, REFRESH, Scene, approve, refused
from portal.api.tests.doors import Caller
from twofa.tests.asking import make_phone

pytestmark = pytest.mark.django_db

ALL = {"devices", "fingerprints", "pin", "certificates", "transfers", "twofa"}


@pytest.fixture
def scene() -> Scene:
    found = Scene()
    found.application.allowed_scopes = sorted(ALL)
    found.application.save()
    return found


def scopes(raw: str) -> set[str]:
    token = find_token(raw)
    assert token is not None
    return set(token.scope.split())


def test_a_key_that_signed_at_sign_up_counts_at_once(scene: Scene) -> None:
    session = scene.sign_up(scene.code()).json()["credentials"]
    assert scopes(session["accessToken"]) == ALL
    assert Caller(session["accessToken"]).get("/device/v1/2fa").status_code == 200


def test_without_a_signature_the_session_has_no_part_in_requests_until_the_key_has_signed(scene: Scene) -> None:
    first = scene.sign_up(scene.code(), proved=False).json()["credentials"]
    assert scopes(first["accessToken"]) == ALL - {"twofa"}
    with refused("insufficient-scope"):
        assert Caller(first["accessToken"]).get("/device/v1/2fa").status_code == 403
    assert Caller(first["accessToken"]).get("/device/v1/devices").status_code == 200
    second = scene.respond(scene.challenge().json()["challengeData"]).json()["credentials"]
    assert scopes(second["accessToken"]) == ALL
    assert Caller(second["accessToken"]).get("/device/v1/2fa").status_code == 200


def test_renewing_does_not_bring_what_the_key_never_proved(scene: Scene) -> None:
    first = scene.sign_up(scene.code(), proved=False).json()["credentials"]
    scene.respond(scene.challenge().json()["challengeData"])
    renewed = Caller().post(REFRESH, {"refreshToken": first["refreshToken"]}).json()["credentials"]
    assert scopes(renewed["accessToken"]) == ALL - {"twofa"}


def test_a_customer_whose_key_never_signed_may_sign_up_anew(scene: Scene) -> None:
    assert scene.sign_up(scene.code(), proved=False).status_code == 201
    assert scene.sign_up(scene.code(), key="other").status_code == 201
    assert DeviceKey.objects.get(proved_at__isnull=False).spelling != ""


def test_a_new_device_that_says_it_is_an_old_one_replaces_it_and_answers_nothing(scene: Scene) -> None:
    """It names itself as one that has a proved key, and has not got that key."""
    make_phone(scene.ada, "other", external_id="the-old-one")
    approver = make_phone(scene.ada, "old")
    body = scene.new_device(id="the-old-one").json()
    approve(scene, body["twoFactorAuth"], approver)
    answer = Caller(body["ephemeralAccessToken"]).post(
        FINISH, {"twoFactorAuthRequestId": body["twoFactorAuth"]["request"]["id"]}
    )
    assert answer.status_code == 200, answer.content
    assert (Device.objects.count(), Device.objects.in_use().count()) == (3, 2)
    session = answer.json()["credentials"]["accessToken"]
    assert scopes(session) == ALL - {"twofa"}
    assert Caller(session).get("/device/v1/2fa").status_code == 403
    assert AccessToken.objects.live().count() == 2
