"""The portal's pages about devices: arguments in, pages and messages out."""

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.operations.activation import activate_device, deactivate_device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
    staff_actor,
)
from portal.accounts.models import AccessToken, Bank, PortalSession, User
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def bank() -> Bank:
    return make_bank("harbour")


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank, "Ada", customer_number="MIGR00002")


@pytest.fixture
def bea(bank: Bank) -> Client:
    """Bea's browser; she is an operator."""
    return signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))


def browser_of(bank: Bank, role: str) -> Client:
    return signed_in_client(make_staff(bank, role, "Sam"))


def url(device: Device, step: str = "") -> str:
    return f"/devices/{device.pk}" + (f"/{step}" if step else "")


def told(client: Client, device: Device) -> list[str]:
    """The messages on the device's page."""
    return [str(message) for message in client.get(url(device)).context["messages"]]


def counted(queries: Sequence[dict[str, str]]) -> list[str]:
    """Statements that ask or change something, without those that only frame them."""
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return [query["sql"] for query in queries if not query["sql"].startswith(frame)]


def without_token(page: str) -> str:
    """The page without its forms' tokens, which differ each time."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


# The list


def names(client: Client, query: str) -> list[str]:
    return [row["public_id"] for row in client.get(f"/devices{query}").context["devices"]]


def test_search_finds_by_id_customer_last_four_and_model(bea: Client, ada: User) -> None:
    device = make_device(ada, external_id="352099001769876", model="Pixel 9")
    make_device(make_customer(ada.bank), model="iPhone 15")
    for text in (device.public_id, str(device.pk), "MIGR00002", ada.public_id, "9876", "pixel", "352099001769876"):
        assert names(bea, f"?q={text}") == [device.public_id], text
    assert names(bea, "?q=nothing") == []


def test_filters_narrow_and_unknown_words_do_not(bea: Client, ada: User) -> None:
    active, blocked = make_device(ada), make_device(ada, DeviceStatus.BLOCKED)
    card = make_device(ada, kind="payment-card", external_id="")
    assert names(bea, "?status=BLOCKED") == [blocked.public_id]
    assert names(bea, "?kind=payment-card") == [card.public_id]
    assert set(names(bea, "?category=owned")) == {active.public_id, blocked.public_id}
    assert len(names(bea, "?status=NONSENSE")) == 3


def test_another_banks_devices_are_not_listed(bea: Client, ada: User) -> None:
    stranger = make_device(make_customer(make_bank()))
    assert names(bea, "") == []
    assert names(bea, f"?q={stranger.public_id}") == []


def test_htmx_gets_the_rows_alone(bea: Client, ada: User) -> None:
    make_device(ada)
    part = without_token(bea.get("/devices", headers={"HX-Request": "true"}).content.decode())
    assert "<html" not in part
    assert part.count("<tr>") == 2
    whole = without_token(bea.get("/devices").content.decode())
    assert "<html" in whole
    assert part.strip() in whole


def test_pages_keep_their_filters_and_lose_no_device(bea: Client, ada: User) -> None:
    made = {make_device(ada).public_id for _ in range(30)}
    make_device(ada, DeviceStatus.BLOCKED)
    first = bea.get("/devices?status=ACTIVE")
    next_url = first.context["pager"]["next_url"]
    assert next_url.startswith("/devices?status=ACTIVE&cursor=")
    second = bea.get(next_url)
    found = [row["public_id"] for page in (first, second) for row in page.context["devices"]]
    assert (len(found), set(found)) == (30, made)
    assert second.context["pager"]["next_url"] == ""
    back = bea.get(second.context["pager"]["previous_url"])
    assert back.context["devices"] == first.context["devices"]


def test_a_broken_cursor_is_the_first_page(bea: Client, ada: User) -> None:
    device = make_device(ada)
    assert names(bea, "?cursor=%00nonsense") == [device.public_id]


@pytest.mark.parametrize("count", [10, 10_000])
def test_the_list_takes_six_queries_at_most(bea: Client, ada: User, count: int) -> None:
    Device.objects.bulk_create(
        Device(
            bank_id=ada.bank_id,
            owner=ada,
            status=DeviceStatus.PENDING,
            category="owned",
            kind="mobile",
            registered_at=ada.created_at,
            updated_at=ada.created_at,
        )
        for _ in range(count)
    )
    # Five, and a sixth once a minute: when the session was last seen.
    PortalSession.objects.update(last_seen_at=clock.now() - timedelta(minutes=2))
    for query, allowed in (("", 6), ("?q=iPhone", 5), ("?q=MIGR00002&status=PENDING", 5)):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert bea.get(f"/devices{query}").status_code == 200
        assert len(counted(captured.captured_queries)) == allowed, query


# The page of one device


def test_the_page_shows_owner_posture_key_sessions_and_timeline(bea: Client, ada: User) -> None:
    device = make_device(ada, nickname="Ada's phone", external_id="352099001769876")
    key = make_key(device)
    make_token(user=ada, device=device)
    bea.post(url(device, "deactivate"), {"reason": "Lost at the beach"})
    make_token(user=ada, device=device)
    answer = bea.get(url(device))
    page = answer.content.decode()
    for text in ("MIGR00002", device.public_id, ada.public_id, "Lost at the beach", "Ada&#x27;s phone", "9876"):
        assert text in page, text
    assert "352099001769876" not in page
    assert answer.context["keys"][0]["fingerprint"] == key.fingerprint
    assert len(answer.context["sessions"]) == 1
    (event,) = answer.context["events"]
    assert (event["event"], event["reason"]) == ("device.deactivated", "Lost at the beach")
    assert (event["before"]["status"], event["after"]["status"]) == ("ACTIVE", "INACTIVE")
    assert [line["good"] for line in answer.context["posture"]] == [False, True, False]


def test_another_banks_device_is_as_unknown_and_written_once(bea: Client) -> None:
    foreign = make_device(make_customer(make_bank()))
    for path in (url(foreign), f"/devices/{'0' * 8}-0000-4000-8000-{'0' * 12}"):
        before = AuditEvent.objects.count()
        answer = bea.get(path)
        assert answer.status_code == 404
        assert "There is no such page, or it is not yours to see." in answer.content.decode()
        assert AuditEvent.objects.count() == before + 1
    assert [(event, code, about) for event, code, _, about in refusals()] == [
        ("request.refused", "not-found", ""),
        ("request.refused", "not-found", ""),
    ]


def test_a_role_without_the_right_gets_no_device_and_one_event(bank: Bank, ada: User) -> None:
    device = make_device(ada)
    max_ = make_staff(bank, Role.ADMINISTRATOR, "Max")
    client = signed_in_client(max_)
    for number, path in enumerate(("/devices", url(device), url(device, "block")), 1):
        answer = client.get(path)
        assert answer.status_code == 403
        assert device.public_id not in answer.content.decode()
        assert len(refusals()) == number
    assert {(code, actor) for _, code, actor, _ in refusals()} == {("capability-missing", str(max_.pk))}


def test_what_is_not_possible_says_who_can_grant_it(bank: Bank, ada: User) -> None:
    page = browser_of(bank, Role.SUPPORT).get(url(make_device(ada))).content.decode()
    assert "Deactivate is not possible now." in page
    assert "This needs the right “activate and deactivate devices”." in page
    assert "operator, security officer" in page
    assert "/deactivate" not in page


def test_a_blocked_device_says_that_a_second_person_is_needed(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.BLOCKED)
    page = bea.get(url(device)).content.decode()
    assert "Ask to activate" in page
    assert url(device, "activate") in page
    form = bea.get(url(device, "activate"))
    assert form.status_code == 200
    assert "This device is blocked and held by the bank. It takes a second person." in form.content.decode()
    assert refusals() == []


def test_a_retired_device_offers_nothing(bea: Client, ada: User) -> None:
    answer = bea.get(url(make_device(ada, DeviceStatus.RETIRED)))
    assert answer.context["actions"] == []


def test_hostile_names_are_text(bea: Client, ada: User) -> None:
    ada.name = HOSTILE
    ada.save()
    device = make_device(ada, nickname=HOSTILE, model=HOSTILE, operating_system=f'"onload={HOSTILE}')
    for path in ("/devices", url(device), url(device, "block")):
        page = bea.get(path).content.decode()
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


# Steps


def test_the_preview_counts_what_then_really_ends(bea: Client, ada: User) -> None:
    device = make_device(ada)
    for _ in range(2):
        make_token(user=ada, device=device)
    make_token(user=ada)
    preview = bea.get(url(device, "deactivate")).context["preview"]
    assert preview == [{"count": 2, "text": "open sessions are ended"}]
    answer = bea.post(url(device, "deactivate"), {"reason": "Reported lost"})
    assert (answer.status_code, answer["Location"]) == (302, url(device))
    assert told(bea, device) == ["The device was deactivated. 2 sessions were ended."]
    assert AccessToken.objects.live().filter(device=device).count() == 0
    assert AccessToken.objects.live().filter(user=ada).count() == 1


def test_one_session_is_told_in_the_singular(bea: Client, ada: User) -> None:
    device = make_device(ada)
    make_token(user=ada, device=device)
    assert bea.get(url(device, "block")).context["preview"] == [{"count": 1, "text": "open session is ended"}]
    bea.post(url(device, "block"), {"reason": "Stolen"})
    assert told(bea, device) == ["The device was blocked. 1 session was ended."]


def test_activation_tells_and_is_written_with_its_reason(bank: Bank, ada: User) -> None:
    device = make_device(ada, DeviceStatus.PENDING)
    staff = make_staff(bank)
    client = signed_in_client(staff)
    client.post(url(device, "activate"), {"reason": "  Seen at\r\nthe branch "})
    device.refresh_from_db()
    assert device.status == DeviceStatus.ACTIVE
    assert told(client, device) == ["The device was activated."]
    event = AuditEvent.objects.get()
    assert (event.event, event.reason, event.actor_id, event.channel) == (
        "device.activated",
        "Seen at the branch",
        str(staff.pk),
        "portal",
    )


def test_a_repeat_says_that_nothing_changed(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.INACTIVE)
    bea.post(url(device, "deactivate"), {"reason": "Again"})
    assert told(bea, device) == ["Nothing has changed: the device was deactivated already."]
    assert not AuditEvent.objects.exists()


def test_what_the_owner_switched_off_the_bank_can_make_its_own(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.INACTIVE, held_by=HeldBy.OWNER)
    offered = [step["name"] for step in bea.get(url(device)).context["actions"]]
    assert offered == ["activate", "deactivate", "block", "report-lost"]
    bea.post(url(device, "deactivate"), {"reason": "Court order"})
    device.refresh_from_db()
    assert device.held_by == HeldBy.BANK
    assert [step["name"] for step in bea.get(url(device)).context["actions"]] == ["activate", "block", "report-lost"]


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("", "This is required."),
        ("   ", "This is required."),
        ("x" * 501, "at most 500"),
        ("a\u0007b", "cannot be shown"),
    ],
)
def test_a_bad_reason_changes_nothing_and_is_written_once(bea: Client, ada: User, reason: str, says: str) -> None:
    device = make_device(ada)
    answer = bea.post(url(device, "deactivate"), {"reason": reason})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    device.refresh_from_db()
    assert device.status == DeviceStatus.ACTIVE
    assert [(code, about) for _, code, _, about in refusals()] == [("invalid-input", str(device.pk))]


def test_a_state_that_does_not_allow_it_is_said_on_the_form(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.PENDING)
    answer = bea.post(url(device, "deactivate"), {"reason": "Off"})
    assert answer.status_code == 409
    assert "A device that is pending cannot become inactive." in answer.content.decode()
    assert [(code, about) for _, code, _, about in refusals()] == [("device-status-not-valid", str(device.pk))]


def test_lifting_the_banks_block_needs_a_second_person(bea: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.BLOCKED)
    answer = bea.post(url(device, "activate"), {"reason": "Found again"})
    assert (answer.status_code, answer["Location"]) == (302, url(device))
    device.refresh_from_db()
    assert device.status == DeviceStatus.BLOCKED
    assert refusals() == []
    assert [event.event for event in AuditEvent.objects.all()] == ["approval.requested"]
    page = bea.get(url(device))
    assert [str(message) for message in page.context["messages"]][0].startswith("This device is blocked and held")
    assert [entry["label"] for entry in page.context["waiting"]] == ["Activate a device"]
    assert [step["name"] for step in page.context["actions"]] == ["deactivate", "report-lost"]  # not asked for twice


@pytest.mark.parametrize("step", ["activate", "deactivate", "block"])
def test_a_step_without_the_right_changes_nothing(bank: Bank, ada: User, step: str) -> None:
    device = make_device(ada)
    client = browser_of(bank, Role.SUPPORT)
    for answer in (client.get(url(device, step)), client.post(url(device, step), {"reason": "Please"})):
        assert answer.status_code == 403
    device.refresh_from_db()
    assert device.status == DeviceStatus.ACTIVE
    assert [(code, about) for _, code, _, about in refusals()] == [("capability-missing", str(device.pk))] * 2


def test_a_foreign_device_cannot_be_switched(bea: Client) -> None:
    foreign = make_device(make_customer(make_bank()))
    assert bea.post(url(foreign, "block"), {"reason": "Mine"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.status == DeviceStatus.ACTIVE
    assert len(refusals()) == 1


def test_steps_need_a_post_with_a_token(bank: Bank, ada: User) -> None:
    device = make_device(ada)
    client = signed_in_client(make_staff(bank), enforce_csrf_checks=True)
    assert client.post(url(device, "block"), {"reason": "Forged"}).status_code == 403
    assert client.put(url(device, "block")).status_code in {403, 405}
    device.refresh_from_db()
    assert device.status == DeviceStatus.ACTIVE


def test_a_long_timeline_leads_on_to_the_audit_browser(bank: Bank, ada: User) -> None:
    device = make_device(ada)
    operator = staff_actor(make_staff(bank))
    for _ in range(16):
        deactivate_device(actor=operator, device_id=str(device.pk), reason="off")
        activate_device(actor=operator, device_id=str(device.pk), reason="on")
    auditor = browser_of(bank, Role.AUDITOR).get(url(device))
    assert len(auditor.context["events"]) == 30
    assert auditor.context["timeline_url"] == f"/audit?object={device.public_id}"
    assert browser_of(bank, Role.SUPPORT).get(url(device)).context["timeline_url"] == ""
