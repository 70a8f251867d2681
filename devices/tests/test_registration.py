"""Registering devices and describing them anew."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from devices.models import Device
from devices.operations.facts import DeviceFacts
from devices.operations.registration import register_device, set_nickname, set_push_handle
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
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


def facts(external_id: str = "990000862471854", **values: Any) -> DeviceFacts:
    return DeviceFacts(external_id=external_id, **values)


SEED = {
    "operating_system": "iOS 9.x",
    "nickname": "My Phone",
    "manufacturer": "Apple IPhone",
    "model": "IP-6S",
}


def test_a_customer_registers_a_device_and_it_is_active_at_once() -> None:
    ada = make_customer(make_bank())
    registered = register_device(actor=customer_actor(ada), facts=facts(**SEED))
    device = Device.objects.get()
    assert registered.created
    assert (device.owner_id, device.status, device.kind) == (ada.pk, DeviceStatus.ACTIVE, "mobile")
    assert (device.external_id, device.external_id_last4, device.external_id_kind) == (
        "990000862471854",
        "1854",
        "imei",
    )
    assert AuditEvent.objects.get().event == "device.registered"
    assert "990000862471854" not in str(AuditEvent.objects.values().get())


def test_registering_again_writes_nothing_or_only_what_differs() -> None:
    ada = make_customer(make_bank())
    register_device(actor=customer_actor(ada), facts=facts(**SEED))
    row = Device.objects.values().get()
    again = register_device(actor=customer_actor(ada), facts=facts(**SEED))
    assert (again.created, again.changed) == (False, False)
    assert Device.objects.values().get() == row
    assert AuditEvent.objects.count() == 1

    changed = register_device(actor=customer_actor(ada), facts=facts(operating_system="iOS 10"))
    assert changed.changed
    device = Device.objects.get()
    assert (device.operating_system, device.nickname) == ("iOS 10", "My Phone")
    assert AuditEvent.objects.filter(event="device.updated").count() == 1


def test_a_device_of_somebody_else_is_not_registered_again() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank), external_id="990000862471854")
    cem = make_customer(bank, "Cem")
    with pytest.raises(Conflict) as refusal:
        register_device(actor=customer_actor(cem), facts=facts())
    assert refusal.value.code == "device-not-unique"
    assert Device.objects.get() == device


def test_another_bank_may_know_the_same_device() -> None:
    make_device(make_customer(make_bank()), external_id="990000862471854")
    register_device(actor=customer_actor(make_customer(make_bank())), facts=facts())
    assert Device.objects.count() == 2


@pytest.mark.parametrize("status", [DeviceStatus.BLOCKED, DeviceStatus.INACTIVE])
def test_a_customer_does_not_get_back_what_the_bank_switched_off(status: str) -> None:
    bank = make_bank()
    ada = make_customer(bank)
    make_device(ada, status, external_id="990000862471854")
    with pytest.raises(InvalidState) as refusal:
        register_device(actor=customer_actor(ada), facts=facts(nickname="new"))
    assert refusal.value.code == "device-status-not-valid"
    assert Device.objects.get().nickname == ""


def test_a_retired_device_is_registered_as_a_new_one() -> None:
    ada = make_customer(make_bank())
    old = make_device(ada, DeviceStatus.RETIRED, external_id="990000862471854")
    registered = register_device(actor=customer_actor(ada), facts=facts())
    assert registered.created
    assert registered.device.pk != old.pk


def test_the_bank_names_its_customer() -> None:
    bank, elsewhere = make_bank(), make_bank()
    ada = make_customer(bank, customer_number="MIGR00002")
    stranger = make_customer(elsewhere, customer_number="X1")
    for name in ("MIGR00002", ada.public_id):
        assert register_device(actor=bank_actor(bank), facts=facts(), customer_id=name).device.owner_id == ada.pk
    with pytest.raises(InvalidInput):
        register_device(actor=bank_actor(bank), facts=facts("other"))
    for name in ("X1", stranger.public_id, "nobody"):
        with pytest.raises(Forbidden) as refusal:
            register_device(actor=bank_actor(bank), facts=facts("other"), customer_id=name)
        assert refusal.value.code == "identity-mismatch"
    assert Device.objects.count() == 1


def test_a_customers_claim_has_to_be_true() -> None:
    bank = make_bank()
    ada, cem = make_customer(bank), make_customer(bank, "Cem")
    with pytest.raises(Forbidden):
        register_device(actor=customer_actor(ada), facts=facts(), customer_id=cem.public_id)
    assert Device.objects.count() == 0
    register_device(actor=customer_actor(ada), facts=facts(), customer_id=ada.customer_number)
    assert Device.objects.count() == 1


def test_staff_do_not_register() -> None:
    bank = make_bank()
    with pytest.raises(Forbidden):
        register_device(actor=staff_actor(make_staff(bank)), facts=facts(), customer_id="x")


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"external_id": ""}, [("external_id", "required")]),
        ({"external_id": "x" * 129}, [("external_id", "max-length")]),
        ({"external_id": "a b"}, [("external_id", "invalid-format")]),
        ({"external_id": "٩٩٠"}, [("external_id", "invalid-format")]),
        ({"external_id": "12", "external_id_kind": "imei"}, [("external_id", "invalid-format")]),
        ({"external_id": "a", "external_id_kind": "mac"}, [("external_id_kind", "unknown-enum")]),
        ({"external_id": "a", "kind": "payment-card"}, [("kind", "unknown-enum")]),
        ({"external_id": "a", "nickname": "n" * 65}, [("nickname", "max-length")]),
        ({"external_id": "a", "model": "m\u202e"}, [("model", "invalid-format")]),
        ({"external_id": "a", "push_handle": "h"}, [("push_platform", "combination-required")]),
        ({"external_id": "a", "push_platform": "gcm"}, [("push_handle", "combination-required")]),
        ({"external_id": "a", "push_platform": "x", "push_handle": "h"}, [("push_platform", "unknown-enum")]),
        (
            {"external_id": "", "nickname": "n" * 65, "model": "\n"},
            [("external_id", "required"), ("nickname", "max-length")],
        ),
    ],
)
def test_bad_input_names_every_problem(values: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    ada = make_customer(make_bank())
    with pytest.raises(InvalidInput) as refusal:
        register_device(actor=customer_actor(ada), facts=DeviceFacts(**values))
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == problems
    assert Device.objects.count() == 0


def test_no_external_identifier_is_another_devices_own_id() -> None:
    bank = make_bank()
    ada, cem, eve = make_customer(bank), make_customer(bank, "Cem"), make_customer(make_bank("other"), "Eve")
    phone = make_device(ada)
    for own_id in (str(phone.pk), str(phone.pk).upper(), phone.public_id):
        with pytest.raises(Conflict) as refusal:
            register_device(actor=customer_actor(cem), facts=DeviceFacts(external_id=own_id))
        assert refusal.value.code == "device-not-unique"
        assert register_device(actor=customer_actor(eve), facts=DeviceFacts(external_id=own_id)).created
    assert Device.objects.filter(owner=cem).count() == 0
    for free in (str(uuid4()), "DEV_not-one"):
        assert register_device(actor=customer_actor(cem), facts=DeviceFacts(external_id=free)).created


def test_a_nickname_is_unique_among_the_devices_in_use_of_one_customer() -> None:
    bank = make_bank()
    ada, cem = make_customer(bank), make_customer(bank, "Cem")
    make_device(ada, nickname="My Phone")
    make_device(ada, DeviceStatus.RETIRED, nickname="Old")
    device = make_device(ada)
    make_device(ada, nickname="Z\u00fcri")
    for nickname in ("My Phone", "my  PHONE ", "ZU\u0308RI"):
        with pytest.raises(Conflict) as refusal:
            set_nickname(actor=customer_actor(ada), device_id=str(device.pk), nickname=nickname)
        assert refusal.value.code == "nickname-not-unique"
    assert set_nickname(actor=customer_actor(ada), device_id=str(device.pk), nickname="Old").nickname == "Old"
    set_nickname(actor=customer_actor(cem), device_id=str(make_device(cem).pk), nickname="My Phone")


def test_the_same_nickname_again_leaves_no_event() -> None:
    ada = make_customer(make_bank())
    device = make_device(ada)
    for _ in range(2):
        set_nickname(actor=customer_actor(ada), device_id=str(device.pk), nickname="Blue")
    assert AuditEvent.objects.count() == 1


def test_a_push_handle_is_of_one_device() -> None:
    bank = make_bank()
    ada, cem = make_customer(bank), make_customer(bank, "Cem")
    make_device(cem, push_handle="handle-1")
    device = make_device(ada)
    with pytest.raises(Conflict) as refusal:
        set_push_handle(actor=customer_actor(ada), device_id=str(device.pk), platform="gcm", handle="handle-1")
    assert refusal.value.code == "valid-push-registration-exist"

    Device.objects.filter(owner=cem).update(push_expires_at=clock.now() - timedelta(days=1))
    moved = set_push_handle(actor=customer_actor(ada), device_id=str(device.pk), platform="gcm", handle="handle-1")
    assert moved.push_handle == "handle-1"
    assert Device.objects.get(owner=cem).push_handle_sealed == ""


def test_the_same_push_handle_again_prolongs_it_quietly() -> None:
    ada = make_customer(make_bank())
    device = make_device(ada, push_handle="handle-1")
    before = device.push_expires_at
    again = set_push_handle(actor=customer_actor(ada), device_id=str(device.pk), platform="gcm", handle="handle-1")
    assert before
    assert again.push_expires_at
    assert again.push_expires_at > before
    assert AuditEvent.objects.count() == 0


def test_a_stranger_and_a_retired_device_are_not_described() -> None:
    bank = make_bank()
    ada, cem = make_customer(bank), make_customer(bank, "Cem")
    device, retired = make_device(ada), make_device(ada, DeviceStatus.RETIRED)
    with pytest.raises(NotFound):
        set_nickname(actor=customer_actor(cem), device_id=str(device.pk), nickname="Mine")
    with pytest.raises(InvalidState):
        set_nickname(actor=customer_actor(ada), device_id=str(retired.pk), nickname="Back")
    assert set(Device.objects.values_list("nickname", flat=True)) == {""}
