"""Merchants as staff look at them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff, staff_actor
from merchants.queries.merchants import (
    Hour,
    alerts_of,
    hours_of,
    list_merchants,
    merchant_of,
    open_alerts,
)
from merchants.queries.sightings import (
    Seen,
    lookup_page,
    merchants_that_saw,
    seen_customer,
    sightings_of_customer,
)
from merchants.states import AlertKind
from merchants.tests.factories import make_alert, make_hour, make_link, make_sighting
from merchants.tests.shop import Shop, shop_of, statements
from portal.accounts.roles import Role
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def sam(shop: Shop) -> Actor:
    return staff_actor(make_staff(shop.bank, Role.SUPPORT, "Sam"))


def test_each_merchant_with_its_hour_and_its_open_alerts(shop: Shop, sam: Actor) -> None:
    with time_machine.travel(NOON + HOUR / 2, tick=False):
        make_application(shop.bank, "merchant", name="Bare")
        make_application(shop.bank, "bank", name="Core")
        shop_of(make_bank(), "Elsewhere")
        make_hour(shop.merchant, misses=7, refused=2)
        make_hour(shop.merchant, hour=NOON - HOUR, misses=50)
        for at in (NOON, NOON + MINUTE, NOON - MINUTE):
            make_sighting(shop.merchant, shop.link, at=at)
        make_alert(shop.merchant, AlertKind.BUDGET)
        make_alert(shop.merchant, AlertKind.SEQUENCE, reviewed_at=NOON, reviewed_by="Oda")
        page = list_merchants(sam)
        bare, first = page.items
        assert merchant_of(sam, shop.client_id) == first
    assert (bare.name, bare.budget, bare.budget_now, bare.plain_ids, bare.left) == ("Bare", 100, 100, False, 100)
    assert (bare.hits, bare.misses, bare.refused, bare.open_alerts, bare.last_hit_at) == (0, 0, 0, 0, None)
    assert (first.name, first.client_id, first.left, first.is_suspended) == ("Shop", shop.client_id, 93, False)
    assert (first.hits, first.misses, first.refused, first.open_alerts, first.last_hit_at) == (
        2,
        7,
        2,
        1,
        NOON + MINUTE,
    )


def test_the_list_goes_on_page_by_page_and_costs_one_query(shop: Shop, sam: Actor) -> None:
    for number in range(7):
        shop_of(shop.bank, f"Shop {number % 3}")
    names: list[str] = []
    cursor: str | None = None
    while True:
        assert len(statements(lambda cursor=cursor: list_merchants(sam, cursor=cursor, size=3))) == 1
        page = list_merchants(sam, cursor=cursor, size=3)
        names += [one.name for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == ["Shop", *["Shop 0"] * 3, *["Shop 1"] * 2, *["Shop 2"] * 2]
    assert list_merchants(sam, cursor="nonsense").items[0].name == "Shop"


def test_hours_without_lookups_are_there_too(shop: Shop, sam: Actor) -> None:
    second = shop_of(shop.bank, "Second")
    with time_machine.travel(NOON + HOUR / 2, tick=False):
        make_hour(shop.merchant, misses=3)
        make_hour(shop.merchant, hour=NOON - 71 * HOUR, misses=4, refused=5)
        make_hour(shop.merchant, hour=NOON - 72 * HOUR, misses=6)
        make_hour(second, misses=10, refused=1)
        for at in (NOON, NOON + MINUTE, NOON - MINUTE, NOON - 71 * HOUR, NOON - 71 * HOUR - MINUTE):
            make_sighting(shop.merchant, shop.link, at=at)
        make_sighting(second, shop.link, at=NOON)
        one, all_of_them = hours_of(sam, shop.client_id), hours_of(sam)
        assert len(statements(lambda: hours_of(sam))) == 2
        assert hours_of(sam, hours=2) == all_of_them[-2:]
    assert [hour.hour for hour in one] == [NOON - HOUR * ago for ago in range(71, -1, -1)]
    assert [hour for hour in one if hour != Hour(hour.hour)] == [
        Hour(NOON - 71 * HOUR, hits=1, misses=4, refused=5),
        Hour(NOON - HOUR, hits=1),
        Hour(NOON, hits=2, misses=3),
    ]
    assert all_of_them[-1] == Hour(NOON, hits=3, misses=13, refused=1)


def test_sightings_of_a_merchant_of_a_customer_and_of_the_bank(shop: Shop, sam: Actor) -> None:
    second = shop_of(shop.bank, "Second")
    bo = make_customer(shop.bank, "Bo")
    of_bo = make_link(make_device(bo))
    stranger = Shop(ada=make_customer(make_bank(), "Cem"))
    make_sighting(stranger.merchant, stranger.link)
    told = [(shop.merchant, shop.link), (second, shop.link), (shop.merchant, of_bo), (shop.merchant, shop.link)]
    made = [make_sighting(who, link, at=NOON + MINUTE * number) for number, (who, link) in enumerate(told)]
    newest = made[::-1]
    assert list(lookup_page(sam).items) == newest
    assert list(lookup_page(sam, shop.client_id).items) == [one for one in newest if one.merchant != second]
    assert list(sightings_of_customer(shop.ada).items) == [one for one in newest if one.customer == shop.ada]
    first = lookup_page(sam, size=3)
    assert (list(first.items), first.previous_cursor) == (newest[:3], None)
    rest = lookup_page(sam, cursor=first.next_cursor, size=3)
    assert (list(rest.items), rest.next_cursor) == (newest[3:], None)
    sent = statements(lambda: [(str(one.merchant), one.link.device.label) for one in lookup_page(sam).items])
    assert len(sent) == 1
    assert merchants_that_saw(shop.ada) == [
        Seen(shop.client_id, "Shop", 2, NOON, NOON + 3 * MINUTE),
        Seen(str(second.application.client_id), "Second", 1, NOON + MINUTE, NOON + MINUTE),
    ]


def test_open_alerts_of_the_bank_and_of_a_merchant(shop: Shop, sam: Actor) -> None:
    second, elsewhere = shop_of(shop.bank, "Second"), shop_of(make_bank(), "Elsewhere")
    old = make_alert(shop.merchant, AlertKind.BUDGET, raised_at=NOON)
    new = make_alert(second, AlertKind.BUDGET, raised_at=NOON + MINUTE)
    seen = make_alert(second, AlertKind.SEQUENCE, raised_at=NOON, reviewed_at=NOON, reviewed_by="Oda")
    make_alert(elsewhere, AlertKind.BUDGET)
    assert open_alerts(sam) == [new, old]
    assert open_alerts(sam, most=1) == [new]
    assert open_alerts(sam, shop.client_id) == [old]
    assert list(alerts_of(sam, str(second.application.client_id)).items) == [new, seen]
    assert len(statements(lambda: [str(one.merchant) for one in open_alerts(sam)])) == 1


READS: dict[str, Callable[[Actor, Shop], Any]] = {
    "list": lambda actor, shop: list_merchants(actor),
    "one": lambda actor, shop: merchant_of(actor, shop.client_id),
    "hours": lambda actor, shop: hours_of(actor),
    "hours-of-one": lambda actor, shop: hours_of(actor, shop.client_id),
    "sightings": lambda actor, shop: lookup_page(actor),
    "sightings-of-merchant": lambda actor, shop: lookup_page(actor, shop.client_id),
    "customer-that-was-seen": lambda actor, shop: seen_customer(actor, shop.ada.pk),
    "open-alerts": lambda actor, shop: open_alerts(actor),
    "alerts-of-one": lambda actor, shop: alerts_of(actor, shop.client_id),
}


@pytest.mark.parametrize("read", READS)
def test_who_may_not_see_merchants_reads_nothing(shop: Shop, read: str) -> None:
    with pytest.raises(Forbidden):
        READS[read](shop.actor, shop)


@pytest.mark.parametrize("read", READS)
def test_another_bank_has_no_such_merchant_and_no_such_customer(shop: Shop, read: str) -> None:
    shop.ask()
    make_alert(shop.merchant, AlertKind.BUDGET)
    stranger = staff_actor(make_staff(make_bank(), Role.AUDITOR, "Cem"))
    if read in {"list", "hours", "sightings", "open-alerts"}:
        seen = READS[read](stranger, shop)
        rows = seen.items if hasattr(seen, "items") else seen
        assert [row for row in rows if row != Hour(getattr(row, "hour", NOON))] == []
    else:
        with pytest.raises(NotFound):
            READS[read](stranger, shop)
