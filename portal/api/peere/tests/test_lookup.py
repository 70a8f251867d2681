"""Looking up over HTTP: what a merchant is told, what it is not, and what cannot be put together."""

from collections import Counter
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.operations.activation import activate_device, deactivate_device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device
from merchants.models import LookupHour, Sighting
from merchants.tests.factories import make_link
from portal.accounts.models import User
from portal.api.peere.tests.linking import (
    LINK,
    LOOKUP,
    MOMENT,
    PHONE,
    PHRASE,
    UNLINK,
    WRONG_IDS,
    fields,
    said,
    shop_of,
    turned_away,
)
from portal.api.tests.doors import Caller, at_most
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.models import StoredAnswer

pytestmark = pytest.mark.django_db
NO_DEVICE = (404, "Device not found in system")
OF_THE_CALL = {"X-Request-Id"}
ACTOR = Actor.system("test")


@pytest.fixture(autouse=True)
def linked(ada: User, phone: Device) -> None:
    make_link(phone, phrase=PHRASE)


def look_up(shop: Caller, device_id: str = PHONE, **headers: str) -> Any:
    return shop.post(LOOKUP, {"deviceId": device_id}, **headers)


def whole(response: Any) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but what is the call's own."""
    headers = {name: value for name, value in response.items() if name not in OF_THE_CALL}
    return response.status_code, response.content, headers


def test_a_hit_is_seen_once_and_costs_four_at_most(shop: Caller, ada: User) -> None:
    look_up(shop)  # the merchant's first call of all
    with at_most(4):
        response = look_up(shop)
    assert response.json() == {
        "statusCode": 200,
        "success": True,
        "message": "Device lookup successful",
        "data": {
            "deviceId": PHONE,
            "phrase": PHRASE,
            "customerId": response.json()["data"]["customerId"],
            "bankId": ada.bank.code,
        },
    }
    assert ada.customer_number not in response.content.decode()
    assert ada.public_id not in response.content.decode()
    assert Sighting.objects.filter(customer=ada).count() == 2
    assert AuditEvent.objects.count() == 0


def test_whatever_is_not_found_is_one_answer_to_the_last_byte(shop: Caller, ada: User) -> None:
    make_device(ada, external_id="device_unlinked")
    for status in (DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.PENDING):
        make_link(make_device(ada, status, external_id=f"device_{status.lower()}"))
    make_device(ada, DeviceStatus.RETIRED, external_id="device_retired")
    bob = make_customer(make_bank(), "Bob")
    foreign = make_device(bob, external_id="device_of_bob")
    make_link(foreign)
    unlinked = Device.objects.get(external_id_last4="nked")
    refused = [
        "device_nobodys",
        "device_unlinked",
        "device_inactive",
        "device_blocked",
        "device_pending",
        "device_retired",
        "device_of_bob",
        foreign.public_id,
        str(foreign.pk),
        unlinked.public_id,
        str(unlinked.pk),
    ]
    found = []
    for device_id in refused:
        with turned_away("not-found", who="Shop"):
            answer = look_up(shop, device_id)
        assert said(answer) == NO_DEVICE
        found.append(whole(answer))
    assert all(answer == found[0] for answer in found)
    assert LookupHour.objects.get().misses == len(refused)
    data = AuditEvent.objects.values_list("data", "object_id").distinct()
    assert list(data) == [('{"details":{"method":"POST","route":"peere-customer:lookup","status":404}}', "")]


@pytest.mark.parametrize("sent", WRONG_IDS)
def test_an_id_of_a_wrong_form_is_not_counted(sent: Any, shop: Caller) -> None:
    with turned_away("invalid-input", who="Shop"):
        response = shop.post(LOOKUP, {"deviceId": sent})
    assert said(response) == (400, "Invalid device ID format")
    assert LookupHour.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "deviceId: This is required."),
        ({"deviceId": PHONE, "customerId": "1"}, "customerId: There is no such field."),
        ({"device_id": PHONE}, "device_id: There is no such field. deviceId: This is required."),
    ],
)
def test_it_takes_one_field(body: Any, message: str, shop: Caller) -> None:
    with turned_away("invalid-input", who="Shop"):
        assert said(shop.post(LOOKUP, body)) == (400, message)


# At once.


def test_a_device_that_is_switched_off_is_missed_by_the_next_call(shop: Caller, phone: Device) -> None:
    assert look_up(shop).status_code == 200
    deactivate_device(actor=ACTOR, device_id=str(phone.pk))
    assert said(look_up(shop)) == NO_DEVICE
    activate_device(actor=ACTOR, device_id=str(phone.pk))
    assert look_up(shop).status_code == 200


def test_a_link_that_is_cut_is_missed_by_the_next_call(server: Caller, shop: Caller, ada: User) -> None:
    assert server.post(UNLINK, fields(ada.customer_number)).status_code == 200
    assert said(look_up(shop)) == NO_DEVICE
    assert server.post(LINK, fields(ada.customer_number, phrase="New phrase")).status_code == 200
    assert look_up(shop).json()["data"]["phrase"] == "New phrase"


def test_no_answer_is_kept(shop: Caller, phone: Device) -> None:
    key = {"Idempotency-Key": "k1"}
    assert look_up(shop, **key).status_code == 200
    again = look_up(shop, **key)
    assert (again.status_code, "Idempotent-Replayed" in again) == (200, False)
    assert Sighting.objects.count() == 2
    deactivate_device(actor=ACTOR, device_id=str(phone.pk))
    assert said(look_up(shop, **key)) == NO_DEVICE
    assert said(look_up(shop, **key)) == NO_DEVICE
    assert (LookupHour.objects.get().misses, StoredAnswer.objects.count()) == (2, 0)


# What merchants could put together.


def test_two_merchants_share_nothing_but_what_they_sent_the_phrase_and_the_bank(ada: User) -> None:
    make_link(make_device(ada, external_id="device_tablet"))
    first, second = (shop_of(ada.bank, name) for name in ("First", "Second"))
    asked = [PHONE, "device_tablet", PHONE]
    answers = [[look_up(shop, device_id) for device_id in asked] for shop in (first, second)]
    told = [[answer.json()["data"] for answer in one] for one in answers]
    mine = [{body["customerId"] for body in one} for one in told]
    assert [len(one) for one in mine] == [1, 1]  # one customer is one person to a merchant
    assert mine[0].isdisjoint(mine[1])
    for one, other in zip(*told, strict=True):
        assert {name for name in one if one[name] == other[name]} == {"deviceId", "phrase", "bankId"}
    # Headers are the same for everybody, a stranger without a token included, but for the call's own name.
    everybodys = headers(Caller().get("/v1/customer/nothing"))
    assert all(headers(answer) == everybodys for one in answers for answer in one)
    names = [answer["X-Request-Id"] for one in answers for answer in one]
    assert len(set(names)) == len(names)


def headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in whole(answer)[2].items() if name != "Content-Length"}


def test_the_bank_s_number_where_two_people_decided_so(ada: User) -> None:
    plain = shop_of(ada.bank, "Plain", plain_ids=True)
    assert look_up(plain).json()["data"]["customerId"] == ada.customer_number


# The budget.


@time_machine.travel(MOMENT, tick=False)
def test_over_the_budget_every_call_is_429_until_the_hour_ends(ada: User) -> None:
    shop = shop_of(ada.bank, budget=2)
    assert [look_up(shop, f"nobody-{number}-x{number}y").status_code for number in range(2)] == [404, 404]
    late = [look_up(shop, "device_nobodys"), look_up(shop)]
    for answer in late:
        assert said(answer) == (429, "Too many lookups found nothing.")
        assert answer["Retry-After"] == "2400"
    assert whole(late[0]) == whole(late[1])
    codes = Counter(AuditEvent.objects.filter(outcome="refused").values_list("code", flat=True))
    assert codes == {"not-found": 2, "lookup-budget": 1}
    row = LookupHour.objects.get()
    assert (row.misses, row.refused, Sighting.objects.count()) == (2, 2, 0)


def test_one_merchant_s_misses_are_not_another_s(ada: User) -> None:
    first, second = (shop_of(ada.bank, name, budget=1) for name in ("First", "Second"))
    assert [look_up(first, "device_nobodys").status_code for _ in range(2)] == [404, 429]
    assert look_up(second).status_code == 200
