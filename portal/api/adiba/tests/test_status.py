"""Whose status is told, and who may change it."""

import json
from typing import Any

import pytest

from devices.models import Device, Kind
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
)
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import ADIBA, Caller, nothing_written, refused_once
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def change(device: Device | str, action: str = "DEACTIVATE", **fields: Any) -> dict[str, Any]:
    name = device if isinstance(device, str) else device.public_id
    return {"deviceId": name, "action": action, "reason": "Lost", **fields}


def state_of(device: Device) -> tuple[str, str]:
    device.refresh_from_db()
    return device.status, device.held_by


# Which device.


def test_a_bound_token_means_its_own_device(ada: User, phone: Device) -> None:
    make_device(ada)
    assert Caller(make_token(user=ada, device=phone)).get(ADIBA).json()["deviceId"] == phone.public_id


def test_a_customer_with_one_device_in_use_means_that_one(caller: Caller, ada: User, phone: Device) -> None:
    make_device(ada, DeviceStatus.RETIRED)
    make_device(ada, kind=Kind.OTP_TOKEN, external_id="")
    assert caller.get(ADIBA).json()["deviceId"] == phone.public_id


NAME_IT = {
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "detail": "Name the device: deviceId is required.",
    "code": "invalid-input",
    "errors": [
        {"field": "deviceId", "code": "required", "message": "Name the device: deviceId is required."},
    ],
}


@pytest.mark.parametrize("devices", [0, 2])
def test_a_customer_with_none_or_several_has_to_name_it(devices: int, caller: Caller, ada: User) -> None:
    for _ in range(devices):
        make_device(ada)
    with refused_once("invalid-input", who="Ada"):
        response = caller.get(ADIBA)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json() == NAME_IT


def test_the_banks_server_has_to_name_it(server: Caller, phone: Device) -> None:
    assert server.get(ADIBA).json() == NAME_IT
    assert server.get(f"{ADIBA}?deviceId={phone.public_id}").json()["deviceId"] == phone.public_id


def test_every_spelling_of_an_id_names_the_device(caller: Caller, phone: Device) -> None:
    answers = [
        caller.get(f"{ADIBA}?deviceId={name}").json()["deviceId"]
        for name in (phone.public_id, phone.pk, phone.external_id, str(phone.pk).upper())
    ]
    assert answers == [phone.public_id] * 4


def test_foreign_and_unknown_devices_are_one_404(caller: Caller, ada: User, phone: Device) -> None:
    colleague = make_device(make_customer(ada.bank, "Bea"))
    stranger = make_device(make_customer(make_bank(), "Cem"))
    names = [colleague.public_id, colleague.external_id, stranger.public_id, str(stranger.pk), "DEV_1", "unknown"]
    answers = set()
    for name in names:
        with refused_once("not-found", who="Ada"):
            answers.add(caller.get(f"{ADIBA}?deviceId={name}").content)
        with refused_once("not-found", who="Ada"):
            answers.add(caller.post(ADIBA, change(name)).content)
    [only] = answers
    assert json.loads(only) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such device.",
        "code": "not-found",
    }


# What is told.


@pytest.mark.parametrize("status", DeviceStatus.values)
def test_the_state_is_told_in_its_own_word(status: str, server: Caller, ada: User) -> None:
    device = make_device(ada, status)
    answer = server.get(f"{ADIBA}?deviceId={device.pk}").json()
    assert answer["status"] == status
    assert answer["enrollmentStatus"] == ("REVOKED" if status == DeviceStatus.RETIRED else "NOT_ENROLLED")


def test_enrolment_follows_the_key(server: Caller, ada: User, phone: Device) -> None:
    make_key(phone, proved=False)
    other = make_device(ada)
    make_key(other, "bea")
    answers = [server.get(f"{ADIBA}?deviceId={one.pk}").json()["enrollmentStatus"] for one in (phone, other)]
    assert answers == ["PENDING", "ENROLLED"]


def test_what_is_not_known_is_null(server: Caller, ada: User) -> None:
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="", model="")
    answer = server.get(f"{ADIBA}?deviceId={card.pk}").json()
    assert answer["lastActivity"] is None
    assert answer["deviceInfo"] == {
        "type": "PAYMENT_CARD",
        "manufacturer": None,
        "model": None,
        "osVersion": None,
        "appVersion": None,
    }


# Who changes it.


def test_a_customer_switches_its_own_device_off(caller: Caller, phone: Device) -> None:
    response = caller.post(ADIBA, change(phone))
    assert (response.status_code, response.json()["newState"]) == (200, "INACTIVE")
    assert state_of(phone) == (DeviceStatus.INACTIVE, HeldBy.OWNER)


def test_a_customer_activates_nothing_whether_or_not_it_is_there(caller: Caller, ada: User, phone: Device) -> None:
    colleague = make_device(make_customer(ada.bank, "Bea"))
    answers = set()
    for name in (phone, colleague, "unknown"):
        with refused_once("customer-cannot-activate", who="Ada"):
            response = caller.post(ADIBA, change(name, "ACTIVATE"))
        answers.add((response.status_code, response.content))
    [(status, _)] = answers
    assert status == 403


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("action", ["ACTIVATE", "DEACTIVATE"])
def test_staff_without_the_right_are_told_so_whether_or_not_it_is_there(
    action: str, role: Role, ada: User, phone: Device
) -> None:
    person = make_staff(ada.bank, role)
    caller = Caller(make_token(user=person))
    answers = set()
    for name in (phone, "unknown"):
        with refused_once("capability-missing", who=f"Bea ({person.username})"):
            response = caller.post(ADIBA, change(name, action))
        answers.add((response.status_code, response.content))
    [(status, _)] = answers
    assert status == 403


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SECURITY_OFFICER])
def test_staff_with_the_right_switch_off_and_on(role: Role, ada: User, phone: Device) -> None:
    person = make_staff(ada.bank, role)
    caller = Caller(make_token(user=person))
    assert caller.post(ADIBA, change(phone)).json()["newState"] == "INACTIVE"
    assert state_of(phone) == (DeviceStatus.INACTIVE, HeldBy.BANK)
    assert caller.post(ADIBA, change(phone, "ACTIVATE")).json()["newState"] == "ACTIVE"
    events = AuditEvent.objects.order_by("id").values_list("event", "actor_id")
    assert list(events) == [("device.deactivated", str(person.pk)), ("device.activated", str(person.pk))]


def test_the_same_again_is_quiet(server: Caller, phone: Device) -> None:
    first = server.post(ADIBA, change(phone))
    with nothing_written():
        again = server.post(ADIBA, change(phone))
    assert (again.status_code, again.json()) == (200, {**first.json(), "sessionsTerminated": 0})


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        (DeviceStatus.BLOCKED, "DEACTIVATE", "device-status-not-valid"),
        (DeviceStatus.RETIRED, "ACTIVATE", "device-status-not-valid"),
        (DeviceStatus.RETIRED, "DEACTIVATE", "device-status-not-valid"),
        (DeviceStatus.PENDING, "DEACTIVATE", "device-status-not-valid"),
    ],
)
def test_a_step_that_the_state_does_not_allow_is_a_conflict(
    status: DeviceStatus, action: str, code: str, server: Caller, ada: User
) -> None:
    device = make_device(ada, status)
    with refused_once(code, who="core banking"):
        response = server.post(ADIBA, change(device, action))
    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    assert (response.json()["status"], response.json()["title"], response.json()["code"]) == (409, "Conflict", code)
    refusal = AuditEvent.objects.get()
    assert (refusal.object_type, refusal.object_id) == ("device", str(device.pk))


# adminId is a claim.


def test_a_person_names_itself_in_either_way(ada: User, phone: Device) -> None:
    person = make_staff(ada.bank)
    caller = Caller(make_token(user=person))
    for name in (person.public_id, person.username):
        assert caller.post(ADIBA, change(phone, adminId=name)).status_code == 200


def test_a_person_cannot_name_another_whether_or_not_there_is_a_device(ada: User, phone: Device) -> None:
    person, other = make_staff(ada.bank), make_staff(ada.bank, name="Eve")
    caller = Caller(make_token(user=person))
    for name in (other.public_id, other.username, "ADMIN_001", str(person.pk)):
        for device in (phone, "unknown"):
            with refused_once("identity-mismatch", who=f"Bea ({person.username})"):
                assert caller.post(ADIBA, change(device, adminId=name)).status_code == 403


def test_a_customer_may_name_itself_only(caller: Caller, ada: User, phone: Device) -> None:
    for name in ("ADMIN_001", make_staff(ada.bank).public_id, ada.customer_number):
        with refused_once("identity-mismatch", who="Ada"):
            assert caller.post(ADIBA, change(phone, adminId=name)).status_code == 403
    assert caller.post(ADIBA, change(phone, adminId=ada.public_id)).status_code == 200


def test_the_banks_own_clerk_is_kept_in_the_log_and_is_never_the_actor(server: Caller, phone: Device) -> None:
    assert server.post(ADIBA, change(phone, adminId="ADMIN_001")).status_code == 200
    event = AuditEvent.objects.get()
    assert (event.actor_kind, event.actor_label) == ("bank", "core banking")
    assert json.loads(event.data)["claims"] == {"admin_id": "ADMIN_001"}


# Bodies.


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"deviceId": None}, ("deviceId", "invalid-format")),
        ({"deviceId": ""}, ("deviceId", "required")),
        ({"deviceId": "x" * 129}, ("deviceId", "max-length")),
        ({"action": "activate"}, ("action", "unknown-enum")),
        ({"action": ""}, ("action", "unknown-enum")),
        ({"reason": ""}, ("reason", "required")),
        ({"reason": "  "}, ("reason", "required")),
        ({"reason": "r" * 501}, ("reason", "max-length")),
        ({"adminId": ""}, ("adminId", "required")),
        ({"adminId": 7}, ("adminId", "invalid-format")),
        ({"userId": "USR_1"}, ("userId", "unknown-field")),
    ],
)
def test_each_problem_is_named_at_its_field(
    fields: dict[str, Any], problem: tuple[str, str], server: Caller, phone: Device
) -> None:
    with refused_once("invalid-input", who="core banking"):
        response = server.post(ADIBA, change(phone, **fields))
    assert response.status_code == 400
    assert [(one["field"], one["code"]) for one in response.json()["errors"]] == [problem]


def test_every_missing_field_is_named(server: Caller) -> None:
    response = server.post(ADIBA, {})
    assert [(one["field"], one["code"]) for one in response.json()["errors"]] == [
        ("deviceId", "required"),
        ("action", "required"),
        ("reason", "required"),
    ]
