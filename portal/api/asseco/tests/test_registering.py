"""POST /owned-devices: who registers for whom, and what is refused."""

from typing import Any

import pytest

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
)
from portal.accounts.models import User
from portal.api.tests.doors import ASSECO, Caller, refused_once

pytestmark = pytest.mark.django_db
IMEI = "990000862471854"
PHONE = {"external-device-identifier": IMEI}


def problem_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["problem"]


def errors_of(response: Any) -> list[tuple[str | None, str]]:
    assert response.status_code == 400
    return [(error["tag"], error["error"]) for error in response.json()["errors"]]


def test_either_name_of_the_identifier_will_do(caller: Caller) -> None:
    both = {"external-device-identifier": IMEI, "external-device-id": IMEI}
    assert caller.post(ASSECO, {"external-device-id": IMEI}).status_code == 200
    assert caller.post(ASSECO, both).status_code == 200
    assert Device.objects.get().external_id == IMEI


def test_two_names_that_disagree_are_refused(caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, "external-device-id": "990000862471855"})
    assert errors_of(response) == [("external-device-id", "combination-required")]


def test_every_field_is_kept(caller: Caller) -> None:
    body = {
        **PHONE,
        "external-device-id-kind": "app-id",
        "operating-system": " iOS 9.x ",
        "nickname": "Mein Händy 📱",
        "brand-name": "Apple IPhone",
        "model-name": "IP-6S",
        "installation-id": "inst-1",
        "push-platform": "apns",
        "push-handle": "abc123",
    }
    assert caller.post(ASSECO, body).status_code == 200
    answer = caller.get(f"/v1/device/devices/{IMEI}").json()
    expiry = answer.pop("push-expiration-date")
    assert expiry.endswith("Z")
    assert answer == {
        "imei": IMEI,
        "customer-id": Device.objects.get().owner.customer_number,
        "status": "active",
        "nickname": "Mein Händy 📱",
        "operating-system": "iOS 9.x",
        "brand-name": "Apple IPhone",
        "model-name": "IP-6S",
        "installation-id": "inst-1",
        "push-id": "abc123",
    }
    owned = caller.get(f"{ASSECO}/{IMEI}").json()
    assert owned["external-device-id-kind"] == "app-id"
    assert owned["capabilities"] == ["push", "telephony", "sms", "display"]
    assert (owned["push-registered"], owned["push-handle-expiration"]) == (True, expiry)


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"external-device-identifier": None}, [("external-device-identifier", "invalid-format")]),
        ({"external-device-identifier": ""}, [("external-device-identifier", "required")]),
        ({"external-device-identifier": "a/b"}, [("external-device-identifier", "invalid-format")]),
        ({"external-device-identifier": " 990000862471854"}, [("external-device-identifier", "invalid-format")]),
        ({"external-device-identifier": "9" * 129}, [("external-device-identifier", "max-length")]),
        ({"external-device-id-kind": "serial"}, [("external-device-id-kind", "unknown-enum")]),
        (
            {"external-device-id-kind": "imei", "external-device-identifier": "abc"},
            [("external-device-identifier", "invalid-format")],
        ),
        ({"nickname": "n" * 65}, [("nickname", "max-length")]),
        ({"operating-system": "o" * 65}, [("operating-system", "max-length")]),
        ({"brand-name": "b" * 65}, [("brand-name", "max-length")]),
        ({"model-name": "m" * 65}, [("model-name", "max-length")]),
        ({"installation-id": "i" * 129}, [("installation-id", "max-length")]),
        ({"push-platform": "apns"}, [("push-handle", "combination-required")]),
        ({"push-handle": "abc"}, [("push-platform", "combination-required")]),
        ({"push-platform": "pigeon", "push-handle": "abc"}, [("push-platform", "unknown-enum")]),
        ({"push-platform": "gcm", "push-handle": "a b"}, [("push-handle", "invalid-format")]),
        ({"push-platform": "gcm", "push-handle": "é"}, [("push-handle", "invalid-format")]),
        ({"push-platform": "gcm", "push-handle": "h" * 4097}, [("push-handle", "max-length")]),
        (
            {"nickname": 1, "model-name": "m" * 65, "colour": "red"},
            [("colour", "not-on-list"), ("nickname", "invalid-format"), ("model-name", "max-length")],
        ),
    ],
)
def test_each_problem_is_named_at_its_field(
    fields: dict[str, Any], errors: list[tuple[str, str]], caller: Caller
) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, **fields})
    assert errors_of(response) == errors


def test_without_an_identifier_nothing_is_registered(caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        assert errors_of(caller.post(ASSECO, {})) == [("external-device-identifier", "required")]


def test_the_seeds_imei_fails_its_check_digit_and_is_taken_all_the_same(caller: Caller) -> None:
    assert caller.post(ASSECO, PHONE).status_code == 200


def test_a_customer_may_say_who_it_is(caller: Caller, ada: User) -> None:
    for name in (ada.customer_number, ada.public_id):
        assert caller.post(ASSECO, {**PHONE, "customer-id": name}).status_code == 200


def test_a_customer_may_not_say_that_it_is_somebody_else(caller: Caller, ada: User) -> None:
    bea = make_customer(ada.bank, "Bea")
    bodies = set()
    for name in (bea.customer_number, bea.public_id, "nobody"):
        with refused_once("identity-mismatch", who="Ada"):
            response = caller.post(ASSECO, {**PHONE, "customer-id": name})
        assert response.status_code == 403
        bodies.add(response.content)
    assert len(bodies) == 1


def test_the_banks_server_names_its_customer(server: Caller, ada: User) -> None:
    assert server.post(ASSECO, {**PHONE, "customer-id": ada.customer_number}).status_code == 200
    assert Device.objects.get().owner == ada


def test_the_banks_server_has_to_name_its_customer(server: Caller) -> None:
    with refused_once("invalid-input", who="core banking"):
        assert errors_of(server.post(ASSECO, PHONE)) == [("customer-id", "required")]


def test_a_customer_of_another_bank_and_nobody_are_the_same_to_the_banks_server(server: Caller) -> None:
    cem = make_customer(make_bank(), "Cem", customer_number="X1")
    answers = set()
    for name in ("X1", cem.public_id, "nobody"):
        with refused_once("identity-mismatch", who="core banking"):
            response = server.post(ASSECO, {**PHONE, "customer-id": name})
        answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [403]


def test_staff_do_not_register(ada: User) -> None:
    bea = make_staff(ada.bank)
    with refused_once("staff-cannot-register", who=f"Bea ({bea.username})"):
        assert Caller(make_token(user=bea)).post(ASSECO, PHONE).status_code == 403


def test_a_device_of_somebody_else_in_the_bank_is_not_unique(caller: Caller, ada: User) -> None:
    make_device(make_customer(ada.bank, "Bea"), external_id=IMEI)
    with refused_once("device-not-unique", who="Ada"):
        response = caller.post(ASSECO, PHONE)
    assert response.json() == {
        "problem": "device-not-unique",
        "message": "This device is already registered.",
        "details": "device-not-unique",
    }
    assert response.status_code == 440


def test_another_bank_may_know_the_same_device(caller: Caller) -> None:
    make_device(make_customer(make_bank(), "Cem"), external_id=IMEI)
    assert caller.post(ASSECO, PHONE).status_code == 200


def test_nicknames_and_push_handles_are_unique(caller: Caller, ada: User) -> None:
    make_device(ada, nickname="My Phone", push_handle="taken")
    with refused_once("nickname-not-unique", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, "nickname": "my  PHONE"})
    assert problem_of(response) == (440, "nickname-not-unique")
    with refused_once("valid-push-registration-exist", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, "push-platform": "gcm", "push-handle": "taken"})
    assert problem_of(response) == (440, "valid-push-registration-exist")


@pytest.mark.parametrize("status", [DeviceStatus.BLOCKED, DeviceStatus.INACTIVE])
def test_what_the_bank_switched_off_does_not_come_back_by_registering(
    status: DeviceStatus, caller: Caller, ada: User
) -> None:
    make_device(ada, status, external_id=IMEI)
    with refused_once("device-status-not-valid", who="Ada"):
        assert problem_of(caller.post(ASSECO, PHONE)) == (440, "device-status-not-valid")
