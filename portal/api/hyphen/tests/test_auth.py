"""Signing up, signing in with a device's key, and from a new device: the whole way over the wire."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.models import Device, DeviceKey
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_token,
)
from portal import vault
from portal.accounts.models import Application, User
from portal.accounts.operations.clients import app_secret_digest
from portal.accounts.tokens import find_token
from portal.api.hyphen.tests.signing_in import (
    DESCRIBED,
    FINISH,
    REFRESH,
    Scene,
    approve,
    hex_of,
    refused,
)
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.outbox.models import Message
from portal.outbox.operations import BODY, RECIPIENT
from twofa.models import ActivationCode, IdentityProvider, SignInChallenge, TwoFactorRequest
from twofa.operations.activation_codes import issue_activation_code
from twofa.tests.asking import make_phone, sign
from twofa.tests.identities import id_token, key_set, signing_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_first_device_signs_up_with_its_code_and_its_session_is_bound_to_it(scene: Scene) -> None:
    response = scene.sign_up(scene.code())
    assert response.status_code == 201, response.content
    body = response.json()
    assert list(body) == ["account", "credentials"]
    assert body["account"] == {
        "id": scene.ada.public_id,
        "addresses": [],
        "parent": [],
        "createdAt": clock.rfc3339(scene.ada.created_at),
    }
    device = Device.objects.get()
    token = find_token(body["credentials"]["accessToken"])
    assert token is not None
    assert (token.device_id, token.user_id, device.sdk_version, device.language) == (
        device.pk,
        scene.ada.pk,
        "1.0.0",
        "en",
    )
    key = DeviceKey.objects.get()
    assert (key.device_id, key.spelling, key.proved_at is not None) == (device.pk, hex_of("ada"), True)
    listed = Caller(body["credentials"]["accessToken"]).get("/device/v1/devices").json()["devices"]
    assert [one["publicKey"] for one in listed] == [hex_of("ada")]
    events = list(AuditEvent.objects.order_by("id").values_list("event", flat=True))
    assert events == [
        "activation-code.issued",
        "activation-code.used",
        "device.registered",
        "device.key-enrolled",
        "token.issued",
        "device.signed-in",
    ]


def test_an_unmodified_application_signs_up_without_proof_and_its_first_sign_in_proves_the_key(scene: Scene) -> None:
    assert scene.sign_up(scene.code(), proved=False).status_code == 201
    assert DeviceKey.objects.get().proved_at is None
    text = scene.challenge().json()["challengeData"]
    assert scene.respond(text).status_code == 200
    assert DeviceKey.objects.get().proved_at is not None


def test_a_code_is_good_once(scene: Scene) -> None:
    code = scene.code()
    assert scene.sign_up(code).status_code == 201
    Device.objects.update(status=DeviceStatus.BLOCKED, held_by="bank", switched_off_at=clock.now())
    with refused("activation-code-wrong", "activation-code.refused"):
        assert scene.sign_up(code, key="other").status_code == 403


def test_the_fifth_wrong_code_is_the_last(scene: Scene) -> None:
    code = scene.code()
    wrong = f"{(int(code) + 1) % 10**8:08}"
    for _ in range(5):
        with refused("activation-code-wrong", "activation-code.refused"):
            assert scene.sign_up(wrong).json()["code"] == "activation-code-wrong"
    with refused("activation-code-wrong", "activation-code.refused"):
        assert scene.sign_up(code).status_code == 403
    assert ActivationCode.objects.get().tries == 5


def test_a_code_ends_after_a_day(scene: Scene) -> None:
    code = scene.code()
    with time_machine.travel(clock.now() + timedelta(hours=24, seconds=1)):
        assert scene.sign_up(code).status_code == 403


def test_a_wrong_proof_enrols_nothing_and_costs_no_try(scene: Scene) -> None:
    code = scene.code()
    key = {"type": "device", "device": DESCRIBED, "publicKey": hex_of("ada"), "signature": sign("x")}
    with refused("invalid-input"):
        response = scene.sign_up(code, userKey=key)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "signature-wrong")
    assert ActivationCode.objects.get().tries == 0


def test_a_customer_with_a_device_signs_in_instead(scene: Scene) -> None:
    make_phone(scene.ada, "old")
    code = scene.code()
    with refused("already-signed-up"):
        response = scene.sign_up(code)
    assert response.status_code == 409


def test_somebody_elses_key_is_not_enrolled_and_the_code_stays_good(scene: Scene) -> None:
    make_phone(make_customer(scene.ada.bank, "Cem"), "cem")
    code = scene.code()
    with refused("key-in-use"):
        assert scene.sign_up(code, key="cem").status_code == 409
    assert scene.sign_up(code).status_code == 201


@pytest.mark.parametrize("call", ["sign_up", "challenge", "new_device"])
def test_who_is_not_signed_up_is_told_so_in_the_words_that_the_sdks_look_for(scene: Scene, call: str) -> None:
    stranger = scene.ada
    User.objects.filter(pk=stranger.pk).update(customer_number="somebody-else")
    arguments = {"sign_up": ["12345678"], "challenge": [], "new_device": []}[call]
    with refused("PleaseSignUp"):
        response = getattr(scene, call)(*arguments)
    assert (response.status_code, response.json()["code"]) == (400, "PleaseSignUp")
    assert "please sign up" in response.content.decode()


@pytest.mark.parametrize("call", ["challenge", "new_device"])
def test_a_customer_without_a_device_is_told_the_same(scene: Scene, call: str) -> None:
    response = getattr(scene, call)()
    assert (response.status_code, response.json()["code"]) == (400, "PleaseSignUp")


def test_a_suspended_customer_signs_in_nowhere(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    User.objects.filter(pk=scene.ada.pk).update(is_active=False)
    with refused("sign-in-refused"):
        assert scene.challenge().status_code == 403


def test_a_device_signs_in_with_its_key(scene: Scene) -> None:
    phone = make_phone(scene.ada, "ada")
    challenge = scene.challenge().json()
    assert list(challenge) == ["challengeData", "expiresAt"]
    response = scene.respond(challenge["challengeData"])
    assert response.status_code == 200, response.content
    token = find_token(response.json()["credentials"]["accessToken"])
    assert token is not None
    assert (token.device_id, token.user_id) == (phone.pk, scene.ada.pk)


@pytest.mark.parametrize("how", ["wrong key", "again", "expired", "other application", "unknown", "flipped"])
def test_a_challenge_is_good_once_for_one_key_and_application(scene: Scene, how: str) -> None:
    make_phone(scene.ada, "ada")
    text = scene.challenge().json()["challengeData"]
    key = "other" if how == "wrong key" else "ada"
    later = timedelta(seconds=121 if how == "expired" else 0)
    if how == "again":
        assert scene.respond(text).status_code == 200
    if how == "other application":
        make_application(scene.ada.bank, app_secret_digest=app_secret_digest("other"))
        scene.app = Caller(None, **{"X-Hyphen-App-Secret": "other"})
    if how == "unknown":
        SignInChallenge.objects.all().delete()
    if how == "flipped":
        text = text.replace(scene.application.client_id, "another")
    code = "signature-wrong" if how == "wrong key" else "challenge-unknown"
    with time_machine.travel(clock.now() + later), refused(code, "device-sign-in.refused"):
        response = scene.respond(text, key)
    assert (response.status_code, response.json()["code"]) == (403, "sign-in-failed")


def test_a_wrong_signature_uses_the_challenge_up(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    text = scene.challenge().json()["challengeData"]
    assert scene.respond(text, "other").status_code == 403
    assert scene.respond(text).status_code == 403


def test_a_device_that_is_switched_off_meanwhile_does_not_sign_in(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    text = scene.challenge().json()["challengeData"]
    Device.objects.update(status=DeviceStatus.BLOCKED, held_by="bank", switched_off_at=clock.now())
    with refused("device-not-active"):
        assert scene.respond(text).status_code == 409
    with refused("device-not-active"):
        assert scene.challenge().status_code == 409


def test_an_unknown_key_of_a_known_customer_needs_another_device(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    with refused("key-not-known"):
        assert scene.challenge("new").status_code == 403


def test_a_strangers_key_opens_nothing(scene: Scene) -> None:
    make_phone(scene.ada, "ada")
    make_phone(make_customer(scene.ada.bank, "Cem"), "cem")
    with refused("key-not-known"):
        assert scene.challenge("cem").status_code == 403


def test_an_unproved_copy_of_a_key_keeps_nobody_out(scene: Scene) -> None:
    squatter = make_device(make_customer(scene.ada.bank, "Cem"))
    make_key(squatter, "ada", proved=False)
    make_phone(scene.ada, "ada")
    assert scene.respond(scene.challenge().json()["challengeData"]).status_code == 200


def test_a_new_device_signs_in_once_the_old_one_approves(scene: Scene) -> None:
    old = make_phone(scene.ada, "old", nickname="iPhone 14")
    response = scene.new_device()
    assert response.status_code == 200, response.content
    body = response.json()
    assert list(body) == ["twoFactorAuth", "ephemeralAccessToken"]
    request = body["twoFactorAuth"]["request"]
    assert (request["srcDevice"]["publicKey"], request["destDevice"]["id"]) == (hex_of("new"), str(old.pk))
    waiting = Caller(body["ephemeralAccessToken"])
    finish = {"twoFactorAuthRequestId": request["id"]}
    assert waiting.post(FINISH, finish).json()["code"] == "request-pending"
    approve(scene, body["twoFactorAuth"], old)
    assert (
        waiting.get(f"/device/v1/2fa/{body['twoFactorAuth']['id']}").json()["twoFactorAuth"]["status"] == "approved"
    )
    done = waiting.post(FINISH, finish)
    assert done.status_code == 200, done.content
    new = Device.objects.exclude(pk=old.pk).get()
    token = find_token(done.json()["credentials"]["accessToken"])
    assert token is not None
    assert (token.device_id, new.nickname) == (new.pk, "iPhone 14 2")
    assert waiting.post(FINISH, finish).status_code == 401


@pytest.mark.parametrize(("how", "status"), [("approve", "approved"), ("deny", "denied"), ("not me", "denied")])
def test_the_new_device_is_told_by_push_what_became_of_its_sign_in(scene: Scene, how: str, status: str) -> None:
    old = make_phone(scene.ada, "old")
    asked = scene.new_device(pushToken="new-handle").json()["twoFactorAuth"]
    if how == "approve":
        approve(scene, asked, old)
    else:
        caller = Caller(make_token(user=scene.ada, device=old, application=scene.application))
        not_me = "?notMe=true" if how == "not me" else ""
        assert caller.send("DELETE", f"/device/v1/2fa/{asked['id']}{not_me}").status_code == 204
    message = Message.objects.get(template="hyphen:2fa-status-change")
    assert vault.unseal(RECIPIENT, message.pk, message.recipient_sealed) == "gcm:new-handle"
    body = json.loads(vault.unseal(BODY, message.pk, message.body_sealed))
    assert (body["twoFactorAuth"]["id"], body["twoFactorAuth"]["status"]) == (asked["id"], status)
    assert "new-handle" not in json.dumps(body)


def test_a_new_device_without_a_push_token_is_told_nothing(scene: Scene) -> None:
    old = make_phone(scene.ada, "old")
    approve(scene, scene.new_device().json()["twoFactorAuth"], old)
    assert not Message.objects.filter(template="hyphen:2fa-status-change").exists()


def test_the_token_that_waits_sees_its_own_request_and_nothing_else(scene: Scene) -> None:
    make_phone(scene.ada, "old")
    first, second = scene.new_device().json(), scene.new_device().json()
    waiting = Caller(first["ephemeralAccessToken"])
    assert waiting.get(f"/device/v1/2fa/{first['twoFactorAuth']['id']}").status_code == 200
    assert waiting.get(f"/device/v1/2fa/{second['twoFactorAuth']['id']}").status_code == 404
    assert (
        waiting.post(FINISH, {"twoFactorAuthRequestId": second["twoFactorAuth"]["request"]["id"]}).status_code == 404
    )
    for path in ("/device/v1/devices", "/v1/device/owned-devices", "/v1/device/status?deviceId=x"):
        assert waiting.get(path).status_code == 403, path
    assert waiting.send("DELETE", f"/device/v1/2fa/{first['twoFactorAuth']['id']}").status_code == 403


@pytest.mark.parametrize(
    ("how", "status", "code"), [("deny", 403, "request-denied"), ("late", 409, "request-expired")]
)
def test_what_nobody_approved_is_not_finished(scene: Scene, how: str, status: int, code: str) -> None:
    old = make_phone(scene.ada, "old")
    body = scene.new_device().json()
    if how == "deny":
        caller = Caller(make_token(user=scene.ada, device=old, application=scene.application))
        assert caller.send("DELETE", f"/device/v1/2fa/{body['twoFactorAuth']['id']}").status_code == 204
    later = timedelta(seconds=200 if how == "late" else 0)
    finish = {"twoFactorAuthRequestId": body["twoFactorAuth"]["request"]["id"]}
    with time_machine.travel(clock.now() + later), refused(code):
        response = Caller(body["ephemeralAccessToken"]).post(FINISH, finish)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_it_was_not_me_ends_the_sign_in(scene: Scene) -> None:
    old = make_phone(scene.ada, "old")
    body = scene.new_device().json()
    caller = Caller(make_token(user=scene.ada, device=old, application=scene.application))
    assert caller.send("DELETE", f"/device/v1/2fa/{body['twoFactorAuth']['id']}?notMe=true").status_code == 204
    assert Caller(body["ephemeralAccessToken"]).post(FINISH, {"twoFactorAuthRequestId": "x"}).status_code == 401


def test_nobody_is_bombed_with_sign_ins(scene: Scene) -> None:
    make_phone(scene.ada, "old")
    assert [scene.new_device().status_code for _ in range(6)] == [200] * 5 + [429]
    assert TwoFactorRequest.objects.count() == 5


def test_a_session_is_renewed_and_a_used_token_ends_the_family(scene: Scene) -> None:
    phone = make_phone(scene.ada, "ada")
    first = scene.respond(scene.challenge().json()["challengeData"]).json()["credentials"]
    answer = Caller().post(REFRESH, {"refreshToken": first["refreshToken"]})
    assert (answer.status_code, list(answer.json())) == (200, ["credentials"])
    second = answer.json()["credentials"]
    token = find_token(second["accessToken"])
    assert token is not None
    assert token.device_id == phone.pk
    assert Caller().post(REFRESH, {"refreshToken": first["refreshToken"]}).status_code == 401
    assert Caller(second["accessToken"]).get("/device/v1/devices").status_code == 401


@pytest.mark.parametrize("what", ["unknown", "wrong secret", "device off", "closed dialect", "strange address"])
def test_a_refresh_that_is_refused_leaves_one_event(scene: Scene, what: str) -> None:
    make_phone(scene.ada, "ada")
    raw = scene.respond(scene.challenge().json()["challengeData"]).json()["credentials"]["refreshToken"]
    if what == "device off":
        Device.objects.update(status=DeviceStatus.BLOCKED, held_by="bank", switched_off_at=clock.now())
    rules = {"closed dialect": {"dialects": ["asseco"]}, "strange address": {"allowed_ips": ["192.0.2.0/24"]}}
    Application.objects.filter(pk=scene.application.pk).update(**rules.get(what, {"name": "mobile"}))
    caller = Caller(None, **({"X-Hyphen-App-Secret": "no"} if what == "wrong secret" else {}))
    code = "device-not-active" if what == "device off" else "refresh-token-unknown"
    with refused(code, "token.refused"):
        response = caller.post(REFRESH, {"refreshToken": "x" if what == "unknown" else raw})
    assert (response.status_code, response.json()["code"]) == (401, "refresh-token-invalid")


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_an_application_shows_its_secret(scene: Scene, secret: str) -> None:
    scene.app = Caller(None, **({"X-Hyphen-App-Secret": secret} if secret else {}))
    with refused("app-secret-wrong", "token.refused"):
        assert scene.challenge().status_code == 401


def test_a_suspended_application_is_unknown(scene: Scene) -> None:
    scene.application.suspended_at = clock.now()
    scene.application.save()
    assert scene.challenge().status_code == 401


def test_a_closed_dialect_and_a_strange_address_are_refused(scene: Scene) -> None:
    scene.application.dialects = ["asseco"]
    scene.application.save()
    with refused("dialect-not-open"):
        assert scene.challenge().status_code == 403
    scene.application.allowed_ips = ["192.0.2.0/24"]
    scene.application.save()
    with refused("ip-not-allowed"):
        assert scene.challenge().status_code == 403


def test_calls_are_counted_whoever_makes_them(scene: Scene, settings: Any) -> None:
    settings.API_CALLS_PER_MINUTE = 2
    with time_machine.travel(clock.now() + timedelta(hours=3), tick=False):  # nobody else has called in that minute
        found = [scene.challenge().status_code for _ in range(3)]
    assert found == [400, 400, 429]


def test_a_code_goes_to_the_contact_on_file_and_nowhere_else(scene: Scene) -> None:
    ada = make_customer(scene.ada.bank, "Ada", phone_sealed="")
    ada.phone_sealed = vault.seal("user.phone", ada.pk, "+12025550143")
    ada.save()
    issued = issue_activation_code(actor=bank_actor(ada.bank), customer_id=ada.public_id)
    message = Message.objects.get()
    body = vault.unseal(BODY, message.pk, message.body_sealed)
    digits = next(word for word in body.split() if word.isdigit() and len(word) == 8)
    assert issued.code == ""
    event = AuditEvent.objects.get(event="activation-code.issued")
    assert digits not in event.data + ActivationCode.objects.get().code_digest
    assert hashlib.sha256(digits.encode()).hexdigest() != ActivationCode.objects.get().code_digest


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://other.example"}, "token-issuer"),
        ({"aud": "another-app"}, "token-audience"),
        ({"aud": ["mobile-app", "another-app"]}, "token-audience"),
        ({"azp": "another-app"}, "token-audience"),
        ({"exp": 1}, "token-expired"),
        ({"exp": None}, "token-expired"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "token-too-early"),
        ({"iat": None}, "token-too-early"),
        ({"iat": 1}, "token-too-old"),
        ({"sub": None}, "token-subject"),
        ({"sub": ""}, "token-subject"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "token-of-another-kind"),
        ({"header": {"typ": "at+jwt"}}, "token-of-another-kind"),
        ({"header": {"typ": "logout+jwt"}}, "token-of-another-kind"),
        ({"header": {"typ": 7}}, "token-of-another-kind"),
    ],
)
def test_an_id_token_that_says_something_else_is_refused(scene: Scene, claims: dict[str, Any], code: str) -> None:
    make_phone(scene.ada, "ada")
    request = {"method": "bank-id", "token": scene.token(**claims)}
    with refused(code, "device-sign-in.refused"):
        response = scene.challenge(request=request)
    assert (response.status_code, response.json()["code"]) == (403, "id-token-refused")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_each_algorithm_of_the_list_signs_when_the_provider_names_it(scene: Scene, algorithm: str) -> None:
    make_phone(scene.ada, "ada")
    key = signing_key("k2", algorithm)
    IdentityProvider.objects.update(key_set=key_set(key), algorithms=[algorithm])
    token = id_token(scene.ada, key=key, header={"alg": algorithm})
    assert scene.challenge(request={"method": "bank-id", "token": token}).status_code == 200
    IdentityProvider.objects.update(algorithms=["ES256" if algorithm != "ES256" else "EdDSA"])
    with refused("token-algorithm", "device-sign-in.refused"):
        assert scene.challenge(request={"method": "bank-id", "token": token}).status_code == 403


def test_an_unknown_provider_is_a_wrong_method(scene: Scene) -> None:
    with refused("invalid-input"):
        response = scene.challenge(request={"method": "other", "token": scene.token()})
    assert response.status_code == 400


def test_another_banks_provider_is_unknown(scene: Scene) -> None:
    IdentityProvider.objects.update(bank=make_bank())
    assert scene.challenge().status_code == 400
