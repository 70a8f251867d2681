"""GET /owned-devices and GET of one device."""

from datetime import timedelta
from typing import Any

import pytest

from devices.models import Kind
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
)
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import ASSECO, Caller, in_order, refused_once
from portal.core import clock

pytestmark = pytest.mark.django_db

OWNED_DEVICE = [
    "device-id",
    "external-device-id",
    "external-device-id-kind",
    "owner-id",
    "capabilities",
    "status",
    "nickname",
    "operating-system",
    "manufacturer",
    "model",
    "push-registered",
    "push-handle-expiration",
]


def listed(response: Any) -> list[str]:
    assert response.status_code == 200
    return [device["nickname"] for device in response.json()["devices"]]


def test_an_empty_list(caller: Caller) -> None:
    assert caller.get(ASSECO).json() == {
        "devices": [],
        "page": 1,
        "page-size": 10,
        "total-count": 0,
        "total-pages": 0,
    }


def test_a_whole_device(caller: Caller, ada: User) -> None:
    device = make_device(ada, external_id="com.example:7f", nickname="Watch", kind=Kind.WATCH, model="")
    make_key(device)
    [answer] = caller.get(ASSECO).json()["devices"]
    assert answer == {
        "device-id": str(device.pk),
        "external-device-id": "com.example:7f",
        "external-device-id-kind": "app-id",
        "owner-id": ada.customer_number,
        "capabilities": ["pki", "display"],
        "status": "active",
        "nickname": "Watch",
        "operating-system": None,
        "manufacturer": None,
        "model": None,
        "push-registered": False,
        "push-handle-expiration": None,
    }
    assert in_order(answer) == OWNED_DEVICE
    assert caller.get(f"{ASSECO}/com.example:7f").json() == answer


def test_an_unproved_key_and_a_lapsed_push_handle_are_no_capabilities(caller: Caller, ada: User) -> None:
    device = make_device(ada, push_handle="handle")
    make_key(device, proved=False)
    device.push_expires_at = clock.now() - timedelta(seconds=1)
    device.save()
    answer = caller.get(f"{ASSECO}/{device.pk}").json()
    assert (answer["capabilities"], answer["push-registered"]) == (["telephony", "sms", "display"], False)


def test_five_states_are_three_words(caller: Caller, ada: User) -> None:
    for status in DeviceStatus:
        make_device(ada, status, nickname=status.value)
    answer = caller.get(f"{ASSECO}?sort-by=nickname").json()["devices"]
    assert {device["nickname"]: device["status"] for device in answer} == {
        "PENDING": "blocked",
        "ACTIVE": "active",
        "INACTIVE": "blocked",
        "BLOCKED": "blocked",
        "RETIRED": "unregistered",
    }
    for wanted, names in {
        "active": ["ACTIVE"],
        "blocked": ["BLOCKED", "INACTIVE", "PENDING"],
        "unregistered,active": ["ACTIVE", "RETIRED"],
    }.items():
        assert listed(caller.get(f"{ASSECO}?device-statuses={wanted}&sort-by=nickname")) == names


def test_sorting_and_pages(caller: Caller, ada: User) -> None:
    start = clock.now()
    for number, name in enumerate("bca"):
        make_device(ada, nickname=name, registered_at=start + timedelta(minutes=number))
    assert listed(caller.get(ASSECO)) == ["b", "c", "a"]
    assert listed(caller.get(f"{ASSECO}?sort-order=desc")) == ["a", "c", "b"]
    assert listed(caller.get(f"{ASSECO}?sort-by=nickname")) == ["a", "b", "c"]
    page = caller.get(f"{ASSECO}?sort-by=nickname&page=2&page-size=2").json()
    assert [device["nickname"] for device in page.pop("devices")] == ["c"]
    assert page == {"page": 2, "page-size": 2, "total-count": 3, "total-pages": 2}
    assert listed(caller.get(f"{ASSECO}?page=9")) == []


@pytest.mark.parametrize(
    ("query", "tag", "error"),
    [
        ("device-statuses=lost", "device-statuses", "unknown-enum"),
        ("device-statuses=active,", "device-statuses", "unknown-enum"),
        ("device-statuses=", "device-statuses", "required"),
        ("sort-by=external-device-id", "sort-by", "unknown-enum"),
        ("sort-by=model", "sort-by", "unknown-enum"),
        ("sort-order=up", "sort-order", "unknown-enum"),
        ("page=0", "page", "out-of-range"),
        ("page=-1", "page", "invalid-format"),
        ("page=1.0", "page", "invalid-format"),
        ("page=%D9%A1", "page", "invalid-format"),
        ("page=9999999999999999999999", "page", "invalid-format"),
        ("page=1000001", "page", "out-of-range"),
        ("page-size=0", "page-size", "out-of-range"),
        ("page-size=101", "page-size", "out-of-range"),
        ("page_size=1", "page_size", "not-on-list"),
        ("page=1&page=2", "page", "invalid-format"),
    ],
)
def test_a_question_that_is_not_understood_is_not_answered(query: str, tag: str, error: str, caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.get(f"{ASSECO}?{query}")
    assert response.status_code == 400
    assert [(one["tag"], one["error"]) for one in response.json()["errors"]] == [(tag, error)]


def test_a_customer_sees_only_its_own_and_no_card(caller: Caller, ada: User) -> None:
    make_device(ada, nickname="mine")
    make_device(ada, nickname="card", kind=Kind.PAYMENT_CARD, external_id="")
    make_device(make_customer(ada.bank, "Bea"), nickname="hers")
    make_device(make_customer(make_bank(), "Cem"), nickname="elsewhere")
    assert listed(caller.get(ASSECO)) == ["mine"]


def test_the_banks_server_sees_all_of_its_bank_or_one_customers(server: Caller, ada: User) -> None:
    bea = make_customer(ada.bank, "Bea")
    make_device(ada, nickname="a")
    make_device(bea, nickname="b")
    make_device(make_customer(make_bank(), "Cem", customer_number="X1"), nickname="c")
    assert listed(server.get(f"{ASSECO}?sort-by=nickname")) == ["a", "b"]
    for name in (bea.customer_number, bea.public_id):
        assert listed(server.get(f"{ASSECO}?customer-number={name}")) == ["b"]


def test_a_customer_of_another_bank_and_nobody_are_the_same_to_the_banks_server(server: Caller, ada: User) -> None:
    cem = make_customer(make_bank(), "Cem", customer_number="X1")
    make_device(cem)
    answers = set()
    for name in ("X1", cem.public_id, "nobody", make_staff(ada.bank).public_id):
        with refused_once("identity-mismatch", who="core banking"):
            response = server.get(f"{ASSECO}?customer-number={name}")
        answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [403]


def test_a_customers_number_in_its_own_query_is_a_claim(caller: Caller, ada: User) -> None:
    make_device(ada, nickname="mine")
    for name in (ada.customer_number, ada.public_id):
        assert listed(caller.get(f"{ASSECO}?customer-number={name}")) == ["mine"]
    bea = make_customer(ada.bank, "Bea")
    for name in (bea.customer_number, bea.public_id, "nobody"):
        with refused_once("identity-mismatch", who="Ada"):
            assert caller.get(f"{ASSECO}?customer-number={name}").status_code == 403


def test_staff_need_the_right_to_look(ada: User) -> None:
    device = make_device(ada, nickname="mine")
    reader = Caller(make_token(user=make_staff(ada.bank, Role.SUPPORT)))
    assert listed(reader.get(ASSECO)) == ["mine"]
    administrator = make_staff(ada.bank, Role.ADMINISTRATOR)
    caller = Caller(make_token(user=administrator))
    for path in (
        ASSECO,
        f"{ASSECO}?customer-number=no",
        f"{ASSECO}/{device.pk}",
        f"{ASSECO}/unknown",
        f"/v1/device/devices/{device.pk}",
    ):
        with refused_once("capability-missing", who=f"Bea ({administrator.username})"):
            assert caller.get(path).status_code == 403


@pytest.mark.parametrize("path", [ASSECO, "/v1/device/devices"])
def test_foreign_unknown_and_issued_look_the_same(path: str, caller: Caller, ada: User) -> None:
    colleague = make_device(make_customer(ada.bank, "Bea"))
    stranger = make_device(make_customer(make_bank(), "Cem"))
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    answers = set()
    names = [colleague.pk, colleague.external_id, colleague.public_id, stranger.pk, stranger.external_id, card.pk]
    for name in [*names, "unknown", "%00", "..", "DEV_0", "a" * 3000]:
        with refused_once("not-found", who="Ada"):
            response = caller.get(f"{path}/{name}")
        answers.add((response.status_code, response.content))
    assert answers == {(404, b'{"errors":[{"tag":null,"error":"not-found","message":"There is no such device."}]}')}
