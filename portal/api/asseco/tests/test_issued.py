"""GET /issued-devices, GET of one, PUT of its nickname; the classifications."""

from datetime import timedelta
from typing import Any

import pytest

from devices.models import Device, Kind
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_card, make_customer, make_device, make_staff, make_token
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most, in_order, refused_once
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db

ISSUED = "/v1/device/issued-devices"
CLASSIFICATIONS = "/v1/device/classifications"
TOKEN = ["device-id", "kind", "holder-id", "capabilities", "nickname"]
CARD = [
    *TOKEN,
    "masked-card-number",
    "is-primary",
    "card-status",
    "cardholder-name",
    "delivery-date",
    "activation-date",
    "expiration-date",
    "card-kind",
    "card-brand",
]


def listed(response: Any) -> list[str]:
    assert response.status_code == 200
    return [device["nickname"] for device in response.json()["devices"]]


def test_an_empty_list(caller: Caller) -> None:
    empty = {"devices": [], "page": 1, "page-size": 10, "total-count": 0, "total-pages": 0}
    assert caller.get(ISSUED).json() == empty


def test_a_whole_card_and_a_whole_token(caller: Caller, ada: User) -> None:
    today = clock.now().date()
    card = make_card(ada, capabilities=["icc", "nfc"], nickname="Groceries")
    token = make_card(ada, kind=Kind.OTP_TOKEN, capabilities=["display"])
    answers = caller.get(ISSUED).json()["devices"]
    assert answers[0] == {
        "device-id": str(card.pk),
        "kind": "payment-card",
        "holder-id": ada.customer_number,
        "capabilities": ["icc", "nfc"],
        "nickname": "Groceries",
        "masked-card-number": "411111******1111",
        "is-primary": True,
        "card-status": "valid",
        "cardholder-name": "ADA",
        "delivery-date": today.isoformat(),
        "activation-date": today.isoformat(),
        "expiration-date": (today + timedelta(days=900)).isoformat(),
        "card-kind": "debit-card",
        "card-brand": "Visa",
    }
    assert answers[1] == {
        "device-id": str(token.pk),
        "kind": "otp-token",
        "holder-id": ada.customer_number,
        "capabilities": ["display"],
        "nickname": None,
    }
    assert (in_order(answers[0]), in_order(answers[1])) == (CARD, TOKEN)
    for device, answer in zip((card, token), answers, strict=True):
        for name in (device.pk, device.public_id):
            assert caller.get(f"{ISSUED}/{name}").json() == answer


def stock(ada: User) -> dict[str, Device]:
    """A card in each state, by the word that the vendor has for it."""
    yesterday = clock.now().date() - timedelta(days=1)
    lost = {"lost_at": clock.now(), "held_by": HeldBy.BANK}
    return {
        "inactive": make_card(ada, DeviceStatus.PENDING, nickname="inactive"),
        "off": make_card(ada, DeviceStatus.INACTIVE, nickname="off"),
        "valid": make_card(ada, nickname="valid"),
        "last-day": make_card(ada, expires_on=clock.now().date(), nickname="last-day"),
        "expired": make_card(ada, expires_on=yesterday, nickname="expired"),
        "expired-off": make_card(ada, DeviceStatus.INACTIVE, expires_on=yesterday, nickname="expired-off"),
        "blocked": make_card(ada, DeviceStatus.BLOCKED, expires_on=yesterday, nickname="blocked"),
        "lost": make_card(ada, DeviceStatus.BLOCKED, nickname="lost", **lost),
    }


def test_every_state_has_the_vendors_word(caller: Caller, ada: User) -> None:
    stock(ada)
    make_card(ada, DeviceStatus.RETIRED, nickname="retired")
    answer = caller.get(f"{ISSUED}?page-size=100").json()["devices"]
    assert {device["nickname"]: device["card-status"] for device in answer} == {
        "inactive": "inactive",
        "off": "inactive",
        "valid": "valid",
        "last-day": "valid",
        "expired": "expired",
        "expired-off": "expired",
        "blocked": "blocked",
        "lost": "reported-as-lost",
    }
    for device in answer:
        assert caller.get(f"{ISSUED}/{device['device-id']}").json() == device


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("valid", ["last-day", "valid"]),
        ("expired", ["expired", "expired-off"]),
        ("inactive,blocked", ["blocked", "inactive", "off"]),
        ("reported-as-lost", ["lost"]),
    ],
)
def test_a_list_of_some_states_is_of_cards_only(wanted: str, names: list[str], caller: Caller, ada: User) -> None:
    stock(ada)
    make_card(ada, kind=Kind.OTP_TOKEN, nickname="token")
    assert listed(caller.get(f"{ISSUED}?card-statuses={wanted}&sort-by=nickname")) == names


def test_sorting_and_pages(caller: Caller, ada: User) -> None:
    start = clock.now()
    for number, (name, status) in enumerate(
        [("b", DeviceStatus.ACTIVE), ("c", DeviceStatus.PENDING), ("a", DeviceStatus.BLOCKED)]
    ):
        make_card(ada, status, nickname=name, registered_at=start + timedelta(minutes=number))
    assert listed(caller.get(ISSUED)) == ["b", "c", "a"]
    assert listed(caller.get(f"{ISSUED}?sort-order=desc")) == ["a", "c", "b"]
    assert listed(caller.get(f"{ISSUED}?sort-by=nickname")) == ["a", "b", "c"]
    assert listed(caller.get(f"{ISSUED}?sort-by=status")) == ["a", "c", "b"]
    page = caller.get(f"{ISSUED}?sort-by=nickname&page=2&page-size=2").json()
    assert [device["nickname"] for device in page.pop("devices")] == ["c"]
    assert page == {"page": 2, "page-size": 2, "total-count": 3, "total-pages": 2}


@pytest.mark.parametrize(
    ("query", "tag", "error"),
    [
        ("card-statuses=active", "card-statuses", "unknown-enum"),
        ("card-statuses=valid,", "card-statuses", "unknown-enum"),
        ("sort-by=card-status", "sort-by", "unknown-enum"),
        ("page-size=101", "page-size", "out-of-range"),
        ("device-statuses=active", "device-statuses", "not-on-list"),
    ],
)
def test_a_question_that_is_not_understood_is_not_answered(query: str, tag: str, error: str, caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.get(f"{ISSUED}?{query}")
    assert response.status_code == 400
    assert [(one["tag"], one["error"]) for one in response.json()["errors"]] == [(tag, error)]


def test_foreign_unknown_owned_and_retired_look_the_same(caller: Caller, ada: User) -> None:
    colleague = make_card(make_customer(ada.bank, "Bea"))
    stranger = make_card(make_customer(make_bank(), "Cem"))
    phone = make_device(ada)
    retired = make_card(ada, DeviceStatus.RETIRED)
    answers = set()
    for name in (colleague.pk, stranger.public_id, phone.pk, phone.external_id, retired.pk, "unknown", "%00"):
        with refused_once("not-found", who="Ada"):
            response = caller.get(f"{ISSUED}/{name}")
        answers.add((response.status_code, response.content))
        with refused_once("not-found", who="Ada"):
            response = caller.put(f"{ISSUED}/{name}/nickname", {"nickname": "Mine"})
        answers.add((response.status_code, response.content))
    assert answers == {(404, b'{"errors":[{"tag":null,"error":"not-found","message":"There is no such device."}]}')}


def test_the_banks_server_sees_all_of_its_bank_or_one_customers(server: Caller, ada: User) -> None:
    bea = make_customer(ada.bank, "Bea")
    make_card(ada, nickname="a")
    make_card(bea, nickname="b")
    make_card(make_customer(make_bank(), "Cem"), nickname="c")
    assert listed(server.get(f"{ISSUED}?sort-by=nickname")) == ["a", "b"]
    assert listed(server.get(f"{ISSUED}?customer-number={bea.customer_number}")) == ["b"]
    with refused_once("identity-mismatch", who="core banking"):
        assert server.get(f"{ISSUED}?customer-number=nobody").status_code == 403


def test_staff_need_the_right_to_look(ada: User) -> None:
    card = make_card(ada, nickname="mine")
    assert listed(Caller(make_token(user=make_staff(ada.bank, Role.SUPPORT))).get(ISSUED)) == ["mine"]
    administrator = make_staff(ada.bank, Role.ADMINISTRATOR)
    for path in (ISSUED, f"{ISSUED}/{card.pk}", f"{ISSUED}/unknown"):
        with refused_once("capability-missing", who=f"Bea ({administrator.username})"):
            assert Caller(make_token(user=administrator)).get(path).status_code == 403


def test_its_holder_names_a_card_once(caller: Caller, ada: User) -> None:
    card = make_card(ada)
    path = f"{ISSUED}/{card.pk}/nickname"
    response = caller.put(path, {"nickname": "Groceries"})
    assert (response.status_code, response.content) == (204, b"")
    response = caller.put(path, {"nickname": "Groceries"}, Prefer="return=representation")
    assert (response.status_code, response["Preference-Applied"]) == (200, "return=representation")
    assert response.json() == caller.get(f"{ISSUED}/{card.pk}").json()
    assert response.json()["nickname"] == "Groceries"
    assert list(AuditEvent.objects.values_list("event", flat=True)) == ["device.updated"]


def test_a_nickname_is_unique_among_all_that_a_customer_has(caller: Caller, ada: User) -> None:
    make_device(ada, nickname="My Phone")
    card = make_card(ada)
    with refused_once("nickname-not-unique", who="Ada"):
        response = caller.put(f"{ISSUED}/{card.pk}/nickname", {"nickname": " my  phone"})
    assert response.status_code == 440
    assert response.json() == {
        "problem": "nickname-not-unique",
        "message": "Another of your devices has this nickname.",
        "details": "nickname-not-unique",
    }


def test_a_full_card_number_is_no_nickname(caller: Caller, ada: User) -> None:
    card = make_card(ada)
    with refused_once("invalid-input", who="Ada"):
        response = caller.put(f"{ISSUED}/{card.pk}/nickname", {"nickname": "4111 1111-1111 1111"})
    assert response.status_code == 400
    assert [(one["tag"], one["error"]) for one in response.json()["errors"]] == [("nickname", "invalid-format")]
    assert "4111" not in response.content.decode()
    assert "1111 1111" not in "".join(AuditEvent.objects.values_list("data", flat=True))


def test_staff_do_not_name_cards(ada: User) -> None:
    card = make_card(ada)
    bea = make_staff(ada.bank)
    with refused_once("staff-cannot-edit", who=f"Bea ({bea.username})"):
        response = Caller(make_token(user=bea)).put(f"{ISSUED}/{card.pk}/nickname", {"nickname": "Hers"})
    assert response.status_code == 403


def test_the_classifications(caller: Caller) -> None:
    items = caller.get(CLASSIFICATIONS).json()["items"]
    assert [list(item) for item in items] == [["schema-id", "name", "description"]] * 7
    words = {}
    for item in items:
        found = caller.get(f"{CLASSIFICATIONS}/{item['schema-id']}").json()
        assert {name: found[name] for name in item} == item
        words[item["schema-id"]] = [value["literal"] for value in found["values"]]
        assert {tuple(value) for value in found["values"]} == {("literal", "code", "description", "parent-literal")}
        assert [value["code"] for value in found["values"]] == [str(n + 1) for n in range(len(found["values"]))]
    assert words == {
        "device-statuses": ["active", "blocked", "unregistered"],
        "card-statuses": ["inactive", "valid", "expired", "blocked", "reported-as-lost"],
        "device-kinds": ["payment-card", "smart-card", "otp-token"],
        "device-capabilities": [
            *("hmac", "pki", "secure-element", "magnetic-stripe", "push"),
            *("telephony", "sms", "icc", "nfc", "display"),
        ],
        "card-kinds": ["debit-card", "credit-card", "prepaid-card", "charge-card", "stored-value-card"],
        "device-id-kinds": ["imei", "app-id"],
        "push-platforms": ["apns", "gcm", "wns", "mpns"],
    }


@pytest.mark.parametrize("schema_id", ["card-status", "unknown", "%00"])
def test_an_unknown_classification(schema_id: str, caller: Caller) -> None:
    with refused_once("not-found", who="Ada"):
        assert caller.get(f"{CLASSIFICATIONS}/{schema_id}").status_code == 404


@pytest.mark.parametrize("number", [1, 40])
def test_a_page_costs_five_however_many_there_are(number: int, ada: User) -> None:
    for _ in range(number):
        make_card(ada)
    caller = Caller(make_token(user=ada, device=make_device(ada)))
    caller.get(ISSUED)
    with at_most(5):
        response = caller.get(f"{ISSUED}?page-size=100&card-statuses=valid,inactive")
    assert response.json()["total-count"] == number
