"""Linking and unlinking over HTTP: what is refused, in which order, and what a repeat does."""

import json
from typing import Any

import pytest

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_customer, make_device
from merchants.models import Link
from portal.accounts.models import User
from portal.api.peere.tests.linking import (
    LINK,
    LIST,
    LOOKUP,
    PHONE,
    PHRASE,
    UNLINK,
    fields,
    links,
    said,
    turned_away,
)
from portal.api.tests.doors import Caller, at_most
from portal.audit.models import AuditEvent
from portal.models import StoredAnswer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]
both = pytest.mark.parametrize("path", [LINK, UNLINK])

NO_ID = (400, "Invalid device ID format")
NO_DEVICE = (404, "Device not found in system")
LINKED = (409, "Device already linked to another customer")
IN_USE = (409, "Phrase already in use")


@pytest.fixture
def bea(ada: User) -> User:
    return make_customer(ada.bank, "Bea")


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


# Form.


@both
@pytest.mark.parametrize("sent", ["", " ", "a b", "ä", "a/b", "a\nb", "device_1\n", "x" * 129, 1, None, True, [], {}])
def test_a_device_id_of_a_wrong_form_has_the_vendors_sentence(
    path: str, sent: Any, server: Caller, ada: User
) -> None:
    with turned_away("invalid-input"):
        response = server.post(path, {**fields(ada.customer_number), "deviceId": sent})
    assert said(response) == NO_ID


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deviceId": ...}, "deviceId: This is required."),
        ({"customerId": ...}, "customerId: This is required."),
        ({"customerId": ""}, "customerId: This is required."),
        ({"customerId": None}, "customerId: This cannot be null."),
        ({"customerId": 1}, "customerId: Not a valid string."),
        ({"customerId": "x" * 65}, "customerId: Ensure this field has no more than 64 characters."),
        ({"customerId": "a\nb"}, "customerId: This has characters that cannot be shown."),
        ({"phrase": ...}, "phrase: This is required."),
        ({"phrase": ""}, "phrase: This is required."),
        ({"phrase": 1}, "phrase: Not a valid string."),
        ({"phrase": "x" * 257}, "phrase: Ensure this field has no more than 256 characters."),
        ({"phrase": "ab"}, "phrase: A phrase has at least 3 characters."),
        ({"phrase": "x" * 65}, "phrase: A phrase has at most 64 characters."),
        ({"phrase": "blue\u200bheron"}, "phrase: A phrase has no characters that cannot be seen."),
        ({"phrase": "bl\u0443e heron"}, "phrase: A word of a phrase has letters of one alphabet."),
        ({"surprise": "1"}, "surprise: There is no such field."),
        ({"customer_id": "1"}, "customer_id: There is no such field."),
        ({"phrase": ..., "customerId": ...}, "customerId: This is required. phrase: This is required."),
        ({"phrase": ..., "deviceId": "a b"}, "phrase: This is required. Invalid device ID format."),
    ],
)
def test_what_is_wrong_is_named(path: str, change: dict[str, Any], message: str, server: Caller, ada: User) -> None:
    body = {**fields(ada.customer_number), **change}
    sent = {name: value for name, value in body.items() if value is not ...}
    with turned_away("phrase" if ": A " in message else "invalid-input"):
        assert said(server.post(path, sent)) == (400, message)


def test_form_is_asked_before_anything_else(server: Caller) -> None:
    assert said(server.post(LINK, fields("nobody", "device_nobodys", "ab")))[0] == 400
    assert said(server.post(LINK, fields("nobody", "a b"))) == NO_ID


# Meaning.


def test_a_customer_is_named_by_number_or_by_id_and_answers_give_the_number(server: Caller, ada: User) -> None:
    assert server.post(LINK, fields(ada.public_id)).status_code == 200
    [listed] = server.get(LIST).json()["data"]["devices"]
    assert listed["customerId"] == ada.customer_number


def test_a_device_is_named_in_any_spelling_and_listed_as_it_was_sent(
    server: Caller, shop: Caller, ada: User, phone: Device
) -> None:
    assert server.post(LINK, fields(ada.customer_number, phone.public_id)).status_code == 200
    assert server.get(LIST).json()["data"]["devices"][0]["deviceId"] == phone.public_id
    for spelling in (phone.public_id, PHONE, str(phone.pk)):
        assert shop.post(LOOKUP, {"deviceId": spelling}).json()["data"]["deviceId"] == spelling
    assert server.post(UNLINK, fields(ada.customer_number, str(phone.pk))).status_code == 200


def test_the_customer_need_not_own_the_device(server: Caller, bea: User) -> None:
    assert server.post(LINK, fields(bea.customer_number)).status_code == 200


@both
def test_what_the_bank_does_not_know_is_one_404(path: str, server: Caller, ada: User) -> None:
    make_device(ada, DeviceStatus.RETIRED, external_id="device_retired")
    bodies = [
        fields("nobody"),
        fields(ada.customer_number, "device_nobodys"),
        fields(ada.customer_number, "device_retired"),
        fields("nobody", "device_nobodys"),
    ]
    found = set()
    for body in bodies:
        with turned_away("not-found"):
            response = server.post(path, body)
        assert said(response) == NO_DEVICE
        found.add(response.content)
    assert len(found) == 1


def test_conflicts_name_nobody(server: Caller, ada: User, bea: User) -> None:
    make_device(bea, external_id="device_of_bea")
    make_device(ada, external_id="device_tablet")
    assert server.post(LINK, fields(ada.customer_number)).status_code == 200
    for body, expected in [
        (fields(bea.customer_number, phrase="Another phrase"), LINKED),
        (fields(bea.customer_number), LINKED),  # the device is asked before the phrase
        (fields(bea.customer_number, "device_of_bea"), IN_USE),
        (fields(bea.customer_number, "device_of_bea", f"  {PHRASE.upper()} "), IN_USE),
        (fields(ada.customer_number, "device_tablet", "Another phrase"), IN_USE),
        (fields(ada.customer_number, phrase="Another phrase"), IN_USE),
    ]:
        with turned_away("device-linked" if expected == LINKED else "phrase-in-use"):
            response = server.post(LINK, body)
        assert said(response) == expected
        text = response.content.decode()
        assert not any(name in text for name in ("Ada", "Bea", str(ada.customer_number), ada.public_id, PHONE))


def test_unlinking_takes_all_three(server: Caller, ada: User, bea: User) -> None:
    make_device(ada, external_id="device_tablet")
    assert server.post(LINK, fields(ada.customer_number)).status_code == 200
    for body in [
        fields(bea.customer_number),
        fields(ada.customer_number, phrase="Another phrase"),
        fields(ada.customer_number, "device_tablet"),
    ]:
        with turned_away("not-found"):
            assert said(server.post(UNLINK, body)) == NO_DEVICE
    assert server.post(UNLINK, fields(ada.customer_number, phrase=f" {PHRASE.upper()}")).status_code == 200
    with turned_away("not-found"):
        assert said(server.post(UNLINK, fields(ada.customer_number))) == NO_DEVICE


# Repeats.


def test_the_same_again_is_the_same_answer_and_quiet(server: Caller, ada: User) -> None:
    first = server.post(LINK, fields(ada.customer_number))
    before, told = links(), events()
    again = server.post(LINK, fields(ada.customer_number, phrase=PHRASE.lower()))
    assert (again.status_code, again.content) == (200, first.content)
    assert (links(), events()) == (before, told)


def test_a_repeat_by_its_key_gets_the_first_answer_whatever_happened_since(server: Caller, ada: User) -> None:
    body, key = fields(ada.customer_number), {"Idempotency-Key": "k1"}
    first = server.post(LINK, body, **key)
    server.post(UNLINK, body)
    again = server.post(LINK, body, **key)
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert Link.objects.open().count() == 0
    with turned_away("idempotency-key-reused"):
        assert said(server.post(LINK, fields("other"), **key))[0] == 422
    cut = server.post(UNLINK, body, **key)  # another path is another key
    with turned_away("refusal-replayed"):
        again = server.post(UNLINK, body, **key)
    assert (again.content, said(again)) == (cut.content, NO_DEVICE)


def test_a_kept_answer_shows_nothing_in_the_database(server: Caller, ada: User) -> None:
    server.post(LINK, fields(ada.customer_number), **{"Idempotency-Key": "k1"})
    [kept] = StoredAnswer.objects.values_list()
    assert not any(text in repr(kept) for text in (PHONE, PHRASE, str(ada.customer_number)))


# What is written about it.


def test_no_phrase_and_no_device_id_is_written_in_the_clear(
    server: Caller, shop: Caller, ada: User, bea: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(0):
        server.post(LINK, fields(ada.customer_number))
        server.post(LINK, fields(bea.customer_number))
        server.post(LINK, fields(ada.customer_number, phrase="\u202eheron"))
        server.get(f"{LIST}?search={PHRASE}")
        server.get(f"{LIST}?search={PHONE}&limit=0")
        shop.post(LOOKUP, {"deviceId": PHONE})
        shop.post(LOOKUP, {"deviceId": "device_nobodys"})
        server.post(UNLINK, fields(ada.customer_number))
    written = json.dumps([list(AuditEvent.objects.values()), links()], default=str) + caplog.text
    assert not any(text in written for text in (PHONE, PHRASE, "heron", "device_nobodys"))


def test_a_refused_link_says_which_device_in_the_log(server: Caller, ada: User, bea: User, phone: Device) -> None:
    server.post(LINK, fields(ada.customer_number))
    server.post(LINK, fields(bea.customer_number))
    event = AuditEvent.objects.latest("id")
    assert (event.code, event.object_type, event.object_id) == ("device-linked", "device", str(phone.pk))
    assert event.data == '{"details":{"method":"POST","route":"peere-bank:link","status":409}}'


def test_a_link_has_its_price(server: Caller, ada: User) -> None:
    make_device(ada, external_id="device_tablet")
    server.post(LINK, fields(ada.customer_number))
    with at_most(20):
        assert server.post(LINK, fields(ada.customer_number, "device_tablet")).status_code == 200
    with at_most(6):  # again: token, device, customer, link, phrase; nothing to write
        assert server.post(LINK, fields(ada.customer_number, "device_tablet")).status_code == 200
    with at_most(20):
        assert server.post(UNLINK, fields(ada.customer_number, "device_tablet")).status_code == 200
