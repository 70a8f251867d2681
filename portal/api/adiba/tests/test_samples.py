"""The two status calls of the vendor's page, with its own bodies."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    make_application,
    make_device,
    make_key,
    make_staff,
    make_token,
)
from portal.accounts.models import User
from portal.api.tests.doors import ADIBA, Caller, golden, in_order
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"  # what curl -d says


@pytest.fixture
def phone(ada: User) -> Device:
    device = make_device(
        ada,
        manufacturer="Apple",
        model="iPhone 15",
        operating_system="iOS 17.1",
        app_version="2.1.0",
        last_activity_at=datetime(2024, 12, 1, 14, 30, 0, 999_999, tzinfo=UTC),
    )
    make_key(device)
    return device


def with_id(body: dict[str, Any], device: Device) -> dict[str, Any]:
    return {**body, "deviceId": device.public_id}


def test_the_status_is_as_printed(ada: User, phone: Device) -> None:
    with time_machine.travel("2024-12-01T14:25:00Z", tick=False):
        response = Caller(make_token(user=ada, device=phone)).get(ADIBA)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    expected = with_id(golden(__file__, "status.answer"), phone)
    # This device has neither a certificate nor a PIN; both are derived, never claimed.
    expected["certificateStatus"] = "NONE"
    expected["securityPosture"] |= {"pinEnabled": False, "certificateValid": False}
    assert response.json() == expected
    assert in_order(response.json()) == in_order(expected)


@pytest.mark.parametrize("by", ["bank", "staff"])
def test_activation_is_as_printed(by: str, ada: User, phone: Device) -> None:
    Device.objects.filter(pk=phone.pk).update(
        status=DeviceStatus.INACTIVE, held_by=HeldBy.BANK, switched_off_at=phone.registered_at
    )
    body = with_id(golden(__file__, "activate.request"), phone)
    with time_machine.travel("2024-12-01T14:35:00.5Z", tick=False):
        if by == "bank":
            token = make_token(application=make_application(ada.bank, kind="bank"))
        else:
            person = make_staff(ada.bank)
            token, body = make_token(user=person), {**body, "adminId": person.public_id}
        response = Caller(token).send("POST", ADIBA, body, label=FORM)
    assert response.status_code == 200
    assert response.json() == with_id(golden(__file__, "activate.answer"), phone)
    assert in_order(response.json()) == in_order(golden(__file__, "activate.answer"))
    event = AuditEvent.objects.get()
    assert (event.event, event.reason) == ("device.activated", "New device enrollment approved")


def test_deactivation_counts_the_sessions_it_ended(ada: User, phone: Device) -> None:
    bound = [Caller(make_token(user=ada, device=phone)) for _ in range(3)]
    make_token(user=ada)  # not bound: lives on
    body = with_id({"action": "DEACTIVATE", "reason": "Lost", "adminId": "ADMIN_001"}, phone)
    server = Caller(make_token(application=make_application(ada.bank, kind="bank")))
    assert [caller.get(ADIBA).status_code for caller in bound] == [200, 200, 200]
    response = server.post(ADIBA, body)
    assert response.json() == {
        "status": "SUCCESS",
        "deviceId": phone.public_id,
        "newState": "INACTIVE",
        "updatedAt": response.json()["updatedAt"],
        "message": "Device deactivated successfully",
        "sessionsTerminated": 3,
    }
    assert [caller.get(ADIBA).status_code for caller in bound] == [401, 401, 401]
    server.post(ADIBA, {**body, "action": "ACTIVATE"})
    assert [caller.get(ADIBA).status_code for caller in bound] == [401, 401, 401]  # ended is ended
