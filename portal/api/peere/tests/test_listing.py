"""The list of a bank's links: pages, orders, searches, and what each costs."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from devices.tests.factories import make_customer, make_device
from merchants.operations.following import end_links
from merchants.tests.factories import make_link
from portal.accounts.models import User
from portal.api.peere.tests.linking import LIST, PHONE, PHRASE, links, said, turned_away
from portal.api.tests.doors import Caller, at_most, in_order, nothing_written
from portal.core import clock
from portal.core.actor import Actor

pytestmark = pytest.mark.django_db
NUMBERS = ["HB-003", "HB-001", "HB-002", "MIGR00002"]


@pytest.fixture(autouse=True)
def linked(ada: User) -> list[User]:
    """Four customers with a phone each, linked one minute after the other."""
    now = clock.now()
    found = []
    for minute, number in enumerate(NUMBERS):
        customer = make_customer(ada.bank, f"Customer {minute}", customer_number=number)
        device = make_device(customer, external_id=f"device_{minute}")
        make_link(device, phrase=f"Blue heron {minute}", linked_at=now + timedelta(minutes=minute))
        found.append(customer)
    return found


def listed(server: Caller, query: str = "") -> list[str]:
    """The devices on a page."""
    response = server.get(f"{LIST}?{query}")
    assert response.status_code == 200, response.content
    return [one["deviceId"] for one in response.json()["data"]["devices"]]


def test_without_a_word_the_newest_twenty_come_first(server: Caller) -> None:
    with nothing_written():
        body = server.get(LIST).json()
    assert in_order(body) == ["statusCode", "success", "data", "devices", "total", "page", "limit"]
    data = body["data"]
    assert (body["statusCode"], body["success"], data["total"], data["page"], data["limit"]) == (200, True, 4, 1, 20)
    assert [one["deviceId"] for one in data["devices"]] == ["device_3", "device_2", "device_1", "device_0"]
    assert [in_order(one) for one in data["devices"]] == [["deviceId", "customerId", "phrase", "linkedAt"]] * 4
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["linkedAt"]) for one in data["devices"])


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("sortBy=linkedAt&sortOrder=asc", "0123"),
        ("sortBy=linkedAt&sortOrder=desc", "3210"),
        ("sortOrder=asc", "0123"),
        ("sortBy=customerId&sortOrder=asc", "1203"),
        ("sortBy=customerId", "3021"),
        ("page=2&limit=3", "0"),
        ("page=2&limit=3&sortOrder=asc", "3"),
        ("page=3&limit=3", ""),
        ("page=999999999&limit=100", ""),
        ("page=01&limit=004", "3210"),
        ("search=", "3210"),
    ],
)
def test_pages_and_orders(query: str, order: str, server: Caller) -> None:
    assert listed(server, query) == [f"device_{number}" for number in order]


def test_by_device_the_order_is_stable_and_the_other_way_round(server: Caller) -> None:
    up, down = (listed(server, f"sortBy=deviceId&sortOrder={order}") for order in ("asc", "desc"))
    assert up == down[::-1]
    assert sorted(up) == [f"device_{number}" for number in range(4)]
    assert [listed(server, f"sortBy=deviceId&sortOrder=asc&limit=1&page={page}")[0] for page in range(1, 5)] == up


@pytest.mark.parametrize(
    ("search", "order"),
    [
        ("device_2", "2"),
        ("Blue heron 1", "1"),
        ("  blue HERON 1", "1"),
        ("HB-001", "1"),
        ("HB-", "210"),
        ("MIGR00002", "3"),
        ("migr", ""),
        ("device_", ""),
        ("Blue heron", ""),
        ("%", ""),
        ("_", ""),
        ("nobody", ""),
        ("\u200b", ""),
        ("' OR 1=1 --", ""),
        ("\\", ""),
        ("x" * 256, ""),
    ],
)
def test_a_search_finds_what_is_named(search: str, order: str, server: Caller) -> None:
    response = server.get(f"{LIST}?search={quote(search)}")
    data = response.json()["data"]
    assert [one["deviceId"] for one in data["devices"]] == [f"device_{number}" for number in order]
    assert data["total"] == len(order)


def test_a_customer_is_found_by_our_id_too(server: Caller, linked: list[User]) -> None:
    assert listed(server, f"search={linked[2].public_id}") == ["device_2"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page: Ensure this value is greater than or equal to 1."),
        *((f"page={quote(text)}", "page: A valid integer is required.") for text in (
            "", "-1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "٣", "१", "0x1", "1_000", "x", "1" * 10, "NaN", "null"
        )),
        ("limit=0", "limit: Ensure this value is greater than or equal to 1."),
        ("limit=101", "limit: Ensure this value is less than or equal to 100."),
        *((f"limit={quote(text)}", "limit: A valid integer is required.") for text in ("", "-5", "+5", "٢٠", "2O")),
        ("sortBy=phrase", "sortBy: One of: deviceId, customerId, linkedAt."),
        ("sortBy=deviceid", "sortBy: One of: deviceId, customerId, linkedAt."),
        ("sortBy=", "sortBy: One of: deviceId, customerId, linkedAt."),
        ("sortOrder=ASC", "sortOrder: One of: asc, desc."),
        ("sortOrder=", "sortOrder: One of: asc, desc."),
        ("search=" + "x" * 257, "search: Ensure this field has no more than 256 characters."),
        ("search=%00", "search: Null characters are not allowed."),
        ("surprise=1", "surprise: There is no such field."),
        ("sort_by=linkedAt", "sort_by: There is no such field."),
        ("page=1&page=1", "page: This comes more than once."),
        (
            "page=x&limit=0",
            "page: A valid integer is required. limit: Ensure this value is greater than or equal to 1.",
        ),
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_named(query: str, message: str, server: Caller) -> None:
    with turned_away("invalid-input"):
        assert said(server.get(f"{LIST}?{query}")) == (400, message)


def test_a_link_that_ends_leaves_the_list_in_the_same_step(server: Caller, ada: User) -> None:
    device = make_device(ada, external_id=PHONE)
    make_link(device, phrase=PHRASE)
    assert listed(server, f"search={PHONE}") == [PHONE]
    end_links(Actor.system("test"), device)
    data = server.get(LIST).json()["data"]
    assert (data["total"], PHONE in str(data)) == (4, False)
    assert listed(server, "search=Ada") == []


@pytest.mark.parametrize(
    "query", ["", "page=2&limit=1", "sortBy=customerId", "sortBy=deviceId&sortOrder=asc", "search=HB-", "page=500"]
)
def test_a_page_costs_six(query: str, server: Caller) -> None:
    before: Any = links()
    with at_most(6):  # token, total, links; with a search the devices and phrases it may mean
        assert server.get(f"{LIST}?{query}").status_code == 200
    assert links() == before
