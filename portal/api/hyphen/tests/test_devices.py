"""Whose devices are listed, how a key names one, and what may be edited."""

from typing import Any

import pytest

from devices.models import Device, DeviceKey, Kind
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
)
from portal.accounts.models import User
from portal.accounts.operations.clients import app_secret_digest
from portal.api.hyphen.tests.keys import coordinates, ed25519_key, enrolled, spellings
from portal.api.tests.doors import HYPHEN, Caller, at_most, nothing_written, refused_once
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db
SECRET = "X-Hyphen-App-Secret"


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(
        ada, nickname="Work phone", manufacturer="Apple", operating_system="iOS 17.1", push_handle="handle-1"
    )


@pytest.fixture
def key(phone: Device) -> DeviceKey:
    return make_key(phone)


def listed(caller: Caller) -> list[str]:
    response = caller.get(HYPHEN)
    assert response.status_code == 200
    return [device["id"] for device in response.json()["devices"]]


# The list.


def test_only_ones_own_devices_with_a_proved_key_are_listed(caller: Caller, ada: User, key: DeviceKey) -> None:
    tablet = make_device(ada, kind=Kind.TABLET)
    make_key(tablet, "tablet")
    make_device(ada)
    make_key(make_device(ada), "unproved", proved=False)
    make_key(make_device(ada, DeviceStatus.RETIRED), "retired")
    make_key(make_device(make_customer(ada.bank, "Bea")), "bea")
    lost_key = make_key(make_device(ada), "old")
    lost_key.retired_at = clock.now()
    lost_key.save()
    assert listed(caller) == [str(key.device_id), str(tablet.pk)]


def test_a_customer_without_devices_gets_an_empty_list(caller: Caller) -> None:
    assert caller.get(HYPHEN).json() == {"devices": []}


@pytest.mark.parametrize("status", [DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.PENDING])
def test_a_device_that_is_switched_off_is_listed_too(status: str, caller: Caller, ada: User) -> None:
    key = make_key(make_device(ada, status))
    assert listed(caller) == [str(key.device_id)]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ("Android", "", "mobile")),
        ({"kind": Kind.WATCH, "operating_system": "watchOS 10.1"}, ("iOS", "10.1", "mobile")),
        ({"kind": Kind.TABLET, "operating_system": "iPadOS 18.2"}, ("iPadOS", "18.2", "tablet")),
        ({"operating_system": "iOS 9.x"}, ("iOS", "9.x", "mobile")),
    ],
)
def test_what_is_not_known_is_an_empty_text_and_words_are_the_sdks(
    values: dict[str, Any], shown: tuple[str, str, str], caller: Caller, ada: User
) -> None:
    make_key(make_device(ada, model="", **values))
    [device] = caller.get(HYPHEN).json()["devices"]
    assert all(isinstance(value, str) for value in device.values())
    assert (device["osName"], device["osVersion"], device["type"]) == shown
    empty = {"sdkVersion", "pushToken", "name", "deviceManufacturer", "deviceModel", "lang"}
    assert {device[name] for name in empty} == {""}


def test_the_key_is_echoed_as_it_was_registered(caller: Caller, phone: Device) -> None:
    enrolled(phone, spelling := spellings(*coordinates(1))["upper case"])
    assert caller.get(HYPHEN).json()["devices"][0]["publicKey"] == spelling


def test_the_handle_of_another_push_service_is_not_told(caller: Caller, phone: Device, key: DeviceKey) -> None:
    phone.set_push_handle("apns", "handle-2", phone.push_expires_at)
    phone.save()
    assert caller.get(HYPHEN).json()["devices"][0]["pushToken"] == ""
    with nothing_written():
        caller.put(f"{HYPHEN}/{key.spelling}", {"pushToken": ""})


def test_a_list_costs_four_however_long_it_is(ada: User, phone: Device, key: DeviceKey) -> None:
    bound = Caller(make_token(user=ada, device=phone))
    with at_most(4):  # token, activity (once a minute), devices, keys
        assert len(listed(bound)) == 1
    for number in range(20):
        make_key(make_device(ada), str(number))
    with at_most(3):
        assert len(listed(bound)) == 21


# How a key names a device.


@pytest.mark.parametrize("zeros", [0, 1, 2])
@pytest.mark.parametrize("form", ["canonical", "upper case", "uncompressed", "compressed", "short"])
def test_any_spelling_of_the_key_names_the_device(form: str, zeros: int, caller: Caller, phone: Device) -> None:
    forms = spellings(*coordinates(zeros))
    enrolled(phone, forms["canonical"])
    assert len(forms["short"]) == 128 - zeros
    response = caller.put(f"{HYPHEN}/{forms[form]}", {"publicKey": forms["compressed"], "lang": "hr"})
    assert (response.status_code, response.json()["device"]["lang"]) == (200, "hr")
    assert response.json()["device"]["publicKey"] == forms["canonical"]


NOT_FOUND = (
    b'{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such device.","code":"not-found"}'
)


def test_foreign_unknown_unproved_retired_and_unreadable_keys_look_the_same(caller: Caller, ada: User) -> None:
    retired = make_key(make_device(ada), "old")
    DeviceKey.objects.filter(pk=retired.pk).update(retired_at=clock.now())
    names = [
        make_key(make_device(make_customer(ada.bank, "Bea")), "bea").spelling,
        make_key(make_device(make_customer(make_bank(), "Cem")), "cem").spelling,
        make_key(make_device(ada), "unproved", proved=False).spelling,
        make_key(make_device(ada, DeviceStatus.RETIRED), "retired").spelling,
        retired.spelling,
        ed25519_key(),
        "00" * 32,
        "no key",
        "a" * 5000,
    ]
    for name in names:
        with refused_once("not-found", who="Ada"):
            response = caller.put(f"{HYPHEN}/{name}", {"name": "Mine"})
        assert (response.status_code, response.content) == (404, NOT_FOUND)


def test_a_new_key_of_a_device_names_it_and_the_old_one_no_more(
    caller: Caller, phone: Device, key: DeviceKey
) -> None:
    DeviceKey.objects.filter(pk=key.pk).update(retired_at=clock.now())
    new = make_key(phone, "new")
    assert caller.put(f"{HYPHEN}/{key.spelling}", {"lang": "en"}).status_code == 404
    assert caller.put(f"{HYPHEN}/{new.spelling}", {"lang": "en"}).status_code == 200
    assert caller.get(HYPHEN).json()["devices"][0]["publicKey"] == new.spelling


# Editing.


def test_what_is_not_said_or_null_stays(caller: Caller, phone: Device, key: DeviceKey) -> None:
    before = caller.get(HYPHEN).json()["devices"][0]
    response = caller.put(
        f"{HYPHEN}/{key.spelling}", {"osVersion": "18.0", "name": None, "pushToken": None, "osName": None, "id": None}
    )
    assert response.json() == {"device": {**before, "osVersion": "18.0"}}
    event = AuditEvent.objects.get()
    assert (event.event, event.object_id) == ("device.updated", str(phone.pk))
    assert "handle-1" not in event.data


def test_a_device_sent_back_as_it_is_listed_writes_nothing(caller: Caller, phone: Device, key: DeviceKey) -> None:
    [device] = caller.get(HYPHEN).json()["devices"]
    assert caller.put(f"{HYPHEN}/{key.spelling}", device).status_code == 200  # prolongs the handle
    with nothing_written():
        response = caller.put(f"{HYPHEN}/{key.spelling}", device)
    assert AuditEvent.objects.count() == 0
    assert (response.status_code, response.json()) == (200, {"device": device})


def test_an_empty_edit_answers_with_the_device(caller: Caller, key: DeviceKey) -> None:
    with nothing_written():
        assert caller.put(f"{HYPHEN}/{key.spelling}", {}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "deadbeef-dead-beef-cafe-deadbeefcafe"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "no uuid"}, "id"),
        ({"type": "tablet"}, "type"),
        ({"publicKey": "00" * 32}, "publicKey"),
        ({"publicKey": "no key"}, "publicKey"),
    ],
)
def test_what_a_device_is_cannot_be_edited(body: Any, field: str, caller: Caller, key: DeviceKey) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{HYPHEN}/{key.spelling}", {**body, "name": "Other"})
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    message = "This cannot be changed."
    assert response.json()["errors"] == [{"field": field, "code": "not-writable", "message": message}]


def test_the_uuid_may_be_written_in_capitals(caller: Caller, key: DeviceKey) -> None:
    assert caller.put(f"{HYPHEN}/{key.spelling}", {"id": str(key.device_id).upper()}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": "x" * 65}, "name", "max-length"),
        ({"name": 5}, "name", "invalid-format"),
        ({"name": "a\nb"}, "name", "invalid-format"),
        ({"osName": "Windows"}, "osName", "unknown-enum"),
        ({"osVersion": "1" * 57}, "osVersion", "max-length"),
        ({"lang": "x" * 36}, "lang", "max-length"),
        ({"type": "watch"}, "type", "unknown-enum"),
        ({"pushToken": "a b"}, "pushToken", "invalid-format"),
        ({"pushToken": "ä"}, "pushToken", "invalid-format"),
        ({"pushToken": "x" * 4097}, "pushToken", "max-length"),
        ({"deviceManufacturer": "x" * 65}, "deviceManufacturer", "max-length"),
        ({"sdkversion": "1"}, "sdkversion", "unknown-field"),
    ],
)
def test_a_wrong_form_is_named_by_its_field(body: Any, field: str, code: str, caller: Caller, key: DeviceKey) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{HYPHEN}/{key.spelling}", body)
    assert response.status_code == 400
    assert [(one["field"], one["code"]) for one in response.json()["errors"]] == [(field, code)]


def test_a_field_that_only_the_operation_can_judge_has_the_wires_name(
    caller: Caller, phone: Device, key: DeviceKey
) -> None:
    Device.objects.filter(pk=phone.pk).update(operating_system="A very long name of a system of 2026")
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{HYPHEN}/{key.spelling}", {"osVersion": "1" * 56})
    assert [(one["field"], one["code"]) for one in response.json()["errors"]] == [("osVersion", "max-length")]


@pytest.mark.parametrize(
    ("body", "code"),
    [({"name": "TAKEN"}, "nickname-not-unique"), ({"pushToken": "taken"}, "valid-push-registration-exist")],
)
def test_what_another_device_has_is_a_conflict(
    body: Any, code: str, caller: Caller, ada: User, key: DeviceKey
) -> None:
    make_device(ada, nickname="Taken", push_handle="taken")
    with refused_once(code, who="Ada"):
        response = caller.put(f"{HYPHEN}/{key.spelling}", body)
    assert (response.status_code, response.json()["code"]) == (409, code)


def test_a_token_bound_to_one_device_edits_another_of_its_customers(ada: User, phone: Device, key: DeviceKey) -> None:
    other = make_device(ada)
    assert Caller(make_token(user=ada, device=other)).put(f"{HYPHEN}/{key.spelling}", {}).status_code == 200


# Who may call.


def test_other_kinds_of_tokens_are_refused_whether_or_not_there_is_a_device(ada: User, key: DeviceKey) -> None:
    server = make_application(ada.bank, kind="bank", name="core banking")
    without = make_application(ada.bank, allowed_scopes=["pin"])
    tokens = [
        (make_token(application=server), "core banking"),
        (make_token(user=make_staff(ada.bank, username="bea")), "Bea (bea)"),
        (make_token(user=ada, application=without), "Ada"),
    ]
    for token, who in tokens:
        caller, answers = Caller(token), set()
        for method, path in [("GET", HYPHEN), ("PUT", f"{HYPHEN}/{key.spelling}"), ("PUT", f"{HYPHEN}/unknown")]:
            with refused_once("insufficient-scope", who=who):
                answers.add((response := caller.send(method, path, {})).content)
            assert response.status_code == 403
        assert len(answers) == 1


def with_secret(ada: User, phone: Device, secret: str) -> str:
    """A token of an application that has a secret."""
    application = make_application(ada.bank)
    if secret:
        application.app_secret_digest = app_secret_digest(secret)
        application.save()
    return make_token(user=ada, application=application, device=phone)


def test_the_app_secret_may_be_left_out_or_be_right(ada: User, phone: Device, key: DeviceKey) -> None:
    token = with_secret(ada, phone, "right")
    assert Caller(token).get(HYPHEN).status_code == 200
    assert Caller(token, **{SECRET: "right"}).get(HYPHEN).status_code == 200
    named = {"X-Hyphen-SDK-Platform": "ios", "X-Hyphen-SDK-Version": "1.0.0", SECRET: "right"}
    label = "application/json; charset=utf-8"
    sent = Caller(token, **named).send("PUT", f"{HYPHEN}/{key.spelling}", {"pushToken": ""}, label=label)
    assert sent.status_code == 200


@pytest.mark.parametrize(("kept", "sent"), [("right", "wrong"), ("right", ""), ("", "any"), ("", "")])
def test_a_wrong_app_secret_opens_nothing(kept: str, sent: str, ada: User, phone: Device, key: DeviceKey) -> None:
    caller = Caller(with_secret(ada, phone, kept), **{SECRET: sent})
    for method, path in [("GET", HYPHEN), ("PUT", f"{HYPHEN}/{key.spelling}"), ("PUT", f"{HYPHEN}/unknown")]:
        Device.objects.filter(pk=phone.pk).update(last_activity_at=clock.now())  # a sign of life is no change here
        with refused_once("app-secret-wrong", who="Ada", event="token.refused"):
            response = caller.send(method, path, {"name": "Other"})
        assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
        assert "wrong" not in AuditEvent.objects.order_by("-id")[0].data


def test_unknown_addresses_answer_in_this_form(caller: Caller) -> None:
    for path in ("/device/v1", "/device/v1/", "/device/v1/devices/", "/device/v1/nothing", f"{HYPHEN}/a/b"):
        response = caller.get(path)
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
        assert response.json()["code"] == "not-found"
