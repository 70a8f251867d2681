"""The vendor's own getting-started tutorial, step by step, with its own bodies."""

import pytest

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_token
from portal.accounts.models import User
from portal.api.tests.doors import Caller, golden, in_order
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
IMEI = "990000862471854"


@pytest.fixture
def owner() -> User:
    return make_customer(make_bank(), customer_number="MIGR00002")


@pytest.fixture
def caller(owner: User) -> Caller:
    """The tutorial writes the scheme in lower case."""
    return Caller(Authorization=f"bearer {make_token(user=owner)}")


def test_the_tutorial_runs_as_printed(caller: Caller) -> None:
    registered = caller.post("/v1/device/owned-devices", golden(__file__, "register.request"))
    assert registered.status_code == 200
    assert registered.json() == golden(__file__, "register.answer")
    assert in_order(registered.json()) == ["id", "CreatedRecordStatus"]
    assert registered["Location"] == f"/v1/device/owned-devices/{IMEI}"
    assert registered["Content-Type"] == "application/json"

    retrieved = caller.get(f"/v1/device/devices/{IMEI}")
    assert retrieved.status_code == 200
    assert retrieved.json() == golden(__file__, "retrieve.answer")
    assert in_order(retrieved.json()) == in_order(golden(__file__, "retrieve.answer"))

    unregistered = caller.post(f"/v1/device/devices/{IMEI}/unregister")
    assert (unregistered.status_code, unregistered.content) == (202, b"")
    assert caller.get(f"/v1/device/devices/{IMEI}").json()["status"] == "unregistered"


def test_the_address_in_location_leads_to_the_device(caller: Caller) -> None:
    registered = caller.post("/v1/device/owned-devices", golden(__file__, "register.request"))
    assert caller.get(registered["Location"]).json()["external-device-id"] == IMEI


def test_registering_again_answers_the_same_and_writes_nothing(caller: Caller) -> None:
    first = caller.post("/v1/device/owned-devices", golden(__file__, "register.request"))
    rows, events = list(Device.objects.values()), AuditEvent.objects.count()
    again = caller.post("/v1/device/owned-devices", golden(__file__, "register.request"))
    assert (again.status_code, again.content) == (200, first.content)
    assert (list(Device.objects.values()), AuditEvent.objects.count()) == (rows, events)


def test_registering_again_with_other_fields_updates_them(caller: Caller) -> None:
    body = golden(__file__, "register.request")
    first = caller.post("/v1/device/owned-devices", body)
    again = caller.post("/v1/device/owned-devices", {**body, "operating-system": "iOS 10.1"})
    assert (again.status_code, again.content) == (200, first.content)
    assert caller.get(f"/v1/device/devices/{IMEI}").json() == {
        **golden(__file__, "retrieve.answer"),
        "operating-system": "iOS 10.1",
    }


def test_both_of_its_ids_name_a_device(caller: Caller) -> None:
    caller.post("/v1/device/owned-devices", golden(__file__, "register.request"))
    by_uuid = caller.get(f"/v1/device/devices/{Device.objects.get().pk}")
    assert by_uuid.content == caller.get(f"/v1/device/devices/{IMEI}").content
