"""The dashboard: numbers that are counted, and only the parts that a role may see."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from devices.operations.activation import block_device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from portal.accounts.models import Bank
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.dashboard import _span
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def browser(bank: Bank, role: str) -> Client:
    return signed_in_client(make_staff(bank, role))


def test_tiles_count_the_banks_devices_and_lead_to_them(bank: Bank) -> None:
    ada = make_customer(bank)
    for status in ("ACTIVE", "ACTIVE", "ACTIVE", "PENDING", "BLOCKED", "RETIRED"):
        make_device(ada, status)
    make_device(make_customer(make_bank()))
    client = browser(bank, Role.SUPPORT)
    context = client.get("/").context
    assert [(tile["label"], tile["value"]) for tile in context["tiles"]] == [
        ("Pending", 1),
        ("Active", 3),
        ("Inactive", 0),
        ("Blocked", 1),
        ("Approvals", 0),
    ]
    for tile in context["tiles"][:4]:
        assert client.get(tile["url"]).context["count"] == tile["value"]
    assert {part.word: part.count for part in context["share"].parts}[DeviceStatus.RETIRED] == 1


def test_the_chart_has_fourteen_days_and_counts_actions_and_refusals(bank: Bank) -> None:
    device = make_device(make_customer(bank))
    operator = make_staff(bank)
    with time_machine.travel(clock.now() - timedelta(days=3)):
        block_device(actor=staff_actor(operator), device_id=str(device.pk), reason="Lost")
    client = browser(bank, Role.SUPPORT)
    client.get("/audit")
    answer = client.get("/")
    bars = answer.context["activity"].bars
    assert len(bars) == 14
    assert (bars[-4].lower, bars[-4].upper) == (1, 0)
    assert (bars[-1].lower, bars[-1].upper) == (0, 1)
    assert re.search(
        r'<svg[^>]*role="img"[^>]*aria-labelledby="activity-title activity-text"', answer.content.decode()
    )


def test_events_are_for_those_who_may_read_them(bank: Bank) -> None:
    device = make_device(make_customer(bank))
    block_device(actor=staff_actor(make_staff(bank)), device_id=str(device.pk), reason="Stolen")
    auditor = browser(bank, Role.AUDITOR).get("/")
    assert [event["event"] for event in auditor.context["events"]] == ["device.blocked"]
    assert auditor.context["events"][0]["object_url"] == f"/devices/{device.pk}"
    support = browser(bank, Role.SUPPORT).get("/")
    assert "events" not in support.context
    assert "Latest events" not in support.content.decode()


def test_the_administrator_gets_a_dashboard_without_devices(bank: Bank) -> None:
    make_device(make_customer(bank))
    answer = browser(bank, Role.ADMINISTRATOR).get("/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Devices by status" not in page
    assert "Background work" in page
    assert "/devices" not in page
    assert not AuditEvent.objects.exists()


def test_queues_say_what_waits(bank: Bank) -> None:
    queues = browser(bank, Role.SUPPORT).get("/").context["queues"]
    names = [queue["name"] for queue in queues]
    assert names == ["Messages", "Undelivered messages", "Audit sealing", "Worker", "Revocation lists"]
    assert queues[0] == {"name": "Messages", "state": "ok", "word": "On time", "note": "Nothing waits"}
    assert (queues[3]["state"], queues[3]["word"]) == ("down", "Stopped")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (47 * 3600, "47 h"), (172_800, "2 d")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert _span(seconds) == text
