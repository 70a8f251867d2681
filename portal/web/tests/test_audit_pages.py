"""The audit browser."""

import pytest
from django.db import connection
from django.test import Client

from devices.models import Device
from devices.operations.activation import activate_device, block_device, deactivate_device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.audit.sealing import seal_now
from portal.audit.testing import without_triggers
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def bea(bank: Bank) -> User:
    return make_staff(bank, Role.OPERATOR, "Bea", username="bea.lund")


@pytest.fixture
def device(bank: Bank, bea: User) -> Device:
    """A device that Bea switched off, switched on and blocked."""
    made = make_device(make_customer(bank), model="Pixel 9")
    for operation, reason in ((deactivate_device, "Lost"), (activate_device, "Found"), (block_device, "Stolen")):
        operation(
            actor=staff_actor(bea, ip="192.0.2.7", request_id="request-7"), device_id=str(made.pk), reason=reason
        )
    return made


@pytest.fixture
def uma(bank: Bank) -> Client:
    """The auditor's browser."""
    return signed_in_client(make_staff(bank, Role.AUDITOR, "Uma"))


def names(client: Client, query: str = "") -> list[str]:
    return [event["event"] for event in client.get(f"/audit{query}").context["events"]]


def test_the_newest_event_comes_first(uma: Client, device: Device) -> None:
    assert names(uma) == ["device.blocked", "device.activated", "device.deactivated"]


def test_filters_find_events(uma: Client, device: Device, bea: User) -> None:
    today = AuditEvent.objects.latest("id").at.date()
    for query, count in (
        ("?event=device.blocked", 1),
        ("?actor=bea.lund", 3),
        (f"?actor={bea.pk}", 3),
        (f"?actor={bea.public_id}", 3),
        ("?actor=nobody", 0),
        (f"?object={device.public_id}", 3),
        (f"?object={device.pk}", 3),
        ("?object=DEV_nonsense", 0),
        ("?outcome=refused", 0),
        (f"?since={today}", 3),
        (f"?until={today}", 3),
        (f"?since={today.replace(year=today.year + 1)}", 0),
        ("?since=never", 3),
        ("?event=nonsense&cursor=broken", 3),
    ):
        assert len(names(uma, query)) == count, query


def test_another_banks_events_are_not_there(uma: Client) -> None:
    stranger = make_staff(make_bank())
    foreign = make_device(make_customer(stranger.bank))
    block_device(actor=staff_actor(stranger), device_id=str(foreign.pk), reason="x")
    assert names(uma) == []
    assert uma.get(f"/audit/{AuditEvent.objects.get().pk}").status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"]


def test_pages_of_25_lose_no_event(uma: Client, device: Device, bea: User) -> None:
    activated = make_device(device.owner)
    for _ in range(20):
        deactivate_device(actor=staff_actor(bea), device_id=str(activated.pk), reason="off")
        activate_device(actor=staff_actor(bea), device_id=str(activated.pk), reason="on")
    first = uma.get("/audit?outcome=done")
    second = uma.get(first.context["pager"]["next_url"])
    ids = [event["id"] for page in (first, second) for event in page.context["events"]]
    assert (len(first.context["events"]), len(ids), len(set(ids))) == (25, 43, 43)
    assert second.context["pager"]["previous_url"].startswith("/audit?outcome=done&cursor=")


def test_htmx_gets_the_rows_alone(uma: Client, device: Device) -> None:
    part = uma.get("/audit", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert part.count("Device blocked") == 1


def test_an_event_shows_who_what_why_and_its_seal(uma: Client, device: Device) -> None:
    event = AuditEvent.objects.latest("id")
    before = uma.get(f"/audit/{event.pk}")
    assert before.context["seal"].sealed is False
    seal_now()
    answer = uma.get(f"/audit/{event.pk}")
    page = answer.content.decode()
    for text in ("Stolen", "192.0.2.7", "request-7", "before: ", str(device.pk), "device.blocked"):
        assert text in page, text
    seal = answer.context["seal"]
    assert (seal.sealed, seal.mac_ok, seal.position, seal.checkpoint_size) == (True, True, 2, 3)
    assert uma.get("/audit").context["seal"].waiting == 0


def test_an_edited_row_is_shown_as_broken(uma: Client, device: Device) -> None:
    event = AuditEvent.objects.latest("id")
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET reason = 'Given away' WHERE reason = 'Stolen'")
    answer = uma.get(f"/audit/{event.pk}")
    assert answer.context["seal"].mac_ok is False
    assert "This row is not as it was written." in answer.content.decode()


def test_reading_the_log_needs_the_right_and_leaves_one_event(bea: User, device: Device) -> None:
    event = AuditEvent.objects.latest("id")
    client = signed_in_client(bea)
    for number, path in enumerate(("/audit", f"/audit/{event.pk}"), 1):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "Stolen" not in answer.content.decode()
        assert refusals() == [("request.refused", "capability-missing", str(bea.pk), "")] * number
