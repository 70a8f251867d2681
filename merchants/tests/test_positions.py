"""The counted spans of links: right after every history, and a page begins where the list says."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction

from devices.models import Device
from devices.operations.activation import unregister_device
from devices.operations.loss import report_lost
from devices.tests.factories import bank_actor, make_bank, make_customer, make_device, make_staff, staff_actor
from merchants.models import Link, LinkOrder, LinkSpan, LinkTotal
from merchants.operations import positions
from merchants.operations.links import cut_link, link_device, unlink_device
from merchants.queries import links as queries
from merchants.queries.links import list_links
from merchants.queries.spans import from_start
from merchants.tests.factories import linking_actor, make_link
from merchants.tests.whole import check_whole
from portal.accounts.models import Bank, User
from portal.accounts.operations.people import correct_customer
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db

START = "2026-03-01T12:00:00Z"


@dataclass
class Model:
    """The same in plain Python: what is linked (device → customer, phrase), since when, and who has which number."""

    numbers: dict[UUID, str] = field(default_factory=dict)
    linked: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)
    since: dict[UUID, tuple[object, UUID]] = field(default_factory=dict)  # when, and the link's id

    def phrase_of(self, customer: UUID) -> str | None:
        return next((phrase for owner, phrase in self.linked.values() if owner == customer), None)

    def may_link(self, device: UUID, customer: UUID, phrase: str) -> bool:
        if device in self.linked:
            return self.linked[device] == (customer, phrase)
        taken = any(phrase == used and owner != customer for owner, used in self.linked.values())
        return not taken and self.phrase_of(customer) in {None, phrase}

    def sorted(self, sort: LinkOrder, descending: bool) -> list[UUID]:
        """The ids of the open links."""

        def key(device: UUID) -> tuple[object, UUID]:
            when, link = self.since[device]
            number = self.numbers[self.linked[device][0]].encode().hex()
            return {LinkOrder.TIME: when, LinkOrder.CUSTOMER: number, LinkOrder.DEVICE: device}[sort], link

        return [self.since[device][1] for device in sorted(self.linked, key=key, reverse=descending)]


class History:
    """One bank's operations, drawn at random, each taken in the model as well."""

    def __init__(self, seed: int, bank: Bank) -> None:
        self.random = random.Random(seed)
        self.bank, self.server = bank, linking_actor(bank)
        self.bea = staff_actor(make_staff(bank))
        self.people = [make_customer(bank, customer_number=f"{number}") for number in range(8)]
        self.devices = [make_device(person) for person in self.people for _ in range(4)]
        self.model = Model(numbers={person.pk: person.customer_number or "" for person in self.people})

    def step(self) -> None:
        weighted: list[tuple[Callable[[], None], int]] = [
            (self.link, 12),
            (self.unlink, 3),
            (self.cut, 2),
            (self.correct, 2),
            (self.lose, 1),
            (self.retire, 1),
        ]
        steps, weights = zip(*weighted, strict=True)
        self.random.choices(steps, weights)[0]()

    def link(self) -> None:
        device, person = self.random.choice(self.devices), self.random.choice(self.people)
        phrase = f"phrase {self.random.randrange(10)}"
        possible = self.model.may_link(device.pk, person.pk, phrase)
        new = device.pk not in self.model.linked
        try:
            link = link_device(
                actor=self.server, customer_id=person.public_id, phrase=phrase, device_id=device.public_id
            )
        except Conflict:
            assert not possible
            return
        assert possible
        if new:
            self.model.linked[device.pk] = (person.pk, phrase)
            self.model.since[device.pk] = (link.linked_at, link.pk)

    def unlink(self) -> None:
        device, person = self.random.choice(self.devices), self.random.choice(self.people)
        if device.pk in self.model.linked and self.random.random() < 0.8:
            person = User.objects.get(pk=self.model.linked[device.pk][0])
        phrase = self.model.phrase_of(person.pk) or "phrase 1"
        try:
            unlink_device(actor=self.server, customer_id=person.public_id, phrase=phrase, device_id=device.public_id)
        except NotFound:
            assert self.model.linked.get(device.pk) != (person.pk, phrase)
            return
        self.gone(device)

    def cut(self) -> None:
        if self.model.linked:
            device = self.random.choice(list(self.model.linked))  # in the order in which they came: keys are random
            cut_link(actor=self.bea, link_id=str(self.model.since[device][1]), reason="r")
            self.gone(Device(pk=device))

    def correct(self) -> None:
        person, number = self.random.choice(self.people), f"{self.random.randrange(1000)}"
        if number in self.model.numbers.values():
            return
        correct_customer(actor=self.bea, user_id=person.pk, changes={"customer_number": number}, reason="r")
        self.model.numbers[person.pk] = number

    def lose(self) -> None:
        self.replace(lambda device: report_lost(actor=self.bea, device_id=device.public_id, reason="r"))

    def retire(self) -> None:
        self.replace(lambda device: unregister_device(actor=bank_actor(self.bank), device_id=device.public_id))

    def replace(self, end: Callable[[Device], object]) -> None:
        """The device is gone for this history; a new one of its owner's takes its place."""
        place = self.random.randrange(len(self.devices))
        device = self.devices[place]
        end(device)
        self.gone(device)
        self.devices[place] = make_device(device.owner)

    def gone(self, device: Device) -> None:
        self.model.linked.pop(device.pk, None)
        self.model.since.pop(device.pk, None)

    def compare(self, sort: LinkOrder, descending: bool, limit: int) -> None:
        """Every page of one order, and one beyond."""
        wanted = self.model.sorted(sort, descending)
        for page in range(1, len(wanted) // limit + 3):
            read = list_links(self.server, page=page, limit=limit, sort=sort, descending=descending)
            assert [one.link.pk for one in read.items] == wanted[(page - 1) * limit : page * limit]
            assert read.total == len(wanted)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 9))])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_page_is_right_after_any_history(seed: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "SPAN_SIZE", size)
    monkeypatch.setattr(queries, "NEAR", 1)
    with time_machine.travel(START, tick=False) as at:
        history, most = History(seed, make_bank()), 0
        for number in range(150):
            at.shift(timedelta(seconds=history.random.randrange(2)))  # some moments are shared
            history.step()
            if number % 30 == 29:
                check_whole(history.bank.pk)
                most = max(most, LinkSpan.objects.count())
                for sort in LinkOrder:
                    history.compare(sort, descending=bool(number % 60 == 29), limit=history.random.choice([1, 3, 8]))
    assert most > 3  # one for each order, and more: they were split on the way
    before = spans(history.bank)
    positions.rebuild(history.bank.pk)
    check_whole(history.bank.pk)
    assert sum(count for _, _, count in spans(history.bank)) == sum(count for _, _, count in before)


def spans(bank: Bank) -> list[tuple[str, str, int]]:
    rows = LinkSpan.objects.filter(bank=bank).order_by("order", "first_key", "first_id")
    return list(rows.values_list("order", "first_key", "count"))


def test_a_full_span_is_split_and_an_empty_one_goes(bank: Bank, bea: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "SPAN_SIZE", 4)
    with time_machine.travel(START, tick=False) as at:
        made = []
        for _ in range(5):
            at.shift(timedelta(seconds=1))
            made.append(make_link(customer=make_customer(bank)))
        times = LinkSpan.objects.filter(bank=bank, order=LinkOrder.TIME).order_by("first_key")
        assert list(times.values_list("first_key", "count")) == [("", 2), ("2026-03-01T12:00:03.000000+00:00", 3)]
        for link in made[2:]:
            cut_link(actor=bea, link_id=str(link.pk), reason="r")
        assert list(times.values_list("first_key", "count")) == [("", 2)]
        for link in made[:2]:
            cut_link(actor=bea, link_id=str(link.pk), reason="r")
        assert list(times.values_list("first_key", "count")) == [("", 0)]
    assert LinkTotal.objects.get(pk=bank.pk).total == 0
    check_whole(bank.pk)


def test_counts_are_each_banks_own(bank: Bank) -> None:
    other = make_bank()
    for owner in (bank, bank, other):
        make_link(customer=make_customer(owner))
    assert dict(LinkTotal.objects.values_list("bank_id", "total")) == {bank.pk: 2, other.pk: 1}
    check_whole(bank.pk)
    check_whole(other.pk)


@pytest.mark.parametrize("number", [0, 1, 4, 5, 23])
def test_counting_anew_makes_full_spans_and_a_repeat_the_same(
    number: int, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [make_link(customer=make_customer(bank)) for _ in range(number)]
    LinkSpan.objects.update(count=7)
    LinkTotal.objects.update(total=99)
    monkeypatch.setattr(positions, "SPAN_SIZE", 4)
    assert positions.rebuild(bank.pk) == number
    check_whole(bank.pk)
    told = spans(bank)
    assert len(told) == 3 * max(1, -(-number // 4))
    assert positions.rebuild(bank.pk) == number
    assert spans(bank) == told
    make_link(customer=make_customer(bank))
    check_whole(bank.pk)
    assert len(links) == number


def test_a_link_that_nobody_counted_is_found_by_counting_anew(bank: Bank, phone: Device, ada: User) -> None:
    link = make_link(phone)
    with transaction.atomic():
        LinkSpan.objects.all().delete()
        LinkTotal.objects.all().delete()
    assert positions.rebuild(bank.pk) == 1
    check_whole(bank.pk)
    assert Link.objects.get() == link


@pytest.mark.parametrize("order", LinkOrder)
def test_a_start_is_where_its_offset_is(
    order: LinkOrder, bank: Bank, monkeypatch: pytest.MonkeyPatch, server: Actor
) -> None:
    monkeypatch.setattr(positions, "SPAN_SIZE", 3)
    for _ in range(20):
        make_link(customer=make_customer(bank))
    listed = list_links(server, page=1, limit=100, sort=order, descending=False).items
    for offset in range(20):
        start = positions.start_of(bank.pk, order, offset)
        assert 0 <= start.skip <= 3
        links = Link.objects.open().filter(bank=bank)
        assert from_start(links, order, start)[start.skip] == listed[offset].link
    assert positions.start_of(make_bank().pk, order, 5).skip == 5


def test_times_are_counted_by_the_microsecond(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "SPAN_SIZE", 1)
    moment = clock.now().replace(microsecond=0)
    for microseconds in (0, 1, 999_999, 100_000, 500):
        make_link(customer=make_customer(bank), linked_at=moment + timedelta(microseconds=microseconds))
    check_whole(bank.pk)
