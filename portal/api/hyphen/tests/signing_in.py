"""Ada signs in: her application, her bank's provider, and all that she sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devices.models import Device, DeviceKey
from devices.operations.device_sessions import key_proof
from devices.tests.factories import (
    bank_actor,
    make_application,
    make_bank,
    make_customer,
    make_token,
    private_key,
)
from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations.clients import app_secret_digest
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from twofa.models import EnrolmentPolicy
from twofa.operations.activation_codes import issue_activation_code
from twofa.tests.asking import sign
from twofa.tests.identities import id_token, make_provider

SIGN_UP, CHALLENGE, RESPOND = "/auth/v1/signup", "/auth/v1/signin/challenge", "/auth/v1/signin/challenge/respond"
NEW_DEVICE, FINISH, REFRESH = "/auth/v1/signin/2fa", "/auth/v1/signin/2fa/finish", "/auth/v1/refresh"
DESCRIBED = {
    "id": "deadbeef-dead-beef-cafe-deadbeefcafe",
    "sdkVersion": "1.0.0",
    "name": "iPhone 14",
    "osName": "iOS",
    "osVersion": "16.2",
    "deviceManufacturer": "Apple",
    "deviceModel": "iPhone 14",
    "lang": "en",
    "type": "mobile",
}


def hex_of(name: str) -> str:
    numbers = private_key(name).public_key().public_numbers()
    return f"{numbers.x:064x}{numbers.y:064x}"


class Scene:
    """Ada, whom her bank's provider knows, and the application that she signs in with."""

    def __init__(self) -> None:
        self.ada: User = make_customer(make_bank())
        self.provider = make_provider(self.ada.bank)
        self.application = make_application(
            self.ada.bank, name="mobile", app_secret_digest=app_secret_digest("s3cret")
        )
        self.app = Caller(None, **{"X-Hyphen-App-Secret": "s3cret"})

    def token(self, **claims: Any) -> str:
        return id_token(self.ada, **claims)

    def code(self) -> str:
        EnrolmentPolicy.objects.update_or_create(bank=self.ada.bank, defaults={"in_person": True})
        issued = issue_activation_code(
            actor=bank_actor(self.ada.bank), customer_id=self.ada.public_id, in_person=True
        )
        return issued.code

    def sign_up(self, code: str, *, key: str = "ada", proved: bool = True, **values: Any) -> Any:
        token = self.token()
        proof = sign(key_proof(self.application, token, hex_of(key), code), key)
        user_key = {"type": "device", "device": DESCRIBED, "publicKey": hex_of(key)}
        body = {
            "method": "bank-id",
            "token": token,
            "activationCode": code,
            "userKey": {**user_key, **({"signature": proof} if proved else {})},
        }
        return self.app.post(SIGN_UP, {**body, **values})

    def challenge(self, key: str = "ada", **values: Any) -> Any:
        body = {
            "challengeType": "deviceKey",
            "request": {"method": "bank-id", "token": self.token()},
            "publicKey": hex_of(key),
        }
        return self.app.post(CHALLENGE, {**body, **values})

    def respond(self, text: str, key: str = "ada", **values: Any) -> Any:
        body = {"challengeType": "deviceKey", "challengeData": text, "deviceKey": {"signature": sign(text, key)}}
        return self.app.post(RESPOND, {**body, **values})

    def new_device(self, key: str = "new", **device: Any) -> Any:
        user_key = {"type": "device", "device": {**DESCRIBED, **device}, "publicKey": hex_of(key)}
        return self.app.post(
            NEW_DEVICE, {"request": {"method": "bank-id", "token": self.token()}, "userKey": user_key}
        )


def state() -> list[Any]:
    """All that a refused sign-in must not change."""
    return [
        list(Device.objects.order_by("pk").values()),
        list(DeviceKey.objects.order_by("pk").values()),
        AccessToken.objects.count(),
        RefreshToken.objects.count(),
    ]


@contextmanager
def refused(code: str, event: str = "request.refused") -> Iterator[None]:
    before, seen = state(), set(AuditEvent.objects.values_list("pk", flat=True))
    yield
    assert state() == before
    found = AuditEvent.objects.exclude(pk__in=seen).values_list("event", "outcome", "code")
    assert list(found) == [(event, "refused", code)]


def approve(scene: Scene, request: dict[str, Any], phone: Device, key: str = "old") -> None:
    caller = Caller(make_token(user=scene.ada, device=phone, application=scene.application))
    answer = caller.post(
        f"/device/v1/2fa/{request['id']}/approve", {"signature": sign(request["request"]["message"], key)}
    )
    assert answer.status_code == 204, answer.content
