"""Nickname, push handle, block, unblock, unregister."""

from typing import Any

import pytest

from devices.models import Device, Kind
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
)
from portal.accounts.models import AccessToken, User
from portal.accounts.roles import Role
from portal.api.tests.doors import ASSECO, Caller, nothing_written, refused_once
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, nickname="Old", push_handle="")


def status_of(device: Device) -> tuple[str, str]:
    device.refresh_from_db()
    return device.status, device.held_by


CHANGES: list[tuple[str, str, dict[str, str] | None]] = [
    ("PUT", f"{ASSECO}/{{}}/nickname", {"nickname": "New"}),
    ("PUT", f"{ASSECO}/{{}}/push-notification-handle", {"push-platform": "gcm", "pns-handle": "handle"}),
    ("POST", f"{ASSECO}/{{}}/block", None),
    ("POST", f"{ASSECO}/{{}}/unblock", None),
    ("POST", f"{ASSECO}/{{}}/unregister", None),
    ("POST", "/v1/device/devices/{}/unregister", None),
]
each_change = pytest.mark.parametrize(("method", "path", "body"), CHANGES)


@each_change
def test_foreign_unknown_and_issued_look_the_same(
    method: str, path: str, body: Any, caller: Caller, ada: User
) -> None:
    colleague = make_device(make_customer(ada.bank, "Bea"))
    stranger = make_device(make_customer(make_bank(), "Cem"))
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    answers = set()
    for name in (colleague.pk, colleague.external_id, stranger.pk, stranger.external_id, card.pk, "unknown"):
        with refused_once("not-found", who="Ada"):
            response = caller.send(method, path.format(name), body)
        answers.add((response.status_code, response.content))
    assert answers == {(404, b'{"errors":[{"tag":null,"error":"not-found","message":"There is no such device."}]}')}


@each_change
def test_a_second_time_changes_nothing(method: str, path: str, body: Any, caller: Caller, phone: Device) -> None:
    first = caller.send(method, path.format(phone.external_id), body)
    assert first.status_code == (202 if path.startswith("/v1/device/devices") else 204)
    with nothing_written():
        again = caller.send(method, path.format(phone.pk), body)
    assert (again.status_code, again.content) == (first.status_code, b"")


@each_change
@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.ADMINISTRATOR])
def test_staff_without_the_right_are_told_so_whether_or_not_there_is_a_device(
    role: Role, method: str, path: str, body: Any, ada: User, phone: Device
) -> None:
    person = make_staff(ada.bank, role)
    caller = Caller(make_token(user=person))
    answers = set()
    for name in (phone.pk, "unknown"):
        before = AuditEvent.objects.count()
        response = caller.send(method, path.format(name), body or {"reason": "Asked by phone"})
        answers.add((response.status_code, response.content))
        assert AuditEvent.objects.count() == before + 1
    assert [status for status, _ in answers] == [403]


def test_a_nickname_is_set(caller: Caller, phone: Device) -> None:
    assert caller.put(f"{ASSECO}/{phone.pk}/nickname", {"nickname": " Work phone "}).status_code == 204
    phone.refresh_from_db()
    assert phone.nickname == "Work phone"
    assert AuditEvent.objects.get().event == "device.updated"


@pytest.mark.parametrize(
    ("body", "tag", "error"),
    [
        ({}, "nickname", "required"),
        ({"nickname": ""}, "nickname", "required"),
        ({"nickname": "   "}, "nickname", "required"),
        ({"nickname": None}, "nickname", "invalid-format"),
        ({"nickname": ["a"]}, "nickname", "invalid-format"),
        ({"nickname": "x" * 65}, "nickname", "max-length"),
    ],
)
def test_a_nickname_that_is_none(body: Any, tag: str, error: str, caller: Caller, phone: Device) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{ASSECO}/{phone.pk}/nickname", body)
    assert [(one["tag"], one["error"]) for one in response.json()["errors"]] == [(tag, error)]


def test_a_nickname_is_unique_among_ones_own(caller: Caller, ada: User, phone: Device) -> None:
    make_device(ada, nickname="Taken")
    make_device(make_customer(ada.bank, "Bea"), nickname="Hers")
    with refused_once("nickname-not-unique", who="Ada"):
        response = caller.put(f"{ASSECO}/{phone.pk}/nickname", {"nickname": "TAKEN"})
    assert (response.status_code, response.json()["problem"]) == (440, "nickname-not-unique")
    assert caller.put(f"{ASSECO}/{phone.pk}/nickname", {"nickname": "Hers"}).status_code == 204


def test_a_push_handle_is_set(caller: Caller, phone: Device) -> None:
    path = f"{ASSECO}/{phone.pk}/push-notification-handle"
    assert caller.put(path, {"push-platform": "apns", "pns-handle": "h1"}).status_code == 204
    phone.refresh_from_db()
    assert (phone.push_platform, phone.push_handle) == ("apns", "h1")
    assert "h1" not in AuditEvent.objects.get().data


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"push-platform": "required", "pns-handle": "required"}),
        ({"push-platform": "fcm", "pns-handle": "h"}, {"push-platform": "unknown-enum"}),
        ({"push-platform": "gcm", "pns-handle": "h h"}, {"pns-handle": "invalid-format"}),
        ({"push-platform": "gcm", "push-handle": "h"}, {"push-handle": "not-on-list", "pns-handle": "required"}),
    ],
)
def test_a_push_handle_that_is_none(body: Any, errors: dict[str, str], caller: Caller, phone: Device) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{ASSECO}/{phone.pk}/push-notification-handle", body)
    assert {one["tag"]: one["error"] for one in response.json()["errors"]} == errors


def test_a_push_handle_in_use_elsewhere(caller: Caller, ada: User, phone: Device) -> None:
    make_device(ada, push_handle="taken")
    with refused_once("valid-push-registration-exist", who="Ada"):
        response = caller.put(
            f"{ASSECO}/{phone.pk}/push-notification-handle", {"push-platform": "gcm", "pns-handle": "taken"}
        )
    assert (response.status_code, response.json()["problem"]) == (440, "valid-push-registration-exist")


def test_an_owner_blocks_and_unblocks(caller: Caller, ada: User, phone: Device) -> None:
    make_token(user=ada, device=phone)
    assert caller.post(f"{ASSECO}/{phone.external_id}/block").status_code == 204
    assert status_of(phone) == (DeviceStatus.BLOCKED, HeldBy.OWNER)
    assert AccessToken.objects.live().filter(device=phone).count() == 0
    assert caller.post(f"{ASSECO}/{phone.external_id}/unblock").status_code == 204
    assert status_of(phone) == (DeviceStatus.ACTIVE, HeldBy.NOBODY)
    assert [event.event for event in AuditEvent.objects.order_by("id")] == ["device.blocked", "device.unblocked"]


@pytest.mark.parametrize("status", [DeviceStatus.BLOCKED, DeviceStatus.INACTIVE])
@pytest.mark.parametrize(
    "path", [f"{ASSECO}/{{}}/unblock", f"{ASSECO}/{{}}/unregister", "/v1/device/devices/{}/unregister"]
)
def test_what_the_bank_holds_its_owner_does_not_undo(
    path: str, status: DeviceStatus, caller: Caller, ada: User
) -> None:
    held = make_device(ada, status)
    with refused_once("device-status-not-valid", who="Ada"):
        response = caller.post(path.format(held.pk))
    assert (response.status_code, response.json()["problem"]) == (440, "device-status-not-valid")


def test_the_bank_unblocking_what_it_blocked_needs_a_second_person(server: Caller, ada: User) -> None:
    held = make_device(ada, DeviceStatus.BLOCKED)
    response = server.post(f"{ASSECO}/{held.pk}/unblock")
    assert (response.status_code, response.json()["status"]) == (202, "pending-approval")
    held.refresh_from_db()
    assert held.status == DeviceStatus.BLOCKED


def test_an_unregistered_device_takes_no_changes_and_its_id_is_free(caller: Caller, phone: Device) -> None:
    external_id = phone.external_id
    assert caller.post(f"{ASSECO}/{external_id}/unregister").status_code == 204
    with refused_once("device-status-not-valid", who="Ada"):
        assert caller.put(f"{ASSECO}/{external_id}/nickname", {"nickname": "New"}).status_code == 440
    with refused_once("device-status-not-valid", who="Ada"):
        assert caller.post(f"{ASSECO}/{external_id}/block").status_code == 440
    assert caller.post(ASSECO, {"external-device-id": external_id}).status_code == 200
    assert caller.get(f"{ASSECO}/{external_id}").json()["status"] == "active"


def test_a_reason_is_kept(server: Caller, phone: Device) -> None:
    assert server.post(f"{ASSECO}/{phone.pk}/block", {"reason": "Reported stolen"}).status_code == 204
    assert AuditEvent.objects.get().reason == "Reported stolen"


def test_staff_have_to_say_why(ada: User, phone: Device) -> None:
    person = make_staff(ada.bank)
    caller = Caller(make_token(user=person))
    with refused_once("invalid-input", who=f"Bea ({person.username})"):
        response = caller.post(f"{ASSECO}/{phone.pk}/block")
    assert [(one["tag"], one["error"]) for one in response.json()["errors"]] == [("reason", "required")]
    assert caller.post(f"{ASSECO}/{phone.pk}/block", {"reason": "Reported stolen"}).status_code == 204


def test_a_bound_phone_that_blocks_itself_is_out(ada: User, phone: Device) -> None:
    own = Caller(make_token(user=ada, device=phone))
    assert own.post(f"{ASSECO}/{phone.pk}/block").status_code == 204
    assert own.get(ASSECO).status_code == 401
