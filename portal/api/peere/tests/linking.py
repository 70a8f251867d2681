"""How Peere's clients call: a bank's server links, merchants look up."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from devices.tests.factories import make_application, make_token
from merchants.models import Link, LinkTotal, Phrase
from merchants.tests.factories import make_merchant
from portal.accounts.models import Bank
from portal.api.tests.doors import Caller, refused_once

LINK, UNLINK = "/v1/bank/customer/device/link", "/v1/bank/customer/device/unlink"
LIST, LOOKUP = "/v1/bank/devices/list", "/v1/customer/device/lookup"
PHONE, PHRASE = "device_k3x9q2v7m1", "Ada at the harbour"
MOMENT = datetime(2026, 11, 22, 12, 20, tzinfo=UTC)  # when each test here begins: forty minutes are left
WRONG_IDS: list[Any] = ["", " ", "a b", "ä", "a/b", "a\nb", "device_1\n", "x" * 129, 1, None, True, [], {}]
type Rows = list[list[dict[str, Any]]]


def server_of(bank: Bank, name: str = "core banking") -> Caller:
    """The bank's own server."""
    return Caller(make_token(application=make_application(bank, "bank", name=name)))


def shop_of(bank: Bank, name: str = "Shop", **values: Any) -> Caller:
    """A merchant of this bank."""
    merchant = make_merchant(bank, application=make_application(bank, "merchant", name=name), **values)
    return Caller(make_token(application=merchant.application))


def fields(customer_id: str | None, device_id: str = PHONE, phrase: str = PHRASE) -> dict[str, str]:
    """The body of a link, in the vendor's order."""
    return {"customerId": str(customer_id), "phrase": phrase, "deviceId": device_id}


def links() -> Rows:
    """Everything about links as it stands in the database."""
    kinds: list[Any] = [Link, Phrase, LinkTotal]
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


@contextmanager
def turned_away(code: str, *, who: str = "core banking") -> Iterator[None]:
    """What is done inside changes no link and no device and leaves one event: a refusal by `code`."""
    before = links()
    with refused_once(code, who=who):
        yield
    assert links() == before


def said(response: Any) -> tuple[int, str]:
    """What a refusal says, in its whole envelope."""
    body = response.json()
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert list(body) == ["statusCode", "success", "message"]
    assert (body["statusCode"], body["success"]) == (response.status_code, False)
    return response.status_code, body["message"]
