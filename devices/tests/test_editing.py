"""A device describes itself anew, in part."""

from typing import Any

import pytest

from devices.models import Device, Kind
from devices.operations.editing import Edit, edit_device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    staff_actor,
)
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, Forbidden, InvalidInput, InvalidState, NotFound
from portal.tests.threads import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, nickname="Work phone", operating_system="iOS 9.x", push_handle="handle-1")


def edit(actor: Actor, device: Device, **values: Any) -> Device:
    return edit_device(actor=actor, device_id=str(device.pk), edit=Edit(**values))


def test_all_that_is_said_is_set_and_one_event_tells_it(ada: User, phone: Device) -> None:
    edit(
        customer_actor(ada),
        phone,
        nickname=" Phone ",
        manufacturer="Apple",
        model="iPhone 14",
        os_version="16.2",
        sdk_version="1.0.0",
        language="en",
        firebase_token="handle-2",
    )
    phone.refresh_from_db()
    assert (phone.nickname, phone.nickname_key, phone.manufacturer, phone.model) == (
        "Phone",
        "phone",
        "Apple",
        "iPhone 14",
    )
    assert (phone.operating_system, phone.sdk_version, phone.language) == ("iOS 16.2", "1.0.0", "en")
    assert (phone.push_platform, phone.push_handle) == ("gcm", "handle-2")
    event = AuditEvent.objects.get()
    assert event.event == "device.updated"
    assert "handle" not in event.data.replace("push_handle", "")


def test_the_same_again_writes_nothing(ada: User, phone: Device) -> None:
    for _ in range(2):
        edit(customer_actor(ada), phone, nickname="New", os_name="iOS", os_version="16", firebase_token="handle-1")
        row = Device.objects.values().get()
    edit(customer_actor(ada), phone, nickname="New", os_name="iOS", os_version="16", firebase_token="handle-1")
    assert Device.objects.values().get() == row
    assert AuditEvent.objects.count() == 1


def test_nothing_said_changes_nothing_and_empty_texts_clear(ada: User, phone: Device) -> None:
    before = Device.objects.values().get()
    edit(customer_actor(ada), phone)
    assert Device.objects.values().get() == before
    edit(customer_actor(ada), phone, nickname="", model="", firebase_token="")
    phone.refresh_from_db()
    assert (phone.nickname, phone.nickname_key, phone.model) == ("", "", "")
    assert (phone.push_platform, phone.push_handle, phone.push_expires_at) == ("", "", None)


def test_an_empty_firebase_token_leaves_another_services_handle(ada: User, phone: Device) -> None:
    phone.set_push_handle("apns", "a1", phone.push_expires_at)
    phone.save()
    edit(customer_actor(ada), phone, firebase_token="")
    phone.refresh_from_db()
    assert (phone.push_platform, phone.push_handle) == ("apns", "a1")
    assert AuditEvent.objects.count() == 0


def refusals(ada: User) -> list[tuple[Actor, Device, dict[str, Any], type[DomainError], str]]:
    owner = customer_actor(ada)
    mine = make_device(ada)
    taken = make_device(ada, nickname="Taken", push_handle="taken")
    stranger = make_customer(make_bank(), "Cem")
    return [
        (customer_actor(stranger), mine, {"nickname": "x"}, NotFound, "not-found"),
        (bank_actor(stranger.bank), mine, {"nickname": "x"}, NotFound, "not-found"),
        (staff_actor(make_staff(ada.bank)), mine, {"nickname": "x"}, Forbidden, "staff-cannot-edit"),
        (owner, make_device(ada, kind=Kind.SMART_CARD), {"nickname": "x"}, NotFound, "not-found"),
        (owner, make_device(ada, DeviceStatus.RETIRED), {"model": "x"}, InvalidState, "device-status-not-valid"),
        (owner, mine, {"nickname": " taken"}, Conflict, "nickname-not-unique"),
        (owner, mine, {"firebase_token": "taken"}, Conflict, "valid-push-registration-exist"),
        (owner, mine, {"os_name": "Windows"}, InvalidInput, "invalid-input"),
        (owner, mine, {"os_name": "iOS", "os_version": "1" * 64}, InvalidInput, "invalid-input"),
        (owner, mine, {"language": "x" * 36}, InvalidInput, "invalid-input"),
        (owner, mine, {"sdk_version": "a\x00"}, InvalidInput, "invalid-input"),
        (owner, taken, {"firebase_token": "a b"}, InvalidInput, "invalid-input"),
    ]


def test_refusals_change_nothing(ada: User) -> None:
    for actor, device, values, kind, code in refusals(ada):
        rows = list(Device.objects.order_by("pk").values())
        with pytest.raises(kind) as caught:
            edit(actor, device, **values)
        assert caught.value.code == code
        assert list(Device.objects.order_by("pk").values()) == rows
    assert AuditEvent.objects.count() == 0  # the door writes them


def test_every_wrong_field_is_named_at_once(ada: User, phone: Device) -> None:
    with pytest.raises(InvalidInput) as caught:
        edit(customer_actor(ada), phone, nickname="x" * 65, language="x" * 36, os_name="DOS")
    assert [problem.field for problem in caught.value.fields] == ["nickname", "language", "os_name"]


@pytest.mark.django_db(transaction=True)
def test_of_devices_that_take_one_name_at_once_one_gets_it() -> None:
    ada = make_customer(make_bank())
    phones = [make_device(ada) for _ in range(8)]
    outcomes = race(8, lambda number: edit(customer_actor(ada), phones[number], nickname="iPhone 14"))
    codes = [one.code for one in outcomes if isinstance(one, DomainError)]
    assert codes == ["nickname-not-unique"] * 7
    assert Device.objects.filter(nickname="iPhone 14").count() == 1
    assert AuditEvent.objects.count() == 1
