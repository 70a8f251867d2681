"""Many at one device, one phrase, one customer at one time: one outcome, and counts that agree."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from devices.models import Device
from devices.operations.loss import report_lost
from devices.operations.transfer_acceptance import accept_transfer
from devices.states import DeviceStatus
from devices.tests.factories import (
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_transfer,
    staff_actor,
)
from merchants.models import Link, Phrase
from merchants.operations import positions
from merchants.operations.links import cut_link, link_device, unlink_device
from merchants.queries.links import list_links
from merchants.tests.factories import linking_actor, make_link
from merchants.tests.whole import check_whole
from portal.accounts.models import User
from portal.accounts.operations.people import correct_customer
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)

PHRASE = "Blue Heron"


def outcome(result: object) -> str:
    """A refusal's code, or what was returned; any other error is one."""
    if isinstance(result, DomainError):
        return result.code
    if isinstance(result, Exception):
        raise result
    return "done"


def link(server: Actor, customer: User, device: Device, phrase: str) -> Link:
    return link_device(actor=server, customer_id=customer.public_id, phrase=phrase, device_id=device.public_id)


def unlink(server: Actor, customer: User, device: Device, phrase: str) -> Link:
    return unlink_device(actor=server, customer_id=customer.public_id, phrase=phrase, device_id=device.public_id)


def race_links(
    server: Actor, people: list[User], devices: list[Device], phrases: list[str]
) -> list[Link | Exception]:
    """Link the first of each, the second of each and so on, all at once."""
    return race(len(people), lambda who: link(server, people[who], devices[who], phrases[who]))


@pytest.mark.slow
def test_sixty_four_customers_at_one_device_are_one_link_and_nobody_is_named() -> None:
    bank = make_bank()
    server, people = linking_actor(bank), [make_customer(bank) for _ in range(64)]
    device = make_device(people[0])
    results = race_links(server, people, [device] * 64, [f"Phrase {number}" for number in range(64)])
    assert Counter(map(outcome, results)) == {"done": 1, "device-linked": 63}
    refused = {(one.message, str(one.details)) for one in results if isinstance(one, Conflict)}
    assert refused == {("Device already linked to another customer", "{}")}
    assert Link.objects.get() in results
    assert AuditEvent.objects.count() == 1
    check_whole(bank.pk)


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_two_phrases_of_one_customer_leave_one(rounds: int) -> None:
    """No link is there yet whose lock they could wait for: the constraint decides, the check tells."""
    bank = make_bank()
    server = linking_actor(bank)
    for _ in range(rounds):
        ada = make_customer(bank)
        devices = [make_device(ada) for _ in range(4)]
        results = race_links(server, [ada] * 4, devices, [f"Phrase {one % 2} of {ada.pk}" for one in range(4)])
        told = Counter(map(outcome, results))
        assert told["done"] == 2
        assert told == {"done": 2, "phrase-in-use": 2}
        assert Phrase.objects.filter(customer=ada).count() == 1
    check_whole(bank.pk)


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_one_phrase_of_several_customers_is_one_customers(rounds: int) -> None:
    bank = make_bank()
    server = linking_actor(bank)
    for number in range(rounds):
        people = [make_customer(bank) for _ in range(4)]
        devices = [make_device(person) for person in people]
        results = race_links(server, people, devices, [f"PHRASE  {number}"] * 4)
        assert Counter(map(outcome, results)) == {"done": 1, "phrase-in-use": 3}
    assert Phrase.objects.count() == rounds
    check_whole(bank.pk)


def test_the_same_call_many_times_is_one_link() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    server, device = linking_actor(bank), make_device(ada)
    results = race(16, lambda number: link(server, ada, device, PHRASE))
    assert Counter(map(outcome, results)) == {"done": 16}
    assert len({one.pk for one in results if isinstance(one, Link)}) == 1
    assert AuditEvent.objects.count() == 1
    check_whole(bank.pk)


@pytest.mark.parametrize("rounds", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_the_last_device_leaves_while_another_comes(rounds: int) -> None:
    """Whoever is first: the new link has a phrase, and it is the only one there is."""
    bank = make_bank()
    server, ada = linking_actor(bank), make_customer(bank)
    for _ in range(rounds):
        first, second = make_device(ada), make_device(ada)
        make_link(first, phrase=PHRASE)
        calls: list[Callable[[], Link]] = [
            lambda first=first: unlink(server, ada, first, PHRASE),  # type: ignore[misc]
            lambda second=second: link(server, ada, second, PHRASE),  # type: ignore[misc]
        ]
        assert Counter(map(outcome, race(2, lambda who, calls=calls: calls[who]()))) == {"done": 2}  # type: ignore[misc]
        assert Link.objects.open().get().device == second
        check_whole(bank.pk)
        unlink(server, ada, second, PHRASE)
    assert Phrase.objects.count() == 0


@pytest.mark.parametrize("rounds", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_the_last_device_leaves_while_another_customer_takes_the_phrase(rounds: int) -> None:
    bank = make_bank()
    server, ada, cem = linking_actor(bank), make_customer(bank), make_customer(bank, "Cem")
    ended: Counter[str] = Counter()
    for _ in range(rounds):
        first, second = make_device(ada), make_device(cem)
        make_link(first, phrase=PHRASE)
        calls = [lambda: unlink(server, ada, first, PHRASE), lambda: link(server, cem, second, PHRASE)]  # noqa: B023
        left, came = race(2, lambda who: calls[who]())  # noqa: B023
        assert outcome(left) == "done"
        assert outcome(came) in {"done", "phrase-in-use"}
        ended[outcome(came)] += 1
        check_whole(bank.pk)
        for link_ in Link.objects.open():
            cut_link(actor=staff_actor(make_staff(bank)), link_id=str(link_.pk), reason="r")
    assert sum(ended.values()) == rounds


def test_many_cuts_of_one_link_are_one() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    server, device, bea = linking_actor(bank), make_device(ada), staff_actor(make_staff(bank))
    made = make_link(device, phrase=PHRASE)

    def cut(number: int) -> Link:
        if number % 2:
            return cut_link(actor=bea, link_id=str(made.pk), reason="r")
        return unlink(server, ada, device, PHRASE)

    told = Counter(map(outcome, race(12, cut)))
    assert told["done"] in {6, 7}  # a cut by its id is quiet again, an unlink finds nothing
    assert told["done"] + told["not-found"] == 12
    assert AuditEvent.objects.filter(event="link.cut").count() == 1
    check_whole(bank.pk)


def test_a_number_is_corrected_while_links_come() -> None:
    """A link is sorted by the number of today, whoever was faster."""
    bank = make_bank()
    server, ada, bea = linking_actor(bank), make_customer(bank, customer_number="0"), staff_actor(make_staff(bank))
    for number in range(1, 6):
        devices = [make_device(ada) for _ in range(4)]

        def step(who: int, number: int = number, devices: list[Device] = devices) -> object:
            if who == 0:
                changes = {"customer_number": f"{number}"}
                return correct_customer(actor=bea, user_id=ada.pk, changes=changes, reason="r")
            return link(server, ada, devices[who - 1], PHRASE)

        assert Counter(map(outcome, race(5, step))) == {"done": 5}
        key = f"{number}".encode().hex()
        assert set(Link.objects.values_list("number_key", flat=True)) == {key}
        check_whole(bank.pk)


def deadlocks() -> int:
    """How often PostgreSQL had to end a transaction; some operations would try again and hide it."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def furious(bank_links: int, threads: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that takes links' locks at once. Whatever is refused is refused by a rule, and all is whole."""
    monkeypatch.setattr(positions, "SPAN_SIZE", 3)
    bank = make_bank()
    server, bea = linking_actor(bank), staff_actor(make_staff(bank))
    people = [make_customer(bank, customer_number=f"{number}") for number in range(5)]
    devices = [make_device(people[number % 5]) for number in range(bank_links)]
    for device in devices[::2]:
        make_link(device, phrase=f"phrase of {device.owner.pk}")
    offers = {device.pk: make_transfer(device, people[0]) for device in devices[1::5] if device.owner != people[0]}

    def work(number: int) -> Counter[str]:
        draw, told = random.Random(number), Counter[str]()
        for turn in range(rounds):
            device, person = draw.choice(devices), draw.choice(people)
            phrase = f"phrase of {person.pk}"
            steps: list[Callable[[], object]] = [
                lambda: link(server, person, device, phrase),  # noqa: B023
                lambda: link(server, person, device, phrase),  # noqa: B023
                lambda: unlink(server, person, device, phrase),  # noqa: B023
                lambda: correct_customer(
                    actor=bea,
                    user_id=person.pk,  # noqa: B023
                    changes={"customer_number": f"{number}-{turn}"},  # noqa: B023
                    reason="r",
                ),
                lambda: list_links(server, page=1, limit=20),
            ]
            if turn % 5 == 4:
                steps = [lambda: report_lost(actor=bea, device_id=device.public_id, reason="r")]  # noqa: B023
            elif device.pk in offers and draw.random() < 0.5:
                steps = [
                    lambda: accept_transfer(
                        actor=customer_actor(people[0]),
                        transfer_id=offers[device.pk].public_id,  # noqa: B023
                        acceptance_code="12345678",
                    )
                ]
            try:
                draw.choice(steps)()
                told["done"] += 1
            except DomainError as error:
                told[error.code] += 1
        return told

    before = deadlocks()
    results = race(threads, work)
    assert not [one for one in results if isinstance(one, Exception)]
    check_whole(bank.pk)
    for link_ in Link.objects.open().select_related("customer", "device"):
        assert link_.number_key == (link_.customer.customer_number or "").encode().hex()
        assert link_.device.status != DeviceStatus.RETIRED
    assert deadlocks() == before


def test_everything_at_once_waits_in_no_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    furious(20, 6, 10, monkeypatch)


@pytest.mark.slow
def test_much_of_everything_at_once_waits_in_no_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    furious(60, 16, 40, monkeypatch)


def test_an_operation_that_is_undone_leaves_no_count() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    make_link(make_device(ada), phrase=PHRASE)
    server, other = linking_actor(bank), make_device(ada)
    with transaction.atomic():
        link(server, ada, other, PHRASE)
        transaction.set_rollback(True)
    check_whole(bank.pk)
    assert Link.objects.count() == 1
