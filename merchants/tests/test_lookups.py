"""What a merchant finds, what it does not, and what both cost."""

from datetime import UTC, datetime

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
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
from merchants.models import Merchant, Sighting
from merchants.models.links import Link
from merchants.operations.lookups import Found, look_up
from merchants.states import EndReason
from merchants.tests.factories import make_link, merchant_actor
from merchants.tests.shop import (
    PHONE,
    PHRASE,
    Shop,
    refused,
    shop_of,
    statements,
    told,
    written,
)
from portal.accounts.actors import client_actor
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, InvalidInput, NotFound

NOON = datetime(2026, 11, 2, 12, 20, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def cut(link: Link) -> None:
    Link.objects.filter(pk=link.pk).update(
        ended_at=clock.now(), end_reason=EndReason.CUT, phrase=None, device_id_sealed=""
    )


def test_a_hit_tells_the_phrase_and_is_written_down(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False):
        found = shop.ask()
    assert (found.device_id, found.phrase, found.bank_id) == (PHONE, PHRASE, shop.bank.code)
    assert found.customer_id.startswith("PCI_")
    seen = Sighting.objects.get()
    assert (seen.bank_id, seen.merchant_id, seen.link_id, seen.customer_id, seen.at) == (
        shop.bank.pk,
        shop.merchant.pk,
        shop.link.pk,
        shop.ada.pk,
        NOON,
    )
    assert (shop.counts(), written()) == ([], [])


def test_our_own_ids_name_the_device_too_and_come_back_as_they_were_sent(shop: Shop) -> None:
    for text in (shop.phone.public_id, str(shop.phone.pk), str(shop.phone.pk).upper()):
        assert shop.ask(text) == Found(text, PHRASE, shop.ask().customer_id, shop.bank.code)


def test_the_customer_of_a_link_is_told_and_not_the_owner(shop: Shop) -> None:
    partner = make_customer(shop.bank, "Pia")
    other = make_device(shop.ada, external_id="device_shared")
    make_link(other, partner, "Pia's own")
    found = shop.ask("device_shared")
    assert found.phrase == "Pia's own"
    assert found.customer_id != shop.ask().customer_id
    assert Sighting.objects.filter(customer=partner).count() == 1


class Kinds:
    """A device of each kind that a merchant does not find, by name."""

    def __init__(self, shop: Shop) -> None:
        bank = shop.bank
        self.ids = {
            name: f"device_{name}"
            for name in ("unknown", "unlinked", "cut", "pending", "inactive", "blocked", "retired", "elsewhere")
        }
        self.make(shop.ada, "unlinked")
        cut(make_link(self.make(shop.ada, "cut"), make_customer(bank)))
        for name in ("pending", "inactive", "blocked", "retired"):
            device = self.make(shop.ada, name, DeviceStatus[name.upper()])
            make_link(device, make_customer(bank))
        make_link(self.make(make_customer(make_bank()), "elsewhere"))

    def make(self, owner: object, name: str, status: str = DeviceStatus.ACTIVE) -> Device:
        return make_device(owner, status, external_id=self.ids[name])  # type: ignore[arg-type]


def test_whatever_is_not_found_is_refused_alike_and_counted(shop: Shop) -> None:
    kinds = Kinds(shop)
    for number, device_id in enumerate(kinds.ids.values(), 1):
        with refused(NotFound, "not-found"):
            shop.ask(device_id)
        assert shop.counts() == [(number, 0)]
    with pytest.raises(NotFound) as refusal:
        shop.ask("device_unknown")
    assert refusal.value.message == "Device not found in system"
    assert refusal.value.details == {}


def test_whatever_is_not_found_costs_the_same_statements(shop: Shop) -> None:
    kinds = Kinds(shop)
    told(lambda: shop.ask("first-of-the-hour"))
    shapes = set()
    for device_id in kinds.ids.values():
        sent = statements(lambda device_id=device_id: shop.ask(device_id))
        shapes.add(tuple(shape(sql) for sql in sent))
        assert len(sent) == 2, sent
    assert len(shapes) == 1, shapes


def shape(sql: str) -> str:
    """A statement without its values: they are what stands between quotes, and digests."""
    return "'".join(part for number, part in enumerate(sql.split("'")) if number % 2 == 0)


def test_by_our_own_ids_they_are_refused_alike_too(shop: Shop) -> None:
    Kinds(shop)
    told(lambda: shop.ask("first-of-the-hour"))
    others = list(Device.objects.exclude(pk=shop.phone.pk).order_by("pk"))
    shapes = {
        tuple(shape(sql) for sql in statements(lambda device=device: shop.ask(device.public_id)))
        for device in [*others, Device()]
    }
    assert len(shapes) == 1
    assert not Sighting.objects.exists()


def test_a_hit_and_a_miss_cost_two_statements_each(shop: Shop) -> None:
    assert [sql.split()[0] for sql in statements(shop.ask)] == ["SELECT", "INSERT"]
    told(lambda: shop.ask("first-of-the-hour"))
    assert [sql.split()[0] for sql in statements(lambda: shop.ask("device_unknown"))] == ["SELECT", "UPDATE"]


def test_a_device_that_is_switched_off_is_missed_by_the_next_call(shop: Shop) -> None:
    shop.ask()
    Device.objects.filter(pk=shop.phone.pk).update(status=DeviceStatus.INACTIVE, held_by=HeldBy.OWNER)
    with refused(NotFound):
        shop.ask()
    Device.objects.filter(pk=shop.phone.pk).update(status=DeviceStatus.ACTIVE, held_by=HeldBy.NOBODY)
    assert shop.ask().phrase == PHRASE
    cut(shop.link)
    with refused(NotFound):
        shop.ask()


def test_no_device_stands_in_for_the_one_that_its_id_names(shop: Shop) -> None:
    """Somebody registered an application id that is another device's UUID."""
    thief = make_customer(shop.bank, "Cem")
    make_link(make_device(thief, external_id=str(shop.phone.pk)))
    assert shop.ask(str(shop.phone.pk)).phrase == PHRASE
    cut(shop.link)
    with refused(NotFound):
        shop.ask(str(shop.phone.pk))


def test_an_id_that_was_given_back_names_the_device_in_use(shop: Shop) -> None:
    old = make_device(shop.ada, DeviceStatus.RETIRED, external_id="device_again")
    new = make_device(shop.ada, external_id="device_again")
    assert old.pk != new.pk
    make_link(new)
    assert shop.ask("device_again").phrase == PHRASE


@pytest.mark.parametrize("device_id", ["", "a" * 129, "device id", "device_é", "device\n", "../x", "a\x00b"])
def test_an_id_of_another_form_is_neither_looked_up_nor_counted(shop: Shop, device_id: str) -> None:
    with refused(InvalidInput):
        assert statements(lambda: shop.ask(device_id)) == []
        shop.ask(device_id)
    assert shop.counts() == []


def test_merchants_look_up_and_nobody_else(shop: Shop) -> None:
    others = [
        staff_actor(make_staff(shop.bank)),
        bank_actor(shop.bank),
        customer_actor(shop.ada, shop.phone),
        Actor.system("tests", bank_id=shop.bank.pk),
        Actor.system("tests"),
        client_actor(make_application(shop.bank, "mobile"), channel=Channel.PEERE),
    ]
    for actor in others:
        with refused(Forbidden, "merchants-only"):
            look_up(actor=actor, device_id=PHONE)


def test_another_banks_merchant_finds_nothing(shop: Shop) -> None:
    stranger = shop_of(make_bank(), "Elsewhere")
    with refused(NotFound):
        look_up(actor=merchant_actor(stranger), device_id=PHONE)


def test_each_bank_has_its_own_link_of_the_same_id(shop: Shop) -> None:
    other = Shop(ada=make_customer(make_bank(), "Bo"))
    assert other.link.bank_id != shop.link.bank_id
    assert {shop.ask().bank_id, other.ask().bank_id} == {shop.bank.code, other.bank.code}
    assert shop.ask().customer_id != other.ask().customer_id


# Whom the merchant is told of.


def test_a_pseudonym_is_stable_and_another_for_each_merchant(shop: Shop) -> None:
    second = shop_of(shop.bank, "Second")
    first = [shop.ask().customer_id for _ in range(2)]
    told_second = look_up(actor=merchant_actor(second), device_id=PHONE).customer_id
    assert len({*first, told_second}) == 2
    number = str(shop.ada.customer_number)
    assert number not in first[0]
    assert shop.ada.public_id[4:] not in first[0]
    cut(shop.link)
    make_link(make_device(shop.ada, external_id="device_new"), phrase="Another phrase")
    assert shop.ask("device_new").customer_id == first[0]  # of the customer, not of the link


def test_customer_numbers_where_the_bank_decided_so(shop: Shop) -> None:
    Merchant.objects.filter(pk=shop.merchant.pk).update(plain_ids=True)
    assert shop.ask().customer_id == shop.ada.customer_number


# A merchant whose client was made without a row of its own.


@pytest.fixture
def bare(shop: Shop) -> Actor:
    return merchant_actor(make_application(shop.bank, "merchant", name="Bare"))


@pytest.mark.parametrize("finds", [True, False], ids=["hit", "miss"])
def test_its_first_lookup_makes_its_row(shop: Shop, bare: Actor, finds: bool) -> None:
    def look() -> str:
        return told(lambda: look_up(actor=bare, device_id=PHONE if finds else "device_unknown"))

    assert look() == ("" if finds else "not-found")
    made = Merchant.objects.get(pk=bare.application_id)
    assert (made.bank_id, made.budget, made.budget_now, made.plain_ids) == (shop.bank.pk, 100, 100, False)
    assert Sighting.objects.filter(merchant=made).count() == int(finds)
    assert list(made.hours.values_list("misses", "refused")) == ([] if finds else [(1, 0)])
    assert look() == ("" if finds else "not-found")
    assert Merchant.objects.filter(pk=bare.application_id).count() == 1
