"""Merchants that miss more than they find, and that try ids one after the other."""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.core.cache import cache

from devices.tests.factories import make_bank, make_customer, make_device
from merchants.models import Merchant, MerchantAlert
from merchants.operations.alerts import watch
from merchants.states import AlertKind
from merchants.tasks import merchants_watch
from merchants.tests.factories import make_alert, make_hour, make_link, make_sighting, merchant_actor
from merchants.tests.shop import PHONE, Shop, shop_of, statements, told, written
from portal import ratelimit
from portal.audit.models import AuditEvent

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALERT = ("merchant.alert", "done", "")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    ratelimit.breaker.reset()
    cache.clear()


@pytest.fixture
def shop() -> Shop:
    return Shop()


def figures(kind: str) -> list[dict[str, int]]:
    return list(MerchantAlert.objects.filter(kind=kind).order_by("raised_at").values_list("figures", flat=True))


# More misses than hits.


@pytest.mark.parametrize(
    ("misses", "hits", "alerts"),
    [(26, 24, 1), (25, 25, 0), (25, 24, 0), (49, 0, 0), (50, 0, 1), (60, 59, 1), (60, 60, 0), (30, 19, 0), (0, 0, 0)],
)
def test_of_fifty_lookups_more_than_half_missed(shop: Shop, misses: int, hits: int, alerts: int) -> None:
    with time_machine.travel(NOON + HOUR / 2, tick=False):
        make_hour(shop.merchant, misses=misses)
        for number in range(hits):
            link = make_link(make_device(shop.ada))
            for _ in range(2):  # found twice it is one hit
                make_sighting(shop.merchant, link, at=NOON + HOUR * number / 60)
        for at in (NOON - timedelta(seconds=1), NOON + HOUR):
            make_sighting(shop.merchant, shop.link, at=at)  # of other hours
        make_sighting(shop_of(shop.bank, "Other"), shop.link)
        assert watch() == alerts
        assert watch() == 0
    assert figures("miss-ratio") == [{"misses": misses, "hits": hits}] * alerts
    assert (written(), shop.left()) == ([ALERT] * alerts, 50 if alerts else 100)


def test_the_sweep_looks_at_the_hour_that_has_just_ended_too(shop: Shop) -> None:
    make_hour(shop.merchant, hour=NOON, misses=60)
    with time_machine.travel(NOON + HOUR + timedelta(seconds=20), tick=False) as clock:
        assert watch() == 1
        clock.shift(HOUR)
        make_hour(shop_of(shop.bank, "Late"), hour=NOON, misses=60)
        assert watch() == 0
    assert MerchantAlert.objects.get().hour == NOON
    event = AuditEvent.objects.get()
    assert (event.actor_label, event.bank_id) == ("merchants.watch", shop.bank.pk)
    assert json.loads(event.data)["details"]["alert"] == "miss-ratio"


def test_one_that_was_looked_at_is_not_raised_again_in_its_hour(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        make_hour(shop.merchant, misses=60)
        make_alert(shop.merchant, AlertKind.MISS_RATIO, reviewed_at=NOON, reviewed_by="Oda")
        assert watch() == 0


def test_every_banks_merchants_are_looked_at_in_two_queries_when_all_is_well(shop: Shop) -> None:
    other = Shop(ada=make_customer(make_bank(), "Bo"))
    with time_machine.travel(NOON, tick=False):
        for merchant in (shop.merchant, other.merchant):
            make_hour(merchant, misses=60)
        assert watch() == 2
        assert len(statements(watch)) == 2


def test_of_two_nodes_one_looks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr("merchants.tasks.watch", lambda: runs.append(1))
    with time_machine.travel(NOON, tick=False) as clock:
        merchants_watch()
        merchants_watch()
        clock.shift(60)
        merchants_watch()
    assert len(runs) == 2


# One after the other.


def try_each(shop: Shop, ids: list[str]) -> None:
    for device_id in ids:
        assert told(lambda device_id=device_id: shop.ask(device_id)) == "not-found"


def test_twenty_ids_that_differ_only_at_their_end() -> None:
    shop = Shop(budget=1000)
    with time_machine.travel(NOON, tick=False):
        try_each(shop, [f"device_{number:04}" for number in range(19)] * 2)
        assert (figures("sequence"), shop.left()) == ([], 1000)
        try_each(shop, ["device_0019"])
        assert (figures("sequence"), shop.left()) == ([{"ids": 20}], 500)
        try_each(shop, [f"device_{number:04}" for number in range(20, 45)])
        assert (written(), shop.left()) == ([ALERT], 500)


def test_hits_and_calls_over_the_budget_count_as_well() -> None:
    shop = Shop(budget=10)
    with time_machine.travel(NOON, tick=False):
        shop.ask(PHONE)
        try_each(shop, [f"{PHONE[:-2]}{number:02}" for number in range(10)])
        for number in range(10, 18):
            assert told(lambda number=number: shop.ask(f"{PHONE[:-2]}{number:02}")) == "lookup-budget"
        assert figures("sequence") == []
        told(lambda: shop.ask(f"{PHONE[:-2]}18"))
        assert figures("sequence") == [{"ids": 20}]


def test_ids_of_other_stems_other_lengths_other_merchants_and_other_hours_do_not(shop: Shop) -> None:
    second = shop_of(shop.bank, "Second")
    with time_machine.travel(NOON + HOUR * 0.9, tick=False) as clock:
        try_each(shop, [f"device_{number:04}" for number in range(10)])
        try_each(shop, [f"device_00{number}" for number in range(10)])
        try_each(shop, [f"device_1{number:03}" for number in range(10)])
        first, shop.actor = shop.actor, merchant_actor(second)
        try_each(shop, [f"device_{number:04}" for number in range(10, 20)])
        shop.actor = first
        clock.shift(HOUR / 5)
        try_each(shop, [f"device_{number:04}" for number in range(10, 20)])
    assert MerchantAlert.objects.count() == 0


def test_the_cache_holds_no_id(shop: Shop) -> None:
    told(lambda: shop.ask("device_secret"))
    shop.ask(PHONE)
    names = "\n".join(f"{key} {value!r}" for key, value in cache._cache.items())  # type: ignore[attr-defined]
    assert names.count("lookup-") == 4
    assert not any(text in names for text in ("device_", "secret", PHONE, PHONE[:-2]))


@pytest.fixture
def dead_valkey(settings: LazySettings, standing_clock: None) -> Iterator[None]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        location = f"redis://127.0.0.1:{reserved.getsockname()[1]}/1"
        settings.CACHES = {"default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": location}}
        yield
    ratelimit.breaker.reset()


@pytest.mark.usefixtures("dead_valkey")
def test_without_a_cache_lookups_go_on_and_nothing_is_counted_there(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "portal.ratelimit"), time_machine.travel(NOON, tick=False):
        assert shop.ask().customer_id
        try_each(shop, [f"device_{number:04}" for number in range(30)])
    assert [record.getMessage() for record in caplog.records] == ["cache unavailable"]
    assert (shop.counts(), MerchantAlert.objects.count()) == ([(30, 0)], 0)
    assert Merchant.objects.get().budget_now == 100


def test_a_sequence_of_many_ids_is_noticed_though_the_first_alert_was_lost() -> None:
    shop = Shop(budget=1000)
    with time_machine.travel(NOON, tick=False):
        try_each(shop, [f"device_{number:04}" for number in range(20)])
        MerchantAlert.objects.all().delete()
        try_each(shop, [f"device_{number:04}" for number in range(20, 40)])
    assert figures("sequence") == [{"ids": 40}]
