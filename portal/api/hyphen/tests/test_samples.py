"""The two device calls of the vendor's page, with its own bodies."""

from typing import Any

import pytest

from devices.models import Device, DeviceKey
from devices.operations.push import PUSH_LIFETIME
from devices.tests.factories import make_device, make_token
from portal.accounts.models import User
from portal.api.hyphen.tests.keys import ed25519_key, enrolled
from portal.api.tests.doors import HYPHEN, Caller, golden, in_order
from portal.core import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, kind="mobile", model="")


@pytest.fixture
def key(phone: Device) -> DeviceKey:
    return enrolled(phone, ed25519_key())


def living(body: dict[str, Any], key: DeviceKey) -> dict[str, Any]:
    """A sample with the id and the key of a device that exists."""
    return {**body, "id": str(key.device_id), **({"publicKey": key.spelling} if "publicKey" in body else {})}


def test_editing_is_as_printed(caller: Caller, phone: Device, key: DeviceKey) -> None:
    response = caller.put(f"{HYPHEN}/{key.spelling}", living(golden(__file__, "edit.request"), key))
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    expected = {"device": living(golden(__file__, "edit.answer")["device"], key)}
    assert response.json() == expected
    assert in_order(response.json()) == in_order(expected)
    phone.refresh_from_db()
    assert (phone.nickname, phone.operating_system, phone.language) == ("iPhone 14", "iOS 16.2", "en")
    assert (phone.push_platform, phone.sdk_version) == ("gcm", "1.0.0")
    assert phone.push_expires_at is not None
    assert phone.push_expires_at <= clock.now() + PUSH_LIFETIME


def test_the_list_is_as_printed(ada: User, phone: Device, key: DeviceKey) -> None:
    bound = Caller(make_token(user=ada, device=phone))
    assert bound.put(f"{HYPHEN}/{key.spelling}", living(golden(__file__, "edit.request"), key)).status_code == 200
    response = bound.get(HYPHEN, Accept="*/*")
    assert response.status_code == 200
    [device] = golden(__file__, "list.answer")["devices"]
    assert response.json() == {"devices": [living(device, key)]}
    assert list(response.json()["devices"][0]) == list(device)
