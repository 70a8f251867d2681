"""Reads that screens and answers share."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.operations.issued import issue_device
from devices.operations.keys import enrol_key
from devices.queries import DeviceFilter, count_by_status, device_for_status, device_page, get_device, posture_of
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    staff_actor,
)
from portal.accounts.roles import Role
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, NotFound

pytestmark = pytest.mark.django_db


def test_one_device_has_several_names() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = make_device(ada, external_id="392a0a88-a1ab-4832-b092-5269c8722328")
    for name in (str(device.pk), str(device.pk).upper(), device.public_id, "392a0a88-a1ab-4832-b092-5269c8722328"):
        assert get_device(customer_actor(ada), name) == device


def test_an_identifier_that_looks_like_another_devices_id_does_not_hide_that_device() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    make_device(make_customer(bank, "Cem"), external_id=str(device.pk))
    assert get_device(bank_actor(bank), str(device.pk)) == device


def test_a_status_call_names_its_device_or_has_only_one() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    first = make_device(ada)
    make_device(ada, DeviceStatus.RETIRED)
    make_device(ada, kind="payment-card", external_id="")
    assert device_for_status(customer_actor(ada), None) == first
    second = make_device(ada)
    with pytest.raises(InvalidInput) as refusal:
        device_for_status(customer_actor(ada), None)
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [("device_id", "required")]
    assert device_for_status(customer_actor(ada, second), None) == second
    assert device_for_status(customer_actor(ada, second), first.public_id) == first
    with pytest.raises(InvalidInput):
        device_for_status(bank_actor(bank), None)


def test_posture_is_derived() -> None:
    ada = make_customer(make_bank())
    bare, pending, keyed = make_device(ada), make_device(ada), make_device(ada)
    make_key(pending, "a", proved=False)
    make_key(keyed, "b")
    retired = make_device(ada, DeviceStatus.RETIRED)
    assert [posture_of(device).enrollment_status for device in (bare, pending, keyed, retired)] == [
        "NOT_ENROLLED",
        "PENDING",
        "ENROLLED",
        "REVOKED",
    ]


def test_staff_find_a_device_by_everything_the_search_box_promises() -> None:
    bank = make_bank()
    ada = make_customer(bank, customer_number="MIGR00002")
    device = make_device(ada, model="Pixel 9", external_id="990000862471854")
    make_device(make_customer(bank), model="IP-6S")
    make_device(make_customer(make_bank(), customer_number="MIGR00002"), model="Pixel 9")
    bea = staff_actor(make_staff(bank))
    for text in (
        str(device.pk),
        device.public_id,
        "990000862471854",
        "1854",
        "MIGR00002",
        ada.public_id,
        "pixel",
        " Pixel 9 ",
    ):
        assert device_page(bea, DeviceFilter(q=text)).items == [device], text
    assert device_page(bea, DeviceFilter(q="nothing")).items == []
    assert device_page(bea, DeviceFilter(status="BLOCKED")).items == []
    assert len(device_page(bea, DeviceFilter(kind="mobile", category="owned", status="ACTIVE")).items) == 2


@pytest.mark.parametrize("devices", [10, 60])
def test_a_page_costs_the_same_however_many_devices_there_are(devices: int) -> None:
    bank = make_bank()
    ada = make_customer(bank)
    for _ in range(devices):
        make_device(ada)
    bea = staff_actor(make_staff(bank))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = device_page(bea, DeviceFilter())
        assert [device.owner.name for device in page.items] == ["Ada"] * min(devices, 25)
    assert len(queries) == 2


def test_pages_follow_each_other_both_ways_without_gap_or_repeat() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    made = [make_device(ada) for _ in range(60)]
    bea = staff_actor(make_staff(bank))
    first = device_page(bea, DeviceFilter())
    second = device_page(bea, DeviceFilter(), first.next_cursor)
    third = device_page(bea, DeviceFilter(), second.next_cursor)
    assert [*first.items, *second.items, *third.items] == list(reversed(made))
    assert (first.previous_cursor, third.next_cursor) == (None, None)
    assert device_page(bea, DeviceFilter(), third.previous_cursor).items == second.items
    assert device_page(bea, DeviceFilter(), second.previous_cursor).items == first.items
    assert device_page(bea, DeviceFilter(), "garbage").items == first.items
    assert (first.total, first.more) == (60, False)


def test_counts_are_of_the_own_bank() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    make_device(ada)
    make_device(ada, DeviceStatus.BLOCKED)
    make_device(make_customer(make_bank()))
    assert count_by_status(staff_actor(make_staff(bank))) == {
        "PENDING": 0,
        "ACTIVE": 1,
        "INACTIVE": 0,
        "BLOCKED": 1,
        "RETIRED": 0,
    }


def test_an_administrator_of_people_sees_no_devices() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    actor = staff_actor(make_staff(bank, Role.ADMINISTRATOR))
    for read in (
        lambda: get_device(actor, str(device.pk)),
        lambda: device_page(actor, DeviceFilter()),
        lambda: count_by_status(actor),
    ):
        with pytest.raises(Forbidden):
            read()


def test_the_bank_issues_cards_that_wait_for_staff() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = issue_device(actor=bank_actor(bank), customer_id=str(ada.customer_number), kind="smart-card").device
    assert (device.status, device.category, device.owner) == (DeviceStatus.PENDING, "issued", ada)
    with pytest.raises(InvalidInput):
        issue_device(actor=bank_actor(bank), customer_id=str(ada.customer_number), kind="mobile")
    with pytest.raises(NotFound):
        issue_device(actor=bank_actor(bank), customer_id="nobody", kind="otp-token")
    with pytest.raises(Forbidden):
        issue_device(actor=customer_actor(ada), customer_id=ada.public_id, kind="otp-token")
    assert Device.objects.count() == 1


def test_a_key_is_enrolled_by_signing() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    from devices.tests.factories import private_key
    from portal.core.errors import Conflict, VerificationFailed

    ada = make_customer(make_bank())
    device = make_device(ada)
    key = private_key("ada")
    numbers = key.public_key().public_numbers()
    signature = key.sign(b"challenge", ec.ECDSA(hashes.SHA256()))
    values: dict[str, Any] = {
        "actor": Actor.system("test"),
        "public_key": f"{numbers.x:064x}{numbers.y:064x}",
        "challenge": b"challenge",
        "signature": signature,
    }
    row = enrol_key(device_id=str(device.pk), **values)
    assert row.proved_at
    assert enrol_key(device_id=str(device.pk), **values) == row
    with pytest.raises(Conflict) as refusal:
        enrol_key(device_id=str(make_device(ada).pk), **values)
    assert refusal.value.code == "key-in-use"
    with pytest.raises(VerificationFailed):
        enrol_key(device_id=str(device.pk), **{**values, "challenge": b"other"})
    with pytest.raises(Forbidden):
        enrol_key(device_id=str(device.pk), **{**values, "actor": customer_actor(ada)})
