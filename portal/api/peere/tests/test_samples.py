"""The vendor's samples, with its own bodies: the four operations in a row, and the three refusals."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.tests.factories import make_customer
from portal.accounts.models import User
from portal.api.peere.tests.linking import LINK, LIST, LOOKUP, PHONE, PHRASE, UNLINK
from portal.api.tests.doors import Caller, golden, in_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]
NOON = "2026-11-22T12:01:03Z"  # in the hour of the tokens


def sample(name: str, values: Mapping[str, str]) -> Any:
    """A sample of the vendor's, with these texts where it has `string`."""
    return filled(golden(__file__, name), values)


def filled(body: Any, values: Mapping[str, str], name: str = "") -> Any:
    if isinstance(body, dict):
        return {key: filled(value, values, key) for key, value in body.items()}
    if isinstance(body, list):
        return [filled(item, values) for item in body]
    return values[name] if body == "string" else body


def as_printed(response: Any, status: int, expected: Any) -> None:
    assert (response.status_code, response["Content-Type"]) == (status, "application/json")
    assert response.json() == expected
    assert in_order(response.json()) == in_order(expected)
    listed, wanted = (body.get("data", {}).get("devices", []) for body in (response.json(), expected))
    assert [in_order(one) for one in listed] == [in_order(one) for one in wanted]


def test_the_four_operations_run_as_printed(server: Caller, shop: Caller, ada: User) -> None:
    values = {"customerId": str(ada.customer_number), "phrase": PHRASE, "deviceId": PHONE}
    with time_machine.travel(NOON, tick=False):
        linked = server.post(LINK, sample("link.request", values))
        as_printed(linked, 200, golden(__file__, "link.answer"))
        as_printed(server.get(LIST), 200, sample("list.answer", values | {"linkedAt": NOON}))
        found = shop.post(LOOKUP, sample("lookup.request", values))
        pseudonym = found.json()["data"]["customerId"]
        assert re.fullmatch(r"PCI_[0-9A-HJKMNP-TV-Z]{26}", pseudonym)
        as_printed(found, 200, sample("lookup.answer", values | {"customerId": pseudonym, "bankId": ada.bank.code}))
        unlinked = server.post(UNLINK, sample("unlink.request", values))
        as_printed(unlinked, 200, golden(__file__, "unlink.answer"))
        as_printed(shop.post(LOOKUP, {"deviceId": PHONE}), 404, golden(__file__, "unknown.answer"))
        assert server.get(LIST).json()["data"] == {"devices": [], "total": 0, "page": 1, "limit": 20}


def test_the_three_refusals_are_as_printed(server: Caller, shop: Caller, ada: User) -> None:
    values = {"customerId": str(ada.customer_number), "phrase": PHRASE, "deviceId": PHONE}
    assert server.post(LINK, values).status_code == 200
    bea = make_customer(ada.bank, "Bea")
    theirs = {**values, "customerId": str(bea.customer_number), "phrase": "Another phrase"}
    as_printed(server.post(LINK, theirs), 409, golden(__file__, "conflict.answer"))
    for path, caller, body in [(LINK, server, values), (UNLINK, server, values), (LOOKUP, shop, {"deviceId": ""})]:
        wrong = caller.post(path, {**body, "deviceId": "no good"})
        as_printed(wrong, 400, golden(__file__, "invalid.answer"))
        nobodys = caller.post(path, {**body, "deviceId": "device_nobodys"})
        as_printed(nobodys, 404, golden(__file__, "unknown.answer"))
    assert Device.objects.count() == 1
