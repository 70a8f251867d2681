"""The four calls of the vendor's page about PINs, with its own bodies."""

from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.tests.factories import make_application, make_device, make_token
from devices.tests.pinning import give_contact, last_code, make_sessions, pin_is
from portal.accounts.models import User
from portal.api.tests.doors import Caller, golden, in_order

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"  # what curl -d says
PATHS = {"create": "pin", "change": "pin/change", "reset": "pin/reset", "confirm": "pin/confirm"}


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(give_contact(ada))


def living(body: dict[str, Any], device: Device, **values: str) -> dict[str, Any]:
    """The sample with ids and codes that live."""
    ids = {"deviceId": device.public_id, "userId": device.owner.public_id, **values}
    return {**body, **{name: value for name, value in ids.items() if name in body}}


def send(caller: Caller, name: str, device: Device, at: str, **values: str) -> Any:
    body = living(golden(__file__, f"pin-{name}.request"), device, **values)
    with time_machine.travel(at, tick=False):
        return caller.send("POST", f"/v1/device/{PATHS[name]}", body, label=FORM)


def as_printed(response: Any, name: str, device: Device, status: int = 200, **values: str) -> None:
    sample = golden(__file__, f"pin-{name}.answer")
    assert (response.status_code, response["Content-Type"]) == (status, "application/json")
    assert response.json() == living(sample, device, **values)
    assert in_order(response.json()) == in_order(sample)


def test_the_four_samples_run_as_printed_one_after_the_other(phone: Device) -> None:
    with time_machine.travel("2024-12-01T15:00:00Z", tick=False):
        caller = Caller(make_token(user=phone.owner, device=phone, application=make_application(phone.bank)))
    as_printed(send(caller, "create", phone, "2024-12-01T15:05:00.9Z"), "create", phone)
    assert pin_is(phone, "123456")

    with time_machine.travel("2024-12-01T15:09:00Z", tick=False):
        make_sessions(phone, 2)
    as_printed(send(caller, "change", phone, "2024-12-01T15:10:00.9Z"), "change", phone)
    assert pin_is(phone, "654321")

    asked = send(caller, "reset", phone, "2024-12-01T15:05:00.9Z")
    reset_id = asked.json()["resetId"]
    as_printed(asked, "reset", phone, 202, resetId=reset_id)

    values = {"resetId": reset_id, "verificationCode": last_code()}
    as_printed(send(caller, "confirm", phone, "2024-12-01T15:15:00.9Z", **values), "confirm", phone)
    assert pin_is(phone, "789012")


def test_the_samples_pins_are_weak_and_taken_in_the_demo_only(phone: Device, settings: Any) -> None:
    caller = Caller(make_token(user=phone.owner))
    assert settings.ACCEPTED_WEAK_PINS == ["123456", "654321", "789012"]
    settings.ACCEPTED_WEAK_PINS = []
    body = living(golden(__file__, "pin-create.request"), phone)
    assert caller.send("POST", "/v1/device/pin", body, label=FORM).json()["code"] == "weak-pin"
