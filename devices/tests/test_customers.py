"""The customers of a bank, and everything of one of them on one screen."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, DevicePin, IssuedDetails
from devices.operations.loss import report_lost, undo_loss
from devices.queries.customers import holdings_of
from devices.screens.cards import card_mark
from devices.states import DeviceStatus, HeldBy, TransferState
from devices.tests.factories import (
    customer_actor,
    make_bank,
    make_card,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from devices.tests.life import hang_everything_on, make_fingerprint, make_transfer
from portal import vault
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import ApprovalRequired
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank, "Ada Okafor", customer_number="MIGR00002")


@pytest.fixture
def bea(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank))


def names(client: Client, query: str = "") -> list[str]:
    return [row["name"] for row in client.get(f"/customers{query}").context["customers"]]


def page(client: Client, customer: User) -> Any:
    return client.get(f"/customers/{customer.pk}")


# The list


def test_search_finds_by_number_name_and_id(bea: Client, ada: User, bank: Bank) -> None:
    make_customer(bank, "Tunde Bello", customer_number="HB-100417")
    for text in ("MIGR00002", "MIGR", "ada", "Oka", "okafor", ada.public_id, " Ada "):
        assert names(bea, f"?q={text}") == ["Ada Okafor"], text
    for text in ("kafor", "00002", "nobody", "%", "USR_"):
        assert names(bea, f"?q={text}") == [], text
    assert set(names(bea)) == {"Ada Okafor", "Tunde Bello"}


def test_each_has_the_number_of_things_in_use(bea: Client, ada: User, bank: Bank) -> None:
    make_device(ada)
    make_device(ada, kind="payment-card")
    make_device(ada, DeviceStatus.RETIRED)
    make_customer(bank, "Cem")
    rows = bea.get("/customers").context["customers"]
    assert {row["name"]: row["in_use"] for row in rows} == {"Ada Okafor": 2, "Cem": 0}


def test_staff_and_other_banks_are_not_listed(bea: Client) -> None:
    stranger = make_customer(make_bank(), "Cem")
    assert names(bea) == []
    assert names(bea, f"?q={stranger.public_id}") == []


def test_pages_keep_the_search_and_lose_nobody(bea: Client, bank: Bank) -> None:
    made = {make_customer(bank, f"Ada {number}").public_id for number in range(30)}
    make_customer(bank, "Cem")
    first = bea.get("/customers?q=ada")
    second = bea.get(first.context["pager"]["next_url"])
    found = [row["public_id"] for answer in (first, second) for row in answer.context["customers"]]
    assert (len(found), set(found)) == (30, made)
    assert second.context["pager"]["next_url"] == ""


def test_htmx_gets_the_rows_alone(bea: Client, ada: User) -> None:
    part = bea.get("/customers", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert part.count("<tr>") == 2


@pytest.mark.parametrize("count", [1, 25])
def test_the_list_costs_the_same_however_long(bea: Client, bank: Bank, count: int) -> None:
    for number in range(count):
        make_device(make_customer(bank, f"Ada {number}"))
    bea.get("/customers")
    with at_most(7):
        bea.get("/customers")


# One customer


def test_one_screen_has_everything_of_a_customer(bea: Client, ada: User, bank: Bank) -> None:
    phone = make_device(ada, nickname="Ada's phone", push_handle="handle")
    hang_everything_on(phone)
    card = make_device(ada, kind="payment-card", external_id="")
    IssuedDetails.objects.create(device=card, bank=bank, reference="REF-1", number_start="411111", number_end="1111")
    hang_everything_on(make_device(make_customer(bank, "Cem")))
    found = page(bea, ada).context

    assert [(one["public_id"], one["pin"], one["sessions"]) for one in found["phones"]] == [
        (phone.public_id, "pin-set", 2)
    ]
    assert [one["number"] for one in found["cards"]] == ["411111••••••1111"]
    assert [one["device"] for one in found["fingerprints"]] == ["IP-6S"]
    assert [one["device"]["public_id"] for one in found["transfers"]] == [phone.public_id]
    assert {tile["label"]: tile["value"] for tile in found["tiles"]} == {
        "In use": 2,
        "Switched off": 0,
        "Locked PINs": 0,
        "Live sessions": 2,
    }


def test_a_lost_device_a_locked_pin_and_a_request_are_seen_at_once(bea: Client, ada: User, bank: Bank) -> None:
    lost, locked = make_device(ada), make_device(ada)
    now = clock.now()
    DevicePin.objects.create(device=locked, digest="x", failures=5, locked_at=now, created_at=now, changed_at=now)
    report_lost(actor=customer_actor(ada), device_id=str(lost.pk))
    with pytest.raises(ApprovalRequired):
        undo_loss(actor=staff_actor(make_staff(bank)), device_id=str(lost.pk), reason="Found")
    answer = page(bea, ada)
    assert {one["public_id"]: (one["lost"], one["pin"]) for one in answer.context["phones"]} == {
        lost.public_id: (True, "no-pin"),
        locked.public_id: (False, "pin-locked"),
    }
    assert [one["label"] for one in answer.context["waiting"]] == [f"Undo a loss report ({lost})"]
    tiles = {tile["label"]: tile["value"] for tile in answer.context["tiles"]}
    assert (tiles["Switched off"], tiles["Locked PINs"]) == (1, 1)
    assert "Undo a loss report" in answer.content.decode()


def test_the_timeline_is_that_of_all_their_devices(bea: Client, ada: User, bank: Bank) -> None:
    first, second = make_device(ada), make_device(ada, model="Pixel 9")
    for device in (first, second):
        report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    report_lost(actor=staff_actor(make_staff(bank)), device_id=str(make_device(make_customer(bank)).pk), reason="x")
    answer = page(bea, ada)
    assert [(event["event"], event["object_label"]) for event in answer.context["events"]] == [
        ("device.lost", str(second)),
        ("device.lost", str(first)),
    ]
    assert f'<a href="/devices/{second.pk}">{second}</a>' in answer.content.decode()


def test_a_device_that_changed_hands_is_the_new_owners(bea: Client, ada: User, bank: Bank) -> None:
    cem = make_customer(bank, "Cem")
    device = make_device(ada)
    make_transfer(device, cem, TransferState.CANCELLED)
    Device.objects.filter(pk=device.pk).update(owner=cem)
    assert page(bea, ada).context["phones"] == []
    assert [one["public_id"] for one in page(bea, cem).context["phones"]] == [device.public_id]
    for person in (ada, cem):  # both see that there was a transfer
        assert len(page(bea, person).context["transfers"]) == 1


def test_contacts_stay_sealed(bea: Client, ada: User) -> None:
    ada.phone_sealed = vault.seal("user.phone", ada.pk, "+12025550143")
    ada.save()
    answer = page(bea, ada)
    assert "12025550143" not in answer.content.decode()
    assert (answer.context["customer"]["has_phone"], answer.context["customer"]["has_email"]) == (True, False)


def test_strangers_and_staff_have_no_such_page(bea: Client, bank: Bank) -> None:
    for person in (make_customer(make_bank(), "Cem"), make_staff(bank)):
        assert page(bea, person).status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 2


def test_a_role_without_the_right_gets_no_customer_and_one_event(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Max"))
    for answer in (client.get("/customers"), page(client, ada)):
        assert answer.status_code == 403
        assert ada.public_id not in answer.content.decode()
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 2


def test_a_refused_call_names_nobody_but_the_person(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Max"))
    page(client, ada)
    assert ada.name not in AuditEvent.objects.get().object_label


def test_the_menu_leads_there(bea: Client) -> None:
    nav = {entry["label"]: entry["current"] for entry in bea.get("/customers").context["nav"]}
    assert (nav["Customers"], nav["Devices"]) == (True, False)


def test_hostile_names_are_text(bea: Client, ada: User) -> None:
    hostile = "<script>alert(1)</script>"
    ada.name = hostile
    ada.save()
    make_device(ada, nickname=hostile, model=hostile)
    for answer in (bea.get("/customers"), page(bea, ada)):
        assert hostile not in answer.content.decode()
        assert "&lt;script&gt;" in answer.content.decode()


@pytest.mark.parametrize("many", [1, 20])
def test_the_screen_costs_the_same_however_much_there_is(bea: Client, ada: User, bank: Bank, many: int) -> None:
    for number in range(many):
        phone = make_device(ada)
        make_token(user=ada, device=phone)
        make_fingerprint(phone, f"{number:064x}")
        make_transfer(phone, make_customer(bank, "Cem"))
        card = make_device(ada, kind="payment-card")
        IssuedDetails.objects.create(device=card, bank=bank)
        report_lost(actor=customer_actor(ada), device_id=str(phone.pk))
    page(bea, ada)
    with at_most(13):
        page(bea, ada)


def test_more_than_fifty_devices_lead_on_to_the_list(bea: Client, ada: User) -> None:
    for _ in range(51):
        make_device(ada)
    answer = page(bea, ada)
    assert len(answer.context["phones"]) == 50
    assert '/devices?q=MIGR00002"' in answer.content.decode()


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        ({"status": DeviceStatus.ACTIVE}, "card-valid"),
        ({"status": DeviceStatus.PENDING}, "card-inactive"),
        ({"status": DeviceStatus.BLOCKED, "held_by": HeldBy.BANK}, "card-blocked"),
        ({"status": DeviceStatus.BLOCKED, "held_by": HeldBy.BANK, "lost": True}, "card-reported-as-lost"),
        ({"status": DeviceStatus.ACTIVE, "expired": True}, "card-expired"),
        ({"status": DeviceStatus.BLOCKED, "held_by": HeldBy.BANK, "expired": True}, "card-blocked"),
        ({"status": DeviceStatus.RETIRED}, "RETIRED"),
    ],
)
def test_a_card_is_in_the_same_state_on_every_page(values: dict[str, Any], mark: str, bea: Client, ada: User) -> None:
    if values.pop("lost", False):
        values["lost_at"] = clock.now()
    if values.pop("expired", False):
        values["expires_on"] = clock.now().date() - timedelta(days=1)
    card = make_card(ada, **values)
    seen = [row["mark"] for row in bea.get("/issued").context["devices"]]  # not those that are out of use
    assert seen == ([] if mark == "RETIRED" else [mark])
    assert [row["mark"] for row in page(bea, ada).context["cards"]] == [mark]
    assert bea.get(f"/devices/{card.pk}").context["issued"]["mark"] == mark


def test_the_state_of_cards_costs_no_query_of_its_own(bank: Bank, ada: User) -> None:
    actor = staff_actor(make_staff(bank))
    for _ in range(20):
        make_card(ada)
    with at_most(7):
        found = holdings_of(actor, ada)
    with at_most(0):
        assert {card_mark(device) for device in found.devices} == {"card-valid"}
