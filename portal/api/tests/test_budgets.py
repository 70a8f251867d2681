"""How many statements a call may cost, without the borders of transactions."""

from datetime import timedelta

import pytest

from devices.models import Device, Kind
from devices.states import Category, DeviceStatus
from devices.tests.factories import make_application, make_device, make_key, make_token
from portal.accounts.models import User
from portal.api.tests.doors import ADIBA, ASSECO, Caller, at_most
from portal.core import clock

pytestmark = pytest.mark.django_db


def test_a_status_costs_four(ada: User) -> None:
    phone = make_device(ada)
    make_key(phone)
    bound, free = Caller(make_token(user=ada, device=phone)), Caller(make_token(user=ada))
    server = Caller(make_token(application=make_application(ada.bank, kind="bank")))
    with at_most(4):  # token, activity (once a minute), device, key
        assert bound.get(ADIBA).status_code == 200
    for caller, path in [(bound, ADIBA), (free, ADIBA), (server, f"{ADIBA}?deviceId={phone.external_id}")]:
        with at_most(3):
            assert caller.get(path).status_code == 200


def many(owner: User, number: int) -> None:
    now = clock.now()
    Device.objects.bulk_create(
        Device(
            bank_id=owner.bank_id,
            owner=owner,
            category=Category.OWNED,
            kind=Kind.MOBILE,
            status=DeviceStatus.ACTIVE,
            registered_at=now + timedelta(seconds=index),
            activated_at=now,
            updated_at=now,
        )
        for index in range(number)
    )


@pytest.mark.parametrize("number", [10, 10_000])
def test_a_page_costs_six_however_many_there_are(number: int, ada: User) -> None:
    many(ada, number)
    bound = Caller(make_token(user=ada, device=make_device(ada)))
    server = Caller(make_token(application=make_application(ada.bank, kind="bank")))
    for caller, query in [
        (bound, f"page-size=100&customer-number={ada.customer_number}"),
        (server, f"customer-number={ada.customer_number}&sort-by=nickname&sort-order=desc"),
        (server, f"page={number // 10}&device-statuses=active"),
    ]:
        with at_most(6):
            response = caller.get(f"{ASSECO}?{query}")
        assert response.json()["total-count"] == number + 1


def test_registering_costs_nine(ada: User) -> None:
    body = {
        "external-device-identifier": "990000862471854",
        "nickname": "My Phone",
        "push-platform": "apns",
        "push-handle": "handle",
    }
    bound = Caller(make_token(user=ada, device=make_device(ada)))
    server = Caller(make_token(application=make_application(ada.bank, kind="bank")))
    with at_most(9):
        assert bound.post(ASSECO, body).status_code == 200
    with at_most(4):  # again: token, owner, device, nothing to write
        assert bound.post(ASSECO, {**body, "nickname": "My Phone"}).status_code == 200
    other = {"external-device-identifier": "990000862471855", "customer-id": ada.customer_number}
    with at_most(9):
        assert server.post(ASSECO, other).status_code == 200
