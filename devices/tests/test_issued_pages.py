"""The portal's pages about cards and tokens: arguments in, pages and messages out."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, IssuedDetails, Kind
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_card, make_customer, make_device, make_staff, make_token
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
FULL = "4111 1111 1111 1111"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def bank() -> Bank:
    return make_bank("harbour")


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank, "Ada", customer_number="MIGR00002")


@pytest.fixture
def bea(bank: Bank) -> Client:
    """An operator's browser."""
    return signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))


def downloaded(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def day(days: int) -> str:
    return (clock.now().date() + timedelta(days=days)).isoformat()


def card(**values: Any) -> dict[str, Any]:
    return {
        "customer_id": "MIGR00002",
        "model": "Gold",
        "reference": "R-1",
        "card_number": "411111******1111",
        "card_kind": "debit-card",
        "card_brand": "Visa",
        "cardholder_name": "ADA",
        "is_primary": "yes",
        "expires_on": day(900),
        "capabilities": ["icc", "nfc"],
        "reason": "At the counter",
        **values,
    }


def names(client: Client, query: str = "") -> list[str]:
    return [device["reference"] for device in client.get(f"/issued?{query}").context["devices"]]


def told(client: Client, url: str) -> list[str]:
    return [str(message) for message in client.get(url).context["messages"]]


def test_the_list_counts_searches_and_filters(bea: Client, bank: Bank, ada: User) -> None:
    make_card(ada, reference="R-1", number_end="4242", model="Gold")
    make_card(make_customer(bank, "Bea", customer_number="B-1"), DeviceStatus.PENDING, reference="R-2")
    make_card(ada, kind=Kind.OTP_TOKEN, reference="R-3")
    lost = {"lost_at": clock.now(), "held_by": HeldBy.BANK}
    make_card(ada, DeviceStatus.BLOCKED, reference="R-4", **lost)
    make_card(ada, DeviceStatus.RETIRED, reference="R-5")
    make_card(make_customer(make_bank(), "Cem"), reference="R-6")
    make_device(ada)
    page = bea.get("/issued")
    assert [(tile["label"], tile["value"]) for tile in page.context["counts"]] == [
        ("Inactive", 1),
        ("Valid", 2),
        ("Expired", 0),
        ("Blocked", 0),
        ("Reported as lost", 1),
    ]
    assert names(bea) == ["R-4", "R-3", "R-2", "R-1"]
    assert names(bea, "status=valid") == ["R-3", "R-1"]
    assert names(bea, "kind=otp-token") == ["R-3"]
    for text in ("R-2", "B-1", "4242", "gold"):
        assert names(bea, f"q={text}") == (["R-2"] if text in {"R-2", "B-1"} else ["R-1"])
    assert names(bea, "q=nothing") == []
    rows = bea.get("/issued?q=R-1", headers={"HX-Request": "true"})
    assert b"<html" not in rows.content
    assert b"data-announce" in rows.content


@pytest.mark.parametrize("number", [1, 60])
def test_the_list_costs_the_same_however_long(number: int, bea: Client, ada: User) -> None:
    for _ in range(number):
        make_card(ada)
    bea.get("/issued")
    with at_most(12):
        assert bea.get("/issued").status_code == 200


def test_hostile_texts_are_only_shown(bea: Client, ada: User) -> None:
    make_card(ada, model=HOSTILE, reference=HOSTILE, card_brand=HOSTILE[:40])
    page = bea.get("/issued").content.decode()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_the_list_as_a_file(bea: Client, ada: User) -> None:
    make_card(ada, reference="=1+1")
    make_card(ada, kind=Kind.OTP_TOKEN, reference="T-1")
    answer = bea.get("/issued/export.csv?kind=payment-card")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")
    assert answer["Content-Disposition"] == 'attachment; filename="cards-and-tokens.csv"'
    header, row = csv.reader(StringIO(downloaded(answer)))
    assert dict(zip(header, row, strict=True))["reference"] == "'=1+1"


@pytest.mark.parametrize("path", ["/issued", "/issued/export.csv"])
def test_looking_needs_the_right(path: str, bank: Bank) -> None:
    administrator = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Max"))
    assert administrator.get(path).status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]
    assert Client().get(path).status_code == 302


def test_issuing_a_card(bea: Client, ada: User) -> None:
    page = bea.get("/issued/new?customer=MIGR00002")
    assert page.context["form"].initial["customer_id"] == "MIGR00002"
    answer = bea.post("/issued/new", card())
    device = Device.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/devices/{device.pk}")
    assert told(bea, answer["Location"]) == ["It was issued. Note its delivery once its holder has it."]
    details = IssuedDetails.objects.get()
    assert (details.capabilities, details.is_primary, details.number_end) == (["icc", "nfc"], True, "1111")
    again = bea.post("/issued/new", card())
    assert told(bea, again["Location"]) == ["It is there already."]
    assert Device.objects.count() == 1


def test_each_kind_has_its_own_form(bea: Client, ada: User) -> None:
    fields = set(bea.get("/issued/new?kind=otp-token").context["form"].fields)
    assert fields == {"customer_id", "model", "reference", "expires_on", "capabilities", "reason"}
    token = {"customer_id": ada.public_id, "reference": "T-1", "reason": "Asked for it"}
    assert bea.post("/issued/new?kind=otp-token", token).status_code == 302
    assert Device.objects.get().kind == "otp-token"
    assert "card_number" in bea.get("/issued/new?kind=phone").context["form"].fields


@pytest.mark.parametrize("field", ["card_number", "cardholder_name", "reason", "reference"])
def test_a_full_card_number_is_refused_and_not_shown_again(field: str, bea: Client, ada: User) -> None:
    answer = bea.post("/issued/new", card(**{field: FULL}))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "This holds a full card number." in page
    assert FULL not in page
    assert "At the counter" in page or field == "reason"
    assert page.count("checked") == 2
    assert (Device.objects.count(), [code for _, code, _, _ in refusals()]) == (0, ["invalid-input"])
    assert "1111 1111" not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"customer_id": "nobody"}, 404, "not-found"),
        ({"reference": "TAKEN"}, 409, "reference-not-unique"),
        ({"expires_on": "2020-01-01"}, 422, "invalid-input"),
        ({"reason": ""}, 422, "invalid-input"),
    ],
)
def test_what_stands_in_the_way_is_said_on_the_form(
    values: dict[str, str], status: int, code: str, bea: Client, ada: User
) -> None:
    make_card(ada, reference="TAKEN")
    answer = bea.post("/issued/new", card(**values))
    assert (answer.status_code, [found for _, found, _, _ in refusals()]) == (status, [code])
    assert answer.context["form"].errors
    assert Device.objects.count() == 1


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.APPROVER, Role.AUDITOR])
def test_whoever_may_not_issue_gets_no_form(role: str, bank: Bank, ada: User) -> None:
    device = make_card(ada)
    client = signed_in_client(make_staff(bank, role, "Sam"))
    assert not client.get("/issued").context["may_issue"]
    for path in ("/issued/new", f"/devices/{device.pk}/deliver", f"/devices/{device.pk}/replace"):
        assert client.get(path).status_code == 403
        assert client.post(path, card()).status_code == 403
    assert len(refusals()) == 6
    assert Device.objects.count() == 1


def test_a_delivery_and_then_the_activation(bea: Client, ada: User) -> None:
    device = make_card(ada, DeviceStatus.PENDING, delivered_on=None)
    page = bea.get(f"/devices/{device.pk}")
    actions = {action["name"]: action for action in page.context["actions"]}
    assert (actions["activate"]["allowed"], actions["activate"]["rule"]) == (False, "not-delivered")
    assert (actions["deliver"]["allowed"], actions["replace"]["allowed"]) == (True, True)
    assert bea.get(f"/devices/{device.pk}/deliver").context["form"].initial == {"delivered_on": day(0)}
    answer = bea.post(f"/devices/{device.pk}/deliver", {"delivered_on": day(-1), "reason": "Signed for"})
    assert (answer.status_code, told(bea, f"/devices/{device.pk}")) == (302, ["Its delivery was noted."])
    actions = {action["name"]: action for action in bea.get(f"/devices/{device.pk}").context["actions"]}
    assert actions["activate"]["allowed"]
    assert "deliver" not in actions


def test_a_delivery_in_the_future_is_refused(bea: Client, ada: User) -> None:
    device = make_card(ada, DeviceStatus.PENDING, delivered_on=None)
    answer = bea.post(f"/devices/{device.pk}/deliver", {"delivered_on": day(2), "reason": "Soon"})
    assert answer.status_code == 422
    assert answer.context["form"].errors["delivered_on"] == ["This day is still to come."]
    assert [about for _, _, _, about in refusals()] == [str(device.pk)]


def test_a_replacement_shows_what_ends_and_leads_to_the_new_one(bea: Client, ada: User) -> None:
    device = make_card(ada, reference="R-1")
    make_token(user=ada, device=device)
    page = bea.get(f"/devices/{device.pk}/replace")
    assert page.context["preview"] == [{"count": 1, "text": "open session is ended"}]
    values = {"reference": "R-2", "card_number": "411111******2222", "expires_on": day(1500), "reason": "Worn out"}
    answer = bea.post(f"/devices/{device.pk}/replace", values)
    new = Device.objects.exclude(pk=device.pk).get()
    assert answer["Location"] == f"/devices/{new.pk}"
    assert told(bea, answer["Location"]) == ["The old one is out of use; 1 session was ended. This is the new one."]
    assert bea.get(f"/devices/{new.pk}").context["issued"]["replaces_url"] == f"/devices/{device.pk}"
    assert bea.get(f"/devices/{device.pk}").context["issued"]["replaced_by_url"] == f"/devices/{new.pk}"


def test_a_token_is_replaced_without_a_card_number(bea: Client, ada: User) -> None:
    device = make_card(ada, kind=Kind.OTP_TOKEN)
    assert "card_number" not in bea.get(f"/devices/{device.pk}/replace").context["form"].fields
    assert bea.post(f"/devices/{device.pk}/replace", {"reason": "Broken"}).status_code == 302


@pytest.mark.parametrize("step", ["deliver", "replace"])
def test_phones_and_foreign_cards_are_unknown(step: str, bea: Client, ada: User) -> None:
    for device in (make_device(ada), make_card(make_customer(make_bank())), make_card(ada, DeviceStatus.RETIRED)):
        assert bea.get(f"/devices/{device.pk}/{step}").status_code == 404
        assert bea.post(f"/devices/{device.pk}/{step}", {"reason": "Mine"}).status_code == 404
    assert len(refusals()) == 6


@pytest.mark.django_db(transaction=True)
def test_what_takes_a_second_person_says_so_and_waits() -> None:
    bank = make_bank("harbour")
    ada = make_customer(bank, "Ada", customer_number="MIGR00002")
    bea = signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))
    device = make_card(ada, reference="R-0")
    ApprovalPolicy.objects.create(bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now())
    assert bea.get("/issued/new").context["asks"]
    assert bea.get(f"/devices/{device.pk}/replace").context["asks"]
    assert bea.post("/issued/new", card()).status_code == 302
    values = {"reference": "R-2", "expires_on": day(1500), "reason": "Worn out"}
    assert bea.post(f"/devices/{device.pk}/replace", values)["Location"] == f"/devices/{device.pk}"
    assert sorted(ApprovalRequest.objects.values_list("operation", flat=True)) == ["device.issue", "device.replace"]
    assert (Device.objects.count(), refusals()) == (1, [])
    page = bea.get(f"/devices/{device.pk}").context
    assert [badge["label"] for badge in page["waiting"]] == ["Replace a card or token"]
    assert "replace" not in [action["name"] for action in page["actions"]]
