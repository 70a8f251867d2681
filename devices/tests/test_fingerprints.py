"""Recording fingerprints, and what they hang on."""

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest

from devices.models import Device, Fingerprint
from devices.operations.facts import DeviceFacts
from devices.operations.fingerprints import Recorded, fingerprint_hash, record_fingerprint
from devices.operations.registration import register_device
from devices.queries.fingerprints import fingerprints_of_customer, fingerprints_of_device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    staff_actor,
)
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput
from portal.tests.threads import race

UNIT = "392a0a88-a1ab-4832-b092-5269c8722328"


@pytest.fixture
def ada(db: None) -> User:
    return make_customer(make_bank())


def record(actor: Actor, **values: str) -> Recorded:
    sample = {"device_id": UNIT, "platform": "ios", "application_name": "Sample app"}
    return record_fingerprint(actor=actor, **{**sample, **values})


def events() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "data"))


# What is recorded.


def test_a_new_one_is_kept_with_an_event_and_without_the_device_id(ada: User) -> None:
    recorded = record(customer_actor(ada), application_version="139.83.13")
    row = Fingerprint.objects.get()
    assert recorded == Recorded(row, created=True)
    assert (row.owner, row.bank, row.device) == (ada, ada.bank, None)
    assert (row.platform, row.application_name, row.application_version) == ("ios", "Sample app", "139.83.13")
    assert row.first_seen_at == row.last_seen_at
    assert events() == [
        (
            "fingerprint.recorded",
            '{"after":{"application_name":"Sample app","application_version":"139.83.13","platform":"ios"}}',
        )
    ]
    event = AuditEvent.objects.get()
    assert (event.object_type, event.object_id, event.actor_label) == ("fingerprint", str(row.pk), "Ada")
    assert event.object_label == f"Fingerprint …{row.hash[-4:]}"
    assert UNIT not in str(Fingerprint.objects.values().get()) + str(AuditEvent.objects.values().get())


def test_the_same_again_is_the_same_and_leaves_no_event(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record(customer_actor(ada), application_version="1")
    later = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    for version in ("1", ""):
        again = record(customer_actor(ada), application_version=version)
        assert (again.created, again.fingerprint) == (False, first.fingerprint)
    row = Fingerprint.objects.get()
    assert (row.hash, row.application_version) == (first.fingerprint.hash, "1")
    assert (row.first_seen_at, row.last_seen_at) == (first.fingerprint.first_seen_at, later)
    assert len(events()) == 1


def test_another_version_is_the_same_fingerprint_with_an_event(ada: User) -> None:
    first = record(customer_actor(ada), application_version="1")
    again = record(customer_actor(ada), application_version="2")
    assert (again.created, again.fingerprint.hash) == (False, first.fingerprint.hash)
    assert events()[1:] == [
        ("fingerprint.recorded", '{"after":{"application_version":"2"},"before":{"application_version":"1"}}')
    ]


# The hash.


def framed(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)


def test_the_hash_is_an_hmac_by_the_banks_own_key(ada: User, settings: Any) -> None:
    bank_key = hmac.digest(settings.FINGERPRINT_KEY, framed("fingerprint.bank", str(ada.bank_id)), hashlib.sha256)
    message = framed("fingerprint", UNIT, "ios", "Sample app")
    expected = hmac.new(bank_key, message, hashlib.sha256).hexdigest()
    assert record(customer_actor(ada)).fingerprint.hash == expected
    assert len(expected) == 64


def test_every_part_counts_and_their_borders_too(ada: User) -> None:
    other = make_bank()
    hashes = [
        fingerprint_hash(ada.bank_id, "ab", "ios", "c"),
        fingerprint_hash(ada.bank_id, "a", "ios", "bc"),
        fingerprint_hash(ada.bank_id, "ab", "android", "c"),
        fingerprint_hash(ada.bank_id, "ab", "ios", "C"),
        fingerprint_hash(ada.bank_id, "AB", "ios", "c"),
        fingerprint_hash(other.pk, "ab", "ios", "c"),
    ]
    assert len(set(hashes)) == len(hashes)


def test_two_customers_of_a_bank_share_a_hash_and_not_a_row(ada: User) -> None:
    cem = make_customer(ada.bank, "Cem")
    rows = [record(customer_actor(who)).fingerprint for who in (ada, cem)]
    assert rows[0].hash == rows[1].hash
    assert {row.owner for row in Fingerprint.objects.all()} == {ada, cem}


# The device it hangs on.


def test_it_hangs_on_the_customers_own_device_of_this_id(ada: User) -> None:
    phone = make_device(ada, external_id=UNIT)
    assert record(customer_actor(ada)).fingerprint.device == phone
    assert f'"device":"{phone.pk}"' in events()[0][1]


@pytest.mark.parametrize("spelling", ["pk", "public_id"])
def test_our_own_ids_name_a_device_too(spelling: str, ada: User) -> None:
    phone = make_device(ada)
    assert record(customer_actor(ada), device_id=str(getattr(phone, spelling))).fingerprint.device == phone


def test_it_hangs_on_nothing_of_somebody_else(ada: User) -> None:
    make_device(make_customer(ada.bank, "Cem"), external_id=UNIT)
    make_device(make_customer(make_bank()), external_id=UNIT)
    assert record(customer_actor(ada)).fingerprint.device is None


def test_a_device_that_is_registered_later_gets_it_at_the_next_sign_in(ada: User) -> None:
    actor = customer_actor(ada)
    assert record(actor).fingerprint.device is None
    phone = register_device(actor=actor, facts=DeviceFacts(external_id=UNIT)).device
    seen = len(events())
    assert record(actor).fingerprint.device == phone
    assert len(events()) == seen


def test_of_several_of_one_id_it_hangs_on_the_one_in_use(ada: User) -> None:
    old = make_device(ada, DeviceStatus.RETIRED, external_id=UNIT)
    assert record(customer_actor(ada)).fingerprint.device == old
    new = make_device(ada, external_id=UNIT)
    assert record(customer_actor(ada)).fingerprint.device == new


def test_it_comes_off_a_device_that_is_another_persons_by_now(ada: User) -> None:
    phone = make_device(ada, external_id=UNIT)
    record(customer_actor(ada))
    Device.objects.filter(pk=phone.pk).update(owner=make_customer(ada.bank, "Cem"))
    assert record(customer_actor(ada)).fingerprint.device is None


# Who, and with what.


def test_only_a_customer_records(ada: User) -> None:
    staff = [staff_actor(make_staff(ada.bank, role)) for role in Role]
    for actor in (*staff, bank_actor(ada.bank), Actor.system("tests")):
        with pytest.raises(Forbidden) as refused:
            record(actor)
        assert refused.value.code == "bearer-not-served"
    assert (Fingerprint.objects.count(), events()) == (0, [])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"device_id": ""}, ("device_id", "required")),
        ({"device_id": "a/b"}, ("device_id", "invalid-format")),
        ({"device_id": "x" * 129}, ("device_id", "invalid-format")),
        ({"device_id": "１２３"}, ("device_id", "invalid-format")),
        ({"platform": "iPhone"}, ("platform", "unknown-enum")),
        ({"application_name": " "}, ("application_name", "required")),
        ({"application_name": "x" * 101}, ("application_name", "max-length")),
        ({"application_name": "a\nb"}, ("application_name", "invalid-format")),
        ({"application_version": "x" * 65}, ("application_version", "max-length")),
        ({"application_version": "\x07"}, ("application_version", "invalid-format")),
    ],
)
def test_wrong_input_is_named_and_nothing_kept(values: dict[str, str], found: tuple[str, str], ada: User) -> None:
    with pytest.raises(InvalidInput) as refused:
        record(customer_actor(ada), **values)
    assert [(problem.field, problem.code) for problem in refused.value.fields] == [found]
    assert (Fingerprint.objects.count(), events()) == (0, [])


def test_all_that_is_wrong_is_named(ada: User) -> None:
    with pytest.raises(InvalidInput) as refused:
        record(customer_actor(ada), device_id="", platform="", application_name="")
    assert {problem.field for problem in refused.value.fields} == {"device_id", "platform", "application_name"}


def test_queries(ada: User) -> None:
    make_device(ada, external_id=UNIT)
    with at_most(4):  # device, fingerprint, insert, event
        record(customer_actor(ada))
    with at_most(3):
        record(customer_actor(ada))


# What pages read.


def test_pages_list_them_last_seen_first_for_who_may_look(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, bea = make_device(ada, external_id=UNIT), staff_actor(make_staff(ada.bank))
    start = clock.now()
    for number, name in enumerate(["First", "Second", "Third"]):
        monkeypatch.setattr(clock, "now", lambda number=number: start + timedelta(seconds=number))
        record(customer_actor(ada), application_name=name)
    record(customer_actor(ada), application_name="Elsewhere", device_id="another")
    with at_most(1):
        assert [row.application_name for row in fingerprints_of_device(bea, phone)] == ["Third", "Second", "First"]
    with at_most(1):
        shown = [(row.application_name, row.device) for row in fingerprints_of_customer(bea, ada)]
    assert set(shown) == {("Third", phone), ("Second", phone), ("First", phone), ("Elsewhere", None)}
    stranger = staff_actor(make_staff(make_bank()))
    assert fingerprints_of_customer(stranger, ada) == fingerprints_of_device(stranger, phone) == []
    with pytest.raises(Forbidden):
        fingerprints_of_customer(staff_actor(make_staff(ada.bank, Role.ADMINISTRATOR)), ada)
    Device.objects.filter(pk=phone.pk).update(owner=make_customer(ada.bank, "Cem"))
    phone.refresh_from_db()
    assert fingerprints_of_device(bea, phone) == []


# Many at once.


@pytest.mark.django_db(transaction=True)
def test_many_first_sign_ins_at_once_make_one_fingerprint() -> None:
    ada = make_customer(make_bank())
    make_device(ada, external_id=UNIT)
    outcomes = race(16, lambda number: record(customer_actor(ada), application_version="1"))
    done = [outcome for outcome in outcomes if isinstance(outcome, Recorded)]
    assert len(done) == 16, outcomes
    assert sum(outcome.created for outcome in done) == 1
    assert Fingerprint.objects.count() == 1
    assert AuditEvent.objects.filter(event="fingerprint.recorded").count() == 1
