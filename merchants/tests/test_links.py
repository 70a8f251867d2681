"""Linking devices to phrases, and cutting links."""

import json
from typing import Any
from uuid import UUID

import pytest

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    staff_actor,
)
from merchants.models import Link, Phrase
from merchants.operations.links import cut_link, link_device, unlink_device
from merchants.operations.naming import UNKNOWN
from merchants.tests.factories import linking_actor, make_link, merchant_actor
from merchants.tests.whole import check_whole, nothing_written, rows
from portal.accounts.models import Bank, User
from portal.accounts.roles import Capability, Role, who_can
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound

pytestmark = pytest.mark.django_db

PHRASE = "Blue Heron"


def link(actor: Actor, customer: User, device: Device, phrase: str = PHRASE, **values: Any) -> Link:
    return link_device(
        actor=actor, customer_id=customer.customer_number or "", phrase=phrase, device_id=device.external_id, **values
    )


def unlink(actor: Actor, customer: User, device: Device, phrase: str = PHRASE, **values: Any) -> Link:
    return unlink_device(
        actor=actor, customer_id=customer.customer_number or "", phrase=phrase, device_id=device.external_id, **values
    )


def refusal(call: Any, kind: type[DomainError], *arguments: Any, **values: Any) -> DomainError:
    """How a call is refused, changing nothing."""
    with nothing_written(), pytest.raises(kind) as refused:
        call(*arguments, **values)
    return refused.value


def test_a_link_is_sealed_and_told(server: Actor, ada: User, phone: Device) -> None:
    made = link(server, ada, phone)
    kept = Link.objects.get()
    assert kept == made
    assert (kept.device, kept.customer, kept.bank, kept.ended_at, kept.end_reason) == (phone, ada, ada.bank, None, "")
    assert kept.phrase is not None
    assert (kept.phrase.text, kept.phrase.customer, kept.device_id_text) == (PHRASE, ada, phone.external_id)
    assert kept.number_key == (ada.customer_number or "").encode().hex()
    (event,) = AuditEvent.objects.all()
    assert (event.event, event.object_id, event.bank_id) == ("link.made", str(phone.pk), ada.bank_id)
    assert json.loads(event.data)["details"] == {"link": str(kept.pk), "customer": ada.public_id}
    check_whole(ada.bank_id)


def test_neither_phrase_nor_id_stands_in_the_clear(server: Actor, bea: Actor, ada: User, phone: Device) -> None:
    made = link(server, ada, phone)
    cut_link(actor=bea, link_id=str(made.pk), reason="A wrong number")
    link(server, ada, phone)
    unlink(server, ada, phone)
    link(server, ada, phone)
    stored = json.dumps([rows(), list(AuditEvent.objects.values())], default=str).lower()
    for secret in ("heron", "blue", phone.external_id, phone.external_id[:-4]):
        assert secret not in stored


@pytest.mark.parametrize("phrase", [PHRASE, "blue heron", "  BLUE \u00a0HERON ", "Ｂｌｕｅ heron"])
@pytest.mark.parametrize("customer_id", ["number", "public"])
@pytest.mark.parametrize("device_id", ["external", "public", "uuid"])
def test_the_same_again_is_the_same_link_and_writes_nothing(
    server: Actor, ada: User, phone: Device, phrase: str, customer_id: str, device_id: str
) -> None:
    made = link(server, ada, phone)
    with nothing_written():
        again = link_device(
            actor=server,
            customer_id={"number": ada.customer_number or "", "public": ada.public_id}[customer_id],
            phrase=phrase,
            device_id={"external": phone.external_id, "public": phone.public_id, "uuid": str(phone.pk)}[device_id],
        )
    assert again == made


def test_two_devices_of_a_customer_share_one_phrase(server: Actor, ada: User, phone: Device) -> None:
    other = make_device(ada)
    first, second = link(server, ada, phone), link(server, ada, other, "BLUE HERON")
    assert first.phrase == second.phrase == Phrase.objects.get()
    assert Phrase.objects.get().text == PHRASE  # as it was sent first
    unlink(server, ada, phone)
    assert Phrase.objects.count() == 1
    unlink(server, ada, other)
    assert Phrase.objects.count() == 0
    check_whole(ada.bank_id)


def test_the_customer_need_not_own_the_device(server: Actor, cem: User, phone: Device) -> None:
    assert link(server, cem, phone).customer == cem


@pytest.mark.parametrize("status", [DeviceStatus.PENDING, DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
def test_a_device_that_is_not_active_can_be_linked(server: Actor, ada: User, status: DeviceStatus) -> None:
    assert link(server, ada, make_device(ada, status)).ended_at is None


def test_a_suspended_customer_can_be_linked(server: Actor, bank: Bank, phone: Device) -> None:
    assert link(server, make_customer(bank, "Dan", is_active=False), phone).ended_at is None


def test_another_banks_customers_may_have_the_same_phrase(server: Actor, ada: User, phone: Device) -> None:
    link(server, ada, phone)
    eve = make_customer(make_bank(), "Eve", customer_number=ada.customer_number)
    theirs = make_device(eve, external_id=phone.external_id)
    assert link(linking_actor(eve.bank), eve, theirs).customer == eve
    assert link(server, ada, phone).customer == ada


@pytest.mark.parametrize("call", [link_device, unlink_device])
def test_unknown_foreign_and_retired_are_refused_alike(call: Any, server: Actor, ada: User, phone: Device) -> None:
    eve = make_customer(make_bank(), "Eve")
    theirs, retired = make_device(eve), make_device(ada, DeviceStatus.RETIRED)
    link(server, ada, phone)
    number = ada.customer_number or ""
    asked = [
        ("nobody", phone.external_id),
        (User(pk=UUID(int=1)).public_id, phone.external_id),
        (eve.customer_number or "", phone.external_id),
        (eve.public_id, phone.external_id),
        (make_staff(ada.bank).public_id, phone.external_id),
        (number, "device_unknown"),
        (number, theirs.external_id),
        (number, theirs.public_id),
        (number, str(theirs.pk)),
        (number, retired.external_id),
        (number, retired.public_id),
        ("nobody", "device_unknown"),
    ]
    told = {
        (error.message, error.code, str(error.details))
        for customer_id, device_id in asked
        for error in [
            refusal(call, NotFound, actor=server, customer_id=customer_id, phrase=PHRASE, device_id=device_id)
        ]
    }
    assert told == {(UNKNOWN, "not-found", "{}")}


WRONG = [
    ("device_id", "", "device_id", "invalid-format"),
    ("device_id", "a b", "device_id", "invalid-format"),
    ("device_id", "ümlaut", "device_id", "invalid-format"),
    ("device_id", "a\n", "device_id", "invalid-format"),
    ("device_id", "a" * 129, "device_id", "invalid-format"),
    ("device_id", "a\x00", "device_id", "invalid-format"),
    ("phrase", "", "phrase", "required"),
    ("phrase", "ab", "phrase", "min-length"),
    ("phrase", "blue\u200bheron", "phrase", "character"),
    ("phrase", "p\u0430ypal", "phrase", "mixed-scripts"),
    ("customer_id", "", "customer_id", "required"),
    ("customer_id", "   ", "customer_id", "required"),
    ("customer_id", "1" * 65, "customer_id", "max-length"),
    ("customer_id", "1\x00", "customer_id", "invalid-format"),
    ("customer_id", "\ud800", "customer_id", "invalid-format"),
]


@pytest.mark.parametrize("call", [link_device, unlink_device])
@pytest.mark.parametrize(
    ("field", "value", "at", "code"), WRONG, ids=[f"{one[0]}-{i}" for i, one in enumerate(WRONG)]
)
def test_bad_forms_are_refused_first(
    call: Any, field: str, value: str, at: str, code: str, server: Actor, ada: User, phone: Device
) -> None:
    link(server, ada, phone)
    good = {"customer_id": "nobody", "phrase": "Other phrase", "device_id": "device_unknown"}
    error = refusal(call, InvalidInput, actor=server, **{**good, field: value})
    assert isinstance(error, InvalidInput)
    assert [(one.field, one.code) for one in error.fields] == [(at, code)]


def test_a_bad_device_id_is_told_in_the_contracts_words(server: Actor) -> None:
    error = refusal(link_device, InvalidInput, actor=server, customer_id="", phrase="", device_id="not an id")
    assert error.message == "Invalid device ID format"


def test_another_customers_device_is_a_conflict_that_names_nobody(
    server: Actor, ada: User, cem: User, phone: Device
) -> None:
    link(server, ada, phone)
    for phrase in (PHRASE, "Grey Goose"):
        error = refusal(link, Conflict, server, cem, phone, phrase)
        assert (error.message, error.code) == ("Device already linked to another customer", "device-linked")
        assert error.details == {}


def test_a_second_phrase_and_another_customers_phrase_are_in_use(
    server: Actor, ada: User, cem: User, phone: Device
) -> None:
    link(server, ada, phone)
    link(server, cem, make_device(cem), "Grey Goose")
    free, of_ada = make_device(cem), make_device(ada)
    for customer, device, phrase in [
        (ada, phone, "Grey Goose"),
        (ada, phone, "White Stork"),
        (ada, of_ada, "White Stork"),
        (ada, of_ada, "GREY goose"),
        (cem, free, "blue heron"),
        (make_customer(ada.bank, "Dan"), free, "BLUE  heron"),
    ]:
        error = refusal(link, Conflict, server, customer, device, phrase)
        assert (error.message, error.code, error.details) == ("Phrase already in use", "phrase-in-use", {})


def test_all_three_have_to_match_to_cut(server: Actor, ada: User, cem: User, phone: Device) -> None:
    link(server, ada, phone)
    link(server, cem, make_device(cem), "Grey Goose")
    unlinked = make_device(ada)
    for customer, device, phrase in [
        (cem, phone, PHRASE),
        (ada, phone, "Grey Goose"),
        (ada, phone, "White Stork"),
        (ada, unlinked, PHRASE),
        (cem, phone, "Grey Goose"),
    ]:
        assert refusal(unlink, NotFound, server, customer, device, phrase).message == UNKNOWN


def test_a_cut_leaves_who_was_linked_and_nothing_secret(server: Actor, ada: User, phone: Device) -> None:
    link(server, ada, phone)
    cut = unlink_device(actor=server, customer_id=ada.public_id, phrase="BLUE heron", device_id=phone.public_id)
    kept = Link.objects.get()
    assert (kept.pk, kept.customer, kept.device) == (cut.pk, ada, phone)
    assert (kept.phrase, kept.device_id_sealed, kept.device_id_text, kept.end_reason) == (None, "", "", "cut")
    assert kept.ended_at is not None
    assert Phrase.objects.count() == 0
    event = AuditEvent.objects.get(event="link.cut")
    assert event.object_id == str(phone.pk)
    assert json.loads(event.data)["details"] == {"link": str(kept.pk), "customer": ada.public_id, "why": "cut"}
    assert refusal(unlink, NotFound, server, ada, phone).message == UNKNOWN
    check_whole(ada.bank_id)


def test_a_phrase_is_free_again_once_no_device_stands_for_it(
    server: Actor, ada: User, cem: User, phone: Device
) -> None:
    link(server, ada, phone)
    unlink(server, ada, phone)
    assert link(server, cem, phone).customer == cem
    assert link(server, ada, make_device(ada), "Grey Goose").customer == ada
    assert Link.objects.count() == 3


def test_staff_cut_a_link_by_its_id_and_a_repeat_is_quiet(
    server: Actor, bea: Actor, ada: User, phone: Device
) -> None:
    made = link(server, ada, phone)
    cut = cut_link(actor=bea, link_id=str(made.pk), reason="She asked us to")
    assert (cut.pk, cut.end_reason) == (made.pk, "cut")
    event = AuditEvent.objects.get(event="link.cut")
    assert (event.actor_label, event.reason) == ("Bea", "She asked us to")
    with nothing_written():
        assert cut_link(actor=bea, link_id=str(made.pk), reason="Again").ended_at == cut.ended_at
    assert refusal(cut_link, InvalidInput, actor=bea, link_id=str(made.pk), reason=" ").message


def test_links_of_another_bank_are_not_there(bea: Actor, bank: Bank) -> None:
    theirs = make_link(customer=make_customer(make_bank(), "Eve"))
    told = {
        refusal(cut_link, NotFound, actor=bea, link_id=link_id, reason="r").message
        for link_id in (str(theirs.pk), str(UUID(int=1)), "", "x", "\x00")
    }
    assert told == {"There is no such link."}


def actors(bank: Bank, ada: User) -> dict[str, Actor]:
    return {
        "customer": customer_actor(ada),
        "merchant": merchant_actor(make_application(bank, kind="merchant")),
        **{role: staff_actor(make_staff(bank, role)) for role in Role.values},
        "nobody's system": Actor.system("links"),
    }


def test_only_the_bank_and_who_manages_links_may(bank: Bank, ada: User, phone: Device) -> None:
    allowed = set()
    made = make_link(make_device(ada))
    for name, actor in actors(bank, ada).items():
        try:
            link(actor, ada, phone, made.phrase.text if made.phrase else "", reason="Asked at the desk")
            allowed.add(name)
            unlink(actor, ada, phone, made.phrase.text if made.phrase else "", reason="Asked at the desk")
        except Forbidden:
            refusal(unlink, Forbidden, actor, ada, phone, reason="r")
            refusal(cut_link, Forbidden, actor=actor, link_id=str(made.pk), reason="r")
    assert allowed == {Role.OPERATOR}
    assert len(who_can(Capability.LINKS_MANAGE)) == 1
    link(bank_actor(bank), ada, phone, made.phrase.text if made.phrase else "")
    link(Actor.system("demo", bank_id=bank.pk), ada, make_device(ada), made.phrase.text if made.phrase else "")


def test_staff_say_why(bea: Actor, server: Actor, ada: User, phone: Device) -> None:
    refusal(link, InvalidInput, bea, ada, phone)
    link(bea, ada, phone, reason="At the desk")
    refusal(unlink, InvalidInput, bea, ada, phone)
    refusal(unlink, InvalidInput, server, ada, phone, reason="4111 1111 1111 1111")
    unlink(bea, ada, phone, reason="At the desk")
    assert set(AuditEvent.objects.values_list("reason", flat=True)) == {"At the desk"}


def test_the_same_device_is_linked_once_in_the_database(ada: User, cem: User, phone: Device) -> None:
    from django.db import IntegrityError, transaction

    make_link(phone)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_link(phone, cem)
    with pytest.raises(IntegrityError), transaction.atomic():
        Link.objects.update(ended_at=clock.now())
