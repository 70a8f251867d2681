"""The portal's pages about transfers: arguments in, pages and messages out."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Kind, Transfer
from devices.operations import severing
from devices.operations.transfer_acceptance import sweep_transfers
from devices.screens import transfers as screens
from devices.states import TransferState
from devices.tests.factories import (
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_transfer,
    staff_actor,
)
from devices.tests.moving import ALL_CUT, make_furnished, messages, reachable
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import code_at, enrol
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank(), "Ada", customer_number="MIGR00002")


@pytest.fixture
def cem(ada: User) -> User:
    return reachable(make_customer(ada.bank, "Cem", customer_number="MIGR00003"))


@pytest.fixture
def bea(ada: User) -> Client:
    """An operator's browser: she asks and calls off."""
    return signed_in_client(make_staff(ada.bank, Role.OPERATOR, "Bea"))


@pytest.fixture
def avi(ada: User) -> User:
    return make_staff(ada.bank, Role.APPROVER, "Avi")


@pytest.fixture
def seed(avi: User) -> str:
    """The secret of Avi's authenticator app."""
    return enrol(avi)[0]


@pytest.fixture
def browser(avi: User, seed: str) -> Client:
    return signed_in_client(avi)


def url(transfer: Transfer, step: str = "") -> str:
    return f"/transfers/{transfer.pk}" + (f"/{step}" if step else "")


def told(client: Client, path: str) -> list[str]:
    return [str(message) for message in client.get(path).context["messages"]]


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return len([query for query in captured.captured_queries if not query["sql"].startswith(frame)])


# The inbox.


def ids_on(client: Client, query: str = "") -> list[str]:
    return [row["public_id"] for row in client.get(f"/transfers{query}").context["transfers"]]


def test_the_inbox_counts_what_waits_and_links_to_it(bea: Client, ada: User, cem: User) -> None:
    for state, number in (("PENDING_APPROVAL", 3), ("APPROVED", 2), ("ACCEPTED", 1), ("COMPLETED", 4)):
        for _ in range(number):
            make_transfer(make_device(ada), cem, state)
    stranger = make_customer(make_bank())
    make_transfer(make_device(stranger), make_customer(stranger.bank))
    tiles = bea.get("/transfers").context["counts"]
    assert [(tile["label"], tile["value"]) for tile in tiles] == [
        ("Waiting for approval", 3),
        ("Waiting for the new owner", 2),
        ("Waiting for its date", 1),
    ]
    assert [len(ids_on(bea, tile["url"].removeprefix("/transfers"))) for tile in tiles] == [3, 2, 1]
    assert len(ids_on(bea)) == 10


def test_search_finds_by_transfer_device_and_either_person(bea: Client, ada: User, cem: User) -> None:
    device = make_device(ada, external_id="352099001769876")
    transfer = make_transfer(device, cem)
    make_transfer(make_device(make_customer(ada.bank)), make_customer(ada.bank))
    names = [transfer.public_id, device.public_id, str(device.pk), "352099001769876"]
    for text in (*names, "MIGR00002", "MIGR00003", ada.public_id, cem.public_id):
        assert ids_on(bea, f"?q={text}") == [transfer.public_id], text
    assert ids_on(bea, "?q=nothing") == []
    assert len(ids_on(bea, "?state=NONSENSE")) == 2


def test_pages_lose_no_transfer_and_keep_the_filter(bea: Client, ada: User, cem: User) -> None:
    made = {make_transfer(make_device(ada), cem).public_id for _ in range(30)}
    first = bea.get("/transfers?state=APPROVED")
    second = bea.get(first.context["pager"]["next_url"])
    found = [row["public_id"] for page in (first, second) for row in page.context["transfers"]]
    assert (len(found), set(found), second.context["pager"]["next_url"]) == (30, made, "")
    assert ids_on(bea, "?cursor=%00nonsense") == ids_on(bea)


def test_htmx_gets_the_rows_alone(bea: Client, ada: User, cem: User) -> None:
    make_transfer(make_device(ada), cem)
    part = bea.get("/transfers", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert part.count("<tr>") == 2


@pytest.mark.parametrize("number", [1, 25])
def test_the_inbox_costs_the_same_however_long(number: int, browser: Client, ada: User, cem: User) -> None:
    for _ in range(number):
        make_transfer(make_device(ada), cem)
    browser.get("/transfers")
    # Session, person, authenticator; two counts in the menu; the counts of the tiles, and the list.
    assert statements(browser, "/transfers") == 7


def test_the_menu_marks_this_page_and_counts_for_who_decides(
    browser: Client, bea: Client, ada: User, cem: User
) -> None:
    make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    entries = {client: client.get("/transfers").context["nav"] for client in (browser, bea)}
    for client, count in ((browser, 1), (bea, 0)):
        [current] = [entry for entry in entries[client] if entry["current"]]
        assert (current["label"], current["count"]) == ("Transfers", count)
    [current] = [entry["label"] for entry in bea.get("/devices").context["nav"] if entry["current"]]
    assert current == "Devices"


# One transfer.


def test_the_page_shows_who_what_and_how_far(bea: Client, ada: User, cem: User) -> None:
    phone = make_furnished(ada)
    transfer = make_transfer(phone, cem, reason=HOSTILE, effective_at=datetime(2199, 1, 1, tzinfo=UTC))
    answer = bea.get(url(transfer))
    page = answer.content.decode()
    for text in ("MIGR00002", "MIGR00003", transfer.public_id, "Avi", "1 Jan 2199, 00:00 UTC"):
        assert text in page, text
    assert HOSTILE not in page
    assert [(step["label"], step["tone"], step["now"]) for step in answer.context["way"]] == [
        ("Asked for", "good", False),
        ("Approved", "good", False),
        ("Accepted", "wait", True),
        ("Completed", "off", False),
    ]
    assert [line["count"] for line in answer.context["cuts"]] == list(ALL_CUT.values())
    assert "12345678" not in page
    assert phone.external_id not in page


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("PENDING_APPROVAL", ["good", "wait", "off", "off"]),
        ("APPROVED", ["good", "good", "wait", "off"]),
        ("ACCEPTED", ["good", "good", "good", "wait"]),
        ("COMPLETED", ["good", "good", "good", "good"]),
        ("CANCELLED", ["good", "off"]),
        ("EXPIRED", ["good", "off"]),
    ],
)
def test_the_way_of_each_state(state: str, steps: list[str], ada: User, cem: User) -> None:
    assert [step["tone"] for step in screens.way(make_transfer(make_device(ada), cem, state))] == steps


def test_a_rejection_is_no_approval_and_declining_comes_after_one(ada: User, cem: User) -> None:
    rejected = make_transfer(make_device(ada), cem, TransferState.REJECTED)
    assert [step["label"] for step in screens.way(rejected)] == ["Asked for", "Approved", "Rejected"]
    rejected.code_digest = ""
    assert [step["label"] for step in screens.way(rejected)] == ["Asked for", "Rejected"]


def test_a_completed_one_shows_what_it_cut(bea: Client, ada: User, cem: User) -> None:
    phone = make_furnished(ada)
    transfer = make_transfer(phone, cem, TransferState.ACCEPTED, effective_at=clock.now())
    before = bea.get(url(transfer)).context["cuts"]
    assert screens.counts(staff_actor(make_staff(ada.bank)))[2]["value"] == 1
    sweep_transfers()
    answer = bea.get(url(transfer))
    assert answer.context["cuts"] == before
    assert set(severing.preview(Device.objects.get()).counts.values()) == {0}
    [event] = [row for row in answer.context["events"] if row["event"] == "transfer.completed"]
    assert event["before"]["owner"] == "Ada"
    assert event["after"] == {"owner": "Cem", "transfer_state": "Completed"}


def test_another_banks_transfer_is_as_unknown(bea: Client) -> None:
    stranger = make_customer(make_bank())
    foreign = make_transfer(make_device(stranger), make_customer(stranger.bank))
    unknown = Transfer(pk=stranger.pk)
    for transfer in (foreign, unknown):
        assert bea.get(url(transfer)).status_code == 404
        for step in ("decide", "cancel"):
            assert bea.post(url(transfer, step), {"reason": "x", "code": "123456"}).status_code == 404
    assert {(event, code, about) for event, code, _, about in refusals()} == {("request.refused", "not-found", "")}
    assert len(refusals()) == 6


def test_a_role_without_devices_sees_nothing(ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem)
    max_ = signed_in_client(make_staff(ada.bank, Role.ADMINISTRATOR, "Max"))
    paths = ["/transfers", url(transfer), f"/devices/{transfer.device_id}/transfer"]
    for number, path in enumerate(paths, 1):
        assert max_.get(path).status_code == 403
        assert len(refusals()) == number


# Deciding.


def test_an_approver_approves_with_a_code(browser: Client, seed: str, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    page = browser.get(url(transfer)).content.decode()
    assert "Approve" in page
    body = {"decision": "approve", "code": code_at(seed), "reason": "Seen in\r\nthe branch"}
    answer = browser.post(url(transfer, "decide"), body)
    assert (answer.status_code, answer["Location"]) == (302, url(transfer))
    assert told(browser, url(transfer)) == ["The transfer was approved. The new owner gets the acceptance code."]
    transfer.refresh_from_db()
    assert transfer.state == "APPROVED"
    assert AuditEvent.objects.get(event="transfer.approved").reason == "Seen in the branch"
    assert len(messages("transfer-code")) == 1


def test_an_approver_rejects_with_a_reason(browser: Client, seed: str, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    answer = browser.post(url(transfer, "decide"), {"decision": "reject", "code": code_at(seed), "reason": "No"})
    assert answer.status_code == 302
    transfer.refresh_from_db()
    assert (transfer.state, transfer.end_reason) == ("REJECTED", "No")


def test_a_wrong_code_decides_nothing_and_is_written_once(browser: Client, seed: str, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    wrong = "000000" if code_at(seed) != "000000" else "000001"
    answer = browser.post(url(transfer, "decide"), {"decision": "approve", "code": wrong})
    assert answer.status_code == 422
    assert "The code is not right, or was used before." in answer.content.decode()
    transfer.refresh_from_db()
    assert transfer.state == "PENDING_APPROVAL"
    assert [(event, code) for event, code, _, _ in refusals()] == [("second-factor.refused", "second-factor-wrong")]


def test_a_refusal_that_was_certain_uses_up_no_code(browser: Client, seed: str, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem)
    code = code_at(seed)
    answer = browser.post(url(transfer, "decide"), {"decision": "reject", "code": code, "reason": "No"})
    assert answer.status_code == 409
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "already-decided")]
    other = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    answer = browser.post(url(other, "decide"), {"decision": "reject", "code": code, "reason": "No"})
    assert answer.status_code == 302


def test_who_asked_is_told_that_somebody_else_decides(ada: User, cem: User, avi: User, browser: Client) -> None:
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL, requested_by=avi)
    page = browser.get(url(transfer)).content.decode()
    assert "Whoever asked cannot decide. Somebody else has to." in page
    assert 'value="approve"' not in page
    answer = browser.post(url(transfer, "decide"), {"decision": "approve", "code": "123456"})
    assert answer.status_code == 403
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "maker-is-checker")]
    transfer.refresh_from_db()
    assert transfer.state == "PENDING_APPROVAL"


def test_who_may_not_decide_is_told_who_may(bea: Client, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)
    page = bea.get(url(transfer)).content.decode()
    assert "Roles that have it: approver" in page
    assert 'value="approve"' not in page
    assert bea.post(url(transfer, "decide"), {"decision": "approve", "code": "123456"}).status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]


# Calling off.


def test_an_operator_calls_it_off_with_a_reason(bea: Client, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem)
    answer = bea.post(url(transfer, "cancel"), {"cancel-reason": ""})
    assert (answer.status_code, answer.context["cancel_form"].errors["reason"]) == (422, ["This is required."])
    assert len(refusals()) == 1
    answer = bea.post(url(transfer, "cancel"), {"cancel-reason": "Asked by phone"})
    assert (answer.status_code, told(bea, url(transfer))) == (302, ["The transfer was cancelled."])
    transfer.refresh_from_db()
    assert (transfer.state, transfer.end_reason) == ("CANCELLED", "Asked by phone")


def test_a_get_at_a_step_goes_to_the_transfer(bea: Client, ada: User, cem: User) -> None:
    transfer = make_transfer(make_device(ada), cem)
    for step in ("decide", "cancel"):
        answer = bea.get(url(transfer, step))
        assert (answer.status_code, answer["Location"]) == (302, url(transfer))


# Asking.


def test_an_operator_asks_on_the_owners_behalf(bea: Client, ada: User, cem: User) -> None:
    phone = make_device(ada)
    path = f"/devices/{phone.pk}/transfer"
    page = bea.get(path).content.decode()
    assert set(re.findall(r'name="(\w+)"', page)) >= {"new_owner_id", "effective_date", "reason"}
    day = (clock.now() + timedelta(days=3)).date()
    body = {"new_owner_id": "MIGR00003", "effective_date": day.isoformat(), "reason": "Inherited"}
    answer = bea.post(path, body)
    transfer = Transfer.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, url(transfer))
    assert (transfer.new_owner, transfer.reason, transfer.state) == (cem, "Inherited", "PENDING_APPROVAL")
    assert transfer.effective_at == datetime.combine(day, datetime.min.time(), UTC)
    assert transfer.requested_by is not None
    assert bea.get(path).status_code == 200


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"new_owner_id": "nobody"}, "__all__", 404),
        ({"new_owner_id": "MIGR00002"}, "new_owner_id", 422),
        ({"new_owner_id": ""}, "new_owner_id", 422),
        ({"effective_date": "2999-01-01"}, "effective_date", 422),
        ({"effective_date": "soon"}, "effective_date", 422),
        ({"reason": ""}, "reason", 422),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    change: dict[str, str], field: str, status: int, bea: Client, ada: User, cem: User
) -> None:
    body = {"new_owner_id": "MIGR00003", "reason": "Inherited"} | change
    answer = bea.post(f"/devices/{make_device(ada).pk}/transfer", body)
    assert (answer.status_code, list(answer.context["form"].errors)) == (status, [field])
    assert Transfer.objects.count() == 0


def test_cards_foreign_devices_and_devices_that_are_off_have_no_form(bea: Client, ada: User) -> None:
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    foreign = make_device(make_customer(make_bank()))
    off = make_device(ada, "BLOCKED")
    answers = [bea.get(f"/devices/{device.pk}/transfer").status_code for device in (card, foreign, off)]
    assert answers == [404, 404, 409]
    assert [code for _, code, _, _ in refusals()] == ["not-found", "not-found", "device-not-active"]


# The card on the device's page.


def test_the_card_offers_shows_or_says_why_not(ada: User, cem: User) -> None:
    bea, sam = staff_actor(make_staff(ada.bank)), staff_actor(make_staff(ada.bank, Role.SUPPORT))
    phone = make_device(ada)
    card = screens.card(bea, phone)
    assert card is not None
    assert card["start"] == {
        "label": "A transfer",
        "allowed": True,
        "message": "",
        "way_out": "",
        "who": "",
        "rule": "",
        "url": f"/devices/{phone.pk}/transfer",
    }
    refused = screens.card(sam, phone)
    assert refused is not None
    assert refused["start"]["who"] == "operator"  # type: ignore[index]
    transfer = make_transfer(phone, cem)
    shown = screens.card(bea, phone)
    assert shown is not None
    assert shown["open"]["url"] == url(transfer)  # type: ignore[index]
    assert screens.card(bea, make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")) is None
