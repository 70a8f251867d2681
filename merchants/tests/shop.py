"""Lookups for tests: a shop asks about Ada's phone, which her bank has linked to a phrase."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.tests.factories import make_application, make_bank, make_customer, make_device
from merchants.models import Link, LookupHour, Merchant, MerchantAlert, Sighting
from merchants.operations.lookups import Found, look_up
from merchants.tests.factories import make_link, make_merchant, merchant_actor
from portal.accounts.models import Application, Bank, User
from portal.api.tests.doors import OURS
from portal.audit.models import AuditEvent
from portal.core.errors import DomainError

PHONE, PHRASE = "device_k3x9q2v7m1", "Ada at the harbour"


def shop_of(bank: Bank, name: str = "Shop", **values: Any) -> Merchant:
    """A merchant of this name."""
    return make_merchant(bank, application=make_application(bank, "merchant", name=name), **values)


@dataclass
class Shop:
    """A merchant of Ada's bank, and her phone, linked to her phrase."""

    budget: int = 100
    ada: User = field(default_factory=lambda: make_customer(make_bank()))

    def __post_init__(self) -> None:
        self.bank = self.ada.bank
        self.phone = make_device(self.ada, external_id=PHONE)
        self.link = make_link(self.phone, phrase=PHRASE)
        self.merchant = shop_of(self.bank, budget=self.budget)
        self.actor = merchant_actor(self.merchant)

    @property
    def client_id(self) -> str:
        return str(self.merchant.application.client_id)

    def ask(self, device_id: str = PHONE) -> Found:
        return look_up(actor=self.actor, device_id=device_id)

    def misses(self, number: int, name: str = "nobody") -> None:
        """So many lookups that find nothing, of ids that are not alike."""
        for one in range(number):
            assert told(lambda one=one: self.ask(f"{one}-{name}-{one:04}-{one % 7}x")) == "not-found"

    def counts(self) -> list[tuple[int, int]]:
        """Misses and refused calls of each hour, oldest first."""
        rows = LookupHour.objects.filter(merchant=self.merchant).order_by("hour")
        return list(rows.values_list("misses", "refused"))

    def left(self) -> int:
        self.merchant.refresh_from_db()
        return self.merchant.budget_now


def told(work: Any) -> str:
    """The rule that refuses; "" where nothing does."""
    try:
        work()
    except DomainError as refusal:
        return refusal.code
    return ""


def written() -> list[tuple[str, str, str]]:
    """(event, outcome, code) of all that was written, sorted: in a standing clock events have no order."""
    return sorted(AuditEvent.objects.values_list("event", "outcome", "code"))


def rows() -> list[list[dict[str, Any]]]:
    """Everything about merchants as it stands, but for what was counted."""
    kinds: list[Any] = [Application, Merchant, MerchantAlert, Sighting, Link]
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


@contextmanager
def nothing_changes() -> Iterator[None]:
    """No row about merchants changes, and no event is written."""
    before, events = rows(), written()
    yield
    assert (rows(), written()) == (before, events)


@contextmanager
def refused(kind: type[DomainError], code: str = "") -> Iterator[None]:
    """The work is refused, by this rule where one is named, and changes nothing."""
    with nothing_changes(), pytest.raises(kind) as refusal:
        yield
    assert code in ("", refusal.value.code)


def statements(work: Any) -> list[str]:
    """The statements of some work, without the borders of transactions. A refusal is one of its ends."""
    with CaptureQueriesContext(connection) as captured:
        told(work)
    return [query["sql"] for query in captured if not query["sql"].lstrip().upper().startswith(OURS)]
