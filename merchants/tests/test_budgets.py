"""How often a merchant may find nothing, what happens then, and how it gets over it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction

from devices.tests.factories import make_application, make_bank, make_staff, staff_actor
from merchants.models import LookupHour, Merchant, MerchantAlert, Sighting
from merchants.operations import lookups
from merchants.operations.alerts import raise_alert, review_alert
from merchants.operations.lookups import look_up
from merchants.operations.merchants import set_budget
from merchants.states import AlertKind
from merchants.tests.factories import make_alert, merchant_actor
from merchants.tests.shop import Shop, refused, statements, told, written
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, NotFound, RateLimited
from portal.tests.threads import race

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ALERT = ("merchant.alert", "done", "")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]


@pytest.fixture
def shop() -> Shop:
    return Shop(budget=40)


def officer_of(shop: Shop) -> Actor:
    return staff_actor(make_staff(shop.bank, Role.SECURITY_OFFICER, "Oda"))


def test_over_the_budget_hits_are_refused_as_misses_are(shop: Shop) -> None:
    with time_machine.travel(NOON + timedelta(minutes=59, seconds=30.5), tick=False) as clock:
        shop.misses(40)
        for number, device_id in enumerate(["device_unknown", shop.phone.external_id, shop.phone.public_id], 1):
            with pytest.raises(RateLimited) as refusal:
                shop.ask(device_id)
            assert (refusal.value.code, refusal.value.retry_after, refusal.value.details) == ("lookup-budget", 30, {})
            assert shop.counts() == [(40, number)]
        assert not Sighting.objects.exists()
        clock.shift(timedelta(seconds=30))
        assert shop.ask().phrase
        assert told(lambda: shop.ask("device_unknown")) == "not-found"
        assert shop.counts() == [(40, 3), (1, 0)]


def test_over_the_budget_a_hit_costs_the_statements_of_a_miss(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        shop.misses(40)
        assert told(shop.ask) == "lookup-budget"
        sent = [statements(lambda text=text: shop.ask(text)) for text in ("nobody", shop.phone.external_id)]
    kinds = [[sql.split()[0] for sql in one] for one in sent]
    assert kinds == [["SELECT", "UPDATE", "UPDATE"]] * 2


def test_the_first_refused_call_of_an_hour_alerts_and_halves_the_budget(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        shop.misses(40)
        assert (written(), shop.left()) == ([], 40)
        for _ in range(3):
            told(shop.ask)
        alert = MerchantAlert.objects.get()
        assert (alert.kind, alert.hour, alert.bank_id, alert.figures) == (
            "budget",
            NOON,
            shop.bank.pk,
            {"misses": 40},
        )
        assert (written(), shop.left()) == ([ALERT], 20)
    event = AuditEvent.objects.get()
    assert (event.actor_kind, event.actor_label, event.object_type) == ("merchant", "Shop", "merchant")
    assert json.loads(event.data) == {
        "before": {"budget_now": 40},
        "after": {"budget_now": 20},
        "details": {"alert": "budget", "hour": "2026-11-02T12:00:00+00:00", "misses": 40},
    }


def test_each_hour_of_misses_halves_it_again_down_to_ten(shop: Shop) -> None:
    left = []
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(4):
            shop.misses(shop.left(), f"hour{number}")
            assert told(shop.ask) == "lookup-budget"
            left.append(shop.left())
            clock.shift(timedelta(hours=1))
    assert left == [20, 10, 10, 10]
    assert shop.counts() == [(40, 1), (20, 1), (10, 1), (10, 1)]
    assert MerchantAlert.objects.count() == 4


def test_a_small_budget_is_not_made_larger_by_an_alert() -> None:
    shop = Shop(budget=3)
    shop.misses(3)
    assert told(shop.ask) == "lookup-budget"
    assert shop.left() == 3


def test_several_alerts_of_one_hour_halve_once(shop: Shop) -> None:
    for kind in [*AlertKind, *AlertKind]:
        raise_alert(actor=shop.actor, merchant_id=shop.merchant.pk, kind=kind, hour=NOON, figures={})
    assert (MerchantAlert.objects.count(), shop.left(), written()) == (3, 20, [ALERT] * 3)
    raise_alert(
        actor=shop.actor,
        merchant_id=shop.merchant.pk,
        kind=AlertKind.BUDGET,
        hour=NOON + timedelta(hours=1),
        figures={},
    )
    assert shop.left() == 10


# Staff look at it.


def test_the_budget_is_back_when_the_last_alert_was_looked_at(shop: Shop) -> None:
    oda = officer_of(shop)
    with time_machine.travel(NOON, tick=False):
        for kind in (AlertKind.BUDGET, AlertKind.SEQUENCE):
            raise_alert(actor=shop.actor, merchant_id=shop.merchant.pk, kind=kind, hour=NOON, figures={})
        first, second = MerchantAlert.objects.order_by("kind")
        reviewed = review_alert(actor=oda, alert_id=str(first.pk), reason=" Called the shop ")
        assert (reviewed.reviewed_by, reviewed.note, reviewed.reviewed_at) == ("Oda", "Called the shop", NOON)
        assert shop.left() == 20
        review_alert(actor=oda, alert_id=str(second.pk), reason="A new till")
        assert shop.left() == 40
    before = written()
    assert before[2:] == [("merchant.alert-reviewed", "done", "")] * 2
    again = review_alert(actor=oda, alert_id=str(second.pk), reason="Again")
    assert (again.note, written()) == ("A new till", before)


def test_looked_at_in_its_hour_it_is_not_raised_again_before_the_next(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        shop.misses(40)
        told(shop.ask)
        review_alert(actor=officer_of(shop), alert_id=str(MerchantAlert.objects.get().pk), reason="Looked")
        assert told(shop.ask) == "lookup-budget"  # forty are spent all the same
        assert (MerchantAlert.objects.count(), shop.left()) == (1, 40)
        clock.shift(timedelta(hours=1))
        shop.misses(40, "later")
        assert told(shop.ask) == "lookup-budget"
        assert (MerchantAlert.objects.count(), shop.left()) == (2, 20)


def test_a_budget_that_staff_raise_lets_the_next_call_through(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        shop.misses(40)
        told(shop.ask)
        oda = officer_of(shop)
        review_alert(actor=oda, alert_id=str(MerchantAlert.objects.get().pk), reason="A new till")
        set_budget(actor=oda, client_id=shop.client_id, budget=60, reason="A new till")
        assert shop.ask().phrase
        assert shop.counts() == [(40, 1)]


def test_only_who_manages_the_banks_merchants_looks_at_its_alerts(shop: Shop) -> None:
    alert = make_alert(shop.merchant, AlertKind.BUDGET)
    oda = officer_of(shop)
    stranger = staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER, "Cem"))
    wrong: list[tuple[Actor, str, str, Any]] = [
        (staff_actor(make_staff(shop.bank, role)), str(alert.pk), "Mine", Forbidden)
        for role in (Role.SUPPORT, Role.OPERATOR, Role.APPROVER, Role.AUDITOR)
    ]
    wrong += [
        (shop.actor, str(alert.pk), "Mine", Forbidden),
        (stranger, str(alert.pk), "Mine", NotFound),
        (oda, "x", "Looked", NotFound),
        (oda, str(shop.link.pk), "Looked", NotFound),
        (oda, str(alert.pk), " ", InvalidInput),
    ]
    for actor, alert_id, reason, error in wrong:
        with refused(error):
            review_alert(actor=actor, alert_id=alert_id, reason=reason)


# At one moment.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("known", "budget"), [(True, 25), (False, 100)], ids=["known", "without-rows"])
def test_of_many_misses_at_one_moment_as_many_get_through_as_the_budget_has(known: bool, budget: int) -> None:
    shop = Shop(budget=25)
    bare = make_application(shop.bank, "merchant", name="Bare")
    actor, many = merchant_actor(shop.merchant if known else bare), budget + 39

    def miss(number: int) -> str:
        return told(lambda: look_up(actor=actor, device_id=f"{number:03}-id-{number}y"))

    with time_machine.travel(NOON, tick=False):
        outcomes = race(many, miss)
    assert sorted(map(str, outcomes)) == ["lookup-budget"] * 39 + ["not-found"] * budget
    merchant = Merchant.objects.get(pk=actor.application_id)
    hour = LookupHour.objects.get(merchant=merchant)
    assert (hour.misses, hour.refused) == (budget, 39)
    assert MerchantAlert.objects.filter(merchant=merchant).count() == 1
    assert (written(), merchant.budget_now) == ([ALERT], budget // 2)


@pytest.mark.django_db(transaction=True)
def test_hits_and_misses_at_one_moment(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        texts = [shop.phone.external_id if number % 2 else f"{number:03}-id-{number}y" for number in range(64)]
        outcomes = race(64, lambda number: told(lambda: shop.ask(texts[number])))
    assert sorted(map(str, outcomes)) == [""] * 32 + ["not-found"] * 32
    assert (Sighting.objects.count(), shop.counts()) == (32, [(32, 0)])


@pytest.mark.django_db(transaction=True)
def test_many_alerts_at_one_moment_halve_the_budget_once(shop: Shop) -> None:
    kinds = [*AlertKind] * 8

    def alert(number: int) -> bool:
        merchant = shop.merchant.pk
        return bool(raise_alert(actor=shop.actor, merchant_id=merchant, kind=kinds[number], hour=NOON, figures={}))

    assert sorted(map(str, race(24, alert))) == ["False"] * 21 + ["True"] * 3
    assert (written(), shop.left()) == ([ALERT] * 3, 20)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_look_at_an_alert_at_one_moment_one_is_written_down(shop: Shop) -> None:
    alert, oda = make_alert(shop.merchant, AlertKind.BUDGET), officer_of(shop)
    notes = race(16, lambda number: review_alert(actor=oda, alert_id=str(alert.pk), reason=f"Found {number}").note)
    assert len(set(map(str, notes))) == 1
    assert written() == [("merchant.alert-reviewed", "done", "")]


def test_a_hit_whose_budget_came_back_meanwhile_is_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "_is_spent", lambda link: True)  # as it was read a moment ago
    shop.misses(1)
    assert shop.ask().phrase
    assert (shop.counts(), Sighting.objects.count()) == ([(1, 0)], 1)


@pytest.mark.django_db(transaction=True)
def test_nobody_can_undo_a_count_from_outside(shop: Shop) -> None:
    for device_id in (shop.phone.external_id, "device_unknown"):
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            shop.ask(device_id)
    assert (shop.counts(), Sighting.objects.count()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_a_miss_is_counted_before_it_is_refused() -> None:
    shop = Shop()
    with refused(NotFound):
        shop.ask("device_unknown")
    assert shop.counts() == [(1, 0)]
