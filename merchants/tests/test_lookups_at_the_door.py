"""Lookups over HTTP: what a call costs with its token, what the log says, and many at one moment."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from devices.states import DeviceStatus
from devices.tests.factories import make_device, make_staff, make_token, staff_actor
from merchants.models import MerchantAlert, Sighting
from merchants.operations.merchants import suspend_merchant
from merchants.tests.factories import make_link
from merchants.tests.shop import PHONE, PHRASE, Shop, nothing_changes
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most
from portal.audit.models import AuditEvent
from portal.tests.threads import race

PATH = "/v1/customer/device/lookup"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]


@pytest.fixture
def shop() -> Shop:
    return Shop(budget=25)


@pytest.fixture
def till(shop: Shop) -> Caller:
    return Caller(make_token(application=shop.merchant.application))


def ask(till: Caller, device_id: str = PHONE) -> Any:
    return till.post(PATH, {"deviceId": device_id})


def refusals() -> list[tuple[str, str, str]]:
    """(event, code, who) of each refusal."""
    found = AuditEvent.objects.filter(outcome="refused")
    return sorted(found.values_list("event", "code", "actor_label"))


def test_a_hit_costs_three_statements(till: Caller) -> None:
    with at_most(3):
        answer = ask(till)
    assert (answer.status_code, answer.json()["data"]["phrase"]) == (200, PHRASE)


def test_a_miss_costs_four_with_its_event(till: Caller) -> None:
    ask(till, "first-of-the-hour")
    with at_most(4):
        assert ask(till, "device_unknown").status_code == 404
    assert [(event, who) for event, _, who in refusals()] == [("request.refused", "Shop")] * 2


def test_what_is_not_found_is_answered_alike(shop: Shop, till: Caller) -> None:
    for status in (DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED, DeviceStatus.PENDING):
        make_device(shop.ada, status, external_id=f"device_{status}")
    make_link(make_device(Shop().ada, external_id="device_elsewhere"))
    names = [*DeviceStatus.values, "elsewhere", "unknown"]
    answers = [ask(till, f"device_{name}") for name in names]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert answers[0].json() == {"statusCode": 404, "success": False, "message": "Device not found in system"}
    assert shop.counts() == [(len(names), 0)]


def test_over_the_budget_it_is_told_when_to_come_back(shop: Shop, till: Caller) -> None:
    with time_machine.travel(NOON + timedelta(minutes=45), tick=False):
        shop.misses(25)
        ask(till)  # alerts
        with at_most(5):  # one event a minute
            answers = [ask(till, "device_unknown")]
        with at_most(4):
            answers += [ask(till)]
    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == [(429, "900")] * 2
    assert answers[0].content == answers[1].content
    assert shop.counts() == [(25, 3)]
    assert MerchantAlert.objects.count() == 1


def test_a_suspended_merchants_token_is_dead_at_the_next_call(shop: Shop, till: Caller) -> None:
    assert ask(till).status_code == 200
    oda = staff_actor(make_staff(shop.bank, Role.SECURITY_OFFICER, "Oda"))
    suspend_merchant(actor=oda, client_id=shop.client_id, reason="It leaked")
    seen = Sighting.objects.count()
    assert ask(till).status_code == 401
    assert (Sighting.objects.count(), shop.counts()) == (seen, [])
    assert [event for event, _, _ in refusals()] == ["token.refused"]


@pytest.mark.parametrize("body", [{"deviceId": "device id"}, {"deviceId": ""}, {"deviceId": 7}, {}, []])
def test_what_is_no_device_id_is_not_looked_up(shop: Shop, till: Caller, body: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = till.post(PATH, body)
    assert answer.status_code == 400
    assert shop.counts() == []
    assert len(refusals()) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_many_misses_at_one_moment_as_many_get_through_as_the_budget_has(shop: Shop) -> None:
    raw = make_token(application=shop.merchant.application)
    with time_machine.travel(NOON, tick=False):
        answers = race(64, lambda number: ask(Caller(raw), f"{number:03}-id-{number}y").status_code)
    assert Counter(map(str, answers)) == {"404": 25, "429": 39}
    assert (shop.counts(), MerchantAlert.objects.count(), shop.left()) == ([(25, 39)], 1, 12)
    assert AuditEvent.objects.filter(event="merchant.alert").count() == 1


def test_a_refused_call_of_somebody_else_changes_nothing(shop: Shop) -> None:
    server = Caller(make_token(user=shop.ada, device=shop.phone))
    before = AuditEvent.objects.count()
    assert ask(server).status_code == 403
    assert AuditEvent.objects.count() == before + 1
    with nothing_changes():
        assert ask(Caller()).status_code == 401
