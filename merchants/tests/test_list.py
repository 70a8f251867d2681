"""The bank's list of links: pages in every order, and what a search finds."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device, make_staff, staff_actor
from merchants.models import Link, LinkOrder
from merchants.operations import positions
from merchants.operations.links import cut_link
from merchants.queries import links as queries
from merchants.queries.links import LinkPage, Listed, list_links, show_link
from merchants.tests.factories import linking_actor, make_link, make_merchant, make_sighting
from merchants.tests.whole import check_whole
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, NotFound

pytestmark = pytest.mark.django_db

START = "2026-03-01T12:00:00Z"


@pytest.fixture
def links(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """Sixty links of twenty customers in small spans; every third moment is shared."""
    monkeypatch.setattr(positions, "SPAN_SIZE", 5)
    monkeypatch.setattr(queries, "NEAR", 4)
    with time_machine.travel(START, tick=False) as at:
        people = [make_customer(bank, customer_number=f"{number * 37 % 100:02}") for number in range(20)]
        made = []
        for number in range(60):
            at.shift(timedelta(seconds=number % 3))
            made.append(make_link(customer=people[number % 20]))
    check_whole(bank.pk)
    return made


def ordered(links: list[Link], sort: LinkOrder, descending: bool) -> list[Link]:
    keys: dict[LinkOrder, Any] = {
        LinkOrder.TIME: lambda link: (link.linked_at, link.pk),
        LinkOrder.CUSTOMER: lambda link: (link.number_key, link.pk),
        LinkOrder.DEVICE: lambda link: (link.device_id, link.pk),
    }
    return sorted(links, key=keys[sort], reverse=descending)


def pages(actor: Actor, limit: int, **values: Any) -> Iterator[LinkPage]:
    number = 1
    while (page := list_links(actor, page=number, limit=limit, **values)).items:
        yield page
        number += 1


@pytest.mark.parametrize("sort", LinkOrder)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 60, 100])
def test_the_pages_are_the_sorted_list(
    server: Actor, links: list[Link], sort: LinkOrder, descending: bool, limit: int
) -> None:
    read = list(pages(server, limit, sort=sort, descending=descending))
    assert [one.link for page in read for one in page.items] == ordered(links, sort, descending)
    assert {(page.total, page.limit) for page in read} == {(60, limit)}
    assert [page.page for page in read] == list(range(1, len(read) + 1))


def test_a_line_tells_what_the_bank_sent(server: Actor, ada: User, phone: Device) -> None:
    made = make_link(phone, phrase="Blue  Heron", device_id=phone.public_id)
    (line,) = list_links(server, page=1, limit=20).items
    assert line == Listed(made, phone.public_id, ada.customer_number or "", "Blue  Heron", made.linked_at)


@pytest.mark.parametrize("page", [4, 61, 10**40])
def test_a_page_beyond_the_last_has_nothing(server: Actor, links: list[Link], page: int) -> None:
    for search in ("", "0"):
        found = list_links(server, page=page, limit=20, search=search)
        assert (found.items, found.total, found.page) == ((), 60 if not search else found.total, page)


def test_nobody_has_linked_yet(server: Actor) -> None:
    assert list_links(server, page=1, limit=20) == LinkPage((), 0, 1, 20)


@pytest.mark.parametrize(("page", "limit"), [(0, 20), (-1, 20), (1, 0), (1, 101)])
def test_pages_have_bounds(server: Actor, page: int, limit: int) -> None:
    with pytest.raises(InvalidInput):
        list_links(server, page=page, limit=limit)


def test_ended_and_other_banks_links_are_not_in_it(server: Actor, bea: Actor, links: list[Link]) -> None:
    eve = make_customer(make_bank(), "Eve", customer_number="00")
    theirs = make_link(customer=eve, phrase="Black Stork")
    cut_link(actor=bea, link_id=str(links[7].pk), reason="r")
    for search in ("", "0", eve.public_id, theirs.device_id_text, str(theirs.device_id), "Black Stork"):
        found = [one.link for page in pages(server, 100, search=search) for one in page.items]
        assert theirs not in found
        assert links[7] not in found
    assert list_links(server, page=1, limit=100).total == 59
    assert list_links(linking_actor(eve.bank), page=1, limit=100).total == 1


@pytest.mark.parametrize("who", ["customer", Role.SUPPORT, Role.APPROVER, Role.ADMINISTRATOR])
def test_only_who_links_may_look(who: str, bank: Bank, ada: User) -> None:
    made = make_link(customer=ada)
    actor = customer_actor(ada) if who == "customer" else staff_actor(make_staff(bank, who))
    for call in (lambda: list_links(actor, page=1, limit=20), lambda: show_link(actor, str(made.pk))):
        with pytest.raises(Forbidden):
            call()


def test_a_search_finds_a_device_by_each_of_its_ids(server: Actor, ada: User, phone: Device) -> None:
    made = make_link(phone)
    make_link(make_device(ada))
    for text in (phone.external_id, phone.public_id, str(phone.pk), str(phone.pk).upper()):
        found = list_links(server, page=1, limit=20, search=text)
        assert ([one.link for one in found.items], found.total) == ([made], 1)
    for text in (phone.external_id[:-1], phone.external_id.upper(), phone.public_id[:-1], phone.pk.hex):
        assert list_links(server, page=1, limit=20, search=text).total == 0


def test_a_device_whose_id_was_registered_anew_is_found_by_it(server: Actor, ada: User) -> None:
    make_device(ada, DeviceStatus.RETIRED, external_id="device_1")
    made = make_link(make_device(ada, external_id="device_1"))
    assert [one.link for one in list_links(server, page=1, limit=20, search="device_1").items] == [made]


def test_a_search_finds_a_phrase_in_its_normal_form(server: Actor, ada: User, cem: User) -> None:
    two = {make_link(make_device(ada), phrase="Blue Heron"), make_link(make_device(ada))}
    make_link(make_device(cem), phrase="Blue Herons")
    for text in ("Blue Heron", "  BLUE  heron ", "ｂｌｕｅ heron"):
        found = list_links(server, page=1, limit=20, search=text)
        assert ({one.link for one in found.items}, found.total) == (two, 2)
    for text in ("Blue", "heron", "Blue Hero", "blue\u200b heron", "B" * 300, "\ud800", "\x00", "a\nb"):
        assert list_links(server, page=1, limit=20, search=text).total == 0


def test_a_search_finds_a_customer_by_the_beginning_of_the_number(server: Actor, bank: Bank) -> None:
    numbers = ["10", "100", "1001", "101", "11", "1f", "1é", "1%", "1_", "A10", "a10", "é1"]
    made = {number: make_link(customer=make_customer(bank, customer_number=number)) for number in numbers}

    def found(text: str) -> set[str]:
        listed = list_links(server, page=1, limit=100, search=text)
        assert listed.total == len(listed.items)
        return {one.customer_number for one in listed.items}

    assert found("10") == {"10", "100", "1001", "101"}
    assert found("100") == {"100", "1001"}
    assert found("1001") == {"1001"}
    assert found("1") == {number for number in numbers if number.startswith("1")}
    assert (found("1%"), found("1_"), found("%"), found("_")) == ({"1%"}, {"1_"}, set(), set())
    assert (found("A"), found("a"), found("é"), found("1é")) == ({"A10"}, {"a10"}, {"é1"}, {"1é"})
    assert found("9") == set()
    assert found(User.objects.get(customer_number="101").public_id) == {"101"}
    assert len(made) == 12


def test_what_several_things_are_called_is_found_once_each(server: Actor, bank: Bank) -> None:
    """A text may be one customer's number, another's phrase and a third one's device; a link may be all three."""
    all_three = make_link(
        make_device(make_customer(bank, customer_number="12345"), external_id="12345"), phrase="12345"
    )
    by_device = make_link(make_customer_device(bank, "777", "12345-x"), phrase="others")
    found = list_links(server, page=1, limit=20, search="12345", sort=LinkOrder.CUSTOMER, descending=False)
    assert ([one.link for one in found.items], found.total) == ([all_three], 1)
    found = list_links(server, page=1, limit=20, search="12345-x")
    assert [one.link for one in found.items] == [by_device]


def make_customer_device(bank: Bank, number: str, external_id: str) -> Device:
    return make_device(make_customer(bank, customer_number=number), external_id=external_id)


@pytest.mark.parametrize("sort", LinkOrder)
@pytest.mark.parametrize("descending", [False, True])
def test_a_search_is_paged_and_sorted_like_the_list(
    server: Actor, links: list[Link], sort: LinkOrder, descending: bool
) -> None:
    numbers = dict(User.objects.values_list("pk", "customer_number"))
    meant = [link for link in links if (numbers[link.customer_id] or "").startswith("1")]
    assert len(meant) > 3
    read = list(pages(server, 2, search="1", sort=sort, descending=descending))
    assert [one.link for page in read for one in page.items] == ordered(meant, sort, descending)
    assert {page.total for page in read} == {len(meant)}


@pytest.mark.parametrize(
    ("page", "search", "most"), [(1, "", 3), (3, "", 4), (1, "12", 5), (1, "Blue heron", 5), (1, "device_1", 5)]
)
@pytest.mark.parametrize("sort", LinkOrder)
def test_a_page_costs_the_same_whatever_is_on_it(
    server: Actor, links: list[Link], sort: LinkOrder, page: int, search: str, most: int
) -> None:
    with CaptureQueriesContext(connection) as counted:
        list_links(server, page=page, limit=20, search=search, sort=sort)
    assert len(counted) <= most


def test_what_a_cut_would_mean(bea: Actor, ada: User, phone: Device) -> None:
    first = make_link(phone, phrase="Blue Heron")
    shown = show_link(bea, str(first.pk))
    assert (shown.link, shown.sightings, shown.frees_phrase) == (first, 0, True)
    assert shown.listed is not None
    assert shown.listed.phrase == "Blue Heron"
    second = make_link(make_device(ada))
    merchant = make_merchant(ada.bank)
    for _ in range(3):
        make_sighting(merchant, first)
    shown = show_link(bea, str(first.pk))
    assert (shown.sightings, shown.frees_phrase) == (3, False)
    cut_link(actor=bea, link_id=str(first.pk), reason="r")
    shown = show_link(bea, str(first.pk))
    assert (shown.listed, shown.sightings, shown.frees_phrase, shown.link.end_reason) == (None, 3, False, "cut")
    assert show_link(bea, str(second.pk)).frees_phrase


@pytest.mark.parametrize("link_id", ["", "x", "00000000-0000-0000-0000-000000000001"])
def test_a_link_that_is_not_there_is_not_shown(bea: Actor, link_id: str) -> None:
    with pytest.raises(NotFound):
        show_link(bea, link_id)


def test_another_banks_link_is_not_shown(bea: Actor) -> None:
    theirs = make_link(customer=make_customer(make_bank(), "Eve"))
    with pytest.raises(NotFound):
        show_link(bea, str(theirs.pk))


THOUSANDS = 4000


@pytest.fixture
def thousands(bank: Bank) -> list[Link]:
    """As many links as a planner takes seriously, loaded past the operations."""
    now = datetime.fromisoformat(START)
    people = User.objects.bulk_create(
        User(bank=bank, kind="customer", name="N", customer_number=f"{number:06}", password="!")
        for number in range(THOUSANDS)
    )
    from merchants.models import Phrase
    from merchants.models.links import number_key

    devices, phrases, links = [], [], []
    for number, person in enumerate(people):
        device = Device(bank=bank, owner=person, category="owned", kind="mobile", status="ACTIVE")
        device.registered_at = device.activated_at = device.updated_at = now
        device.set_external_id("app-id", f"device_{number}")
        phrase = Phrase(bank=bank, customer=person, made_at=now)
        phrase.set_text(f"phrase {number}", f"phrase {number}")
        link = Link(bank=bank, device=device, customer=person, phrase=phrase, device_id_sealed="x")
        link.number_key, link.linked_at = number_key(f"{number:06}"), now + timedelta(seconds=number)
        devices.append(device)
        phrases.append(phrase)
        links.append(link)
    Device.objects.bulk_create(devices, batch_size=500)
    Phrase.objects.bulk_create(phrases, batch_size=500)
    Link.objects.bulk_create(links, batch_size=500)
    with transaction.atomic():
        positions.rebuild(bank.pk)
    return links


@pytest.mark.slow
def test_everything_is_read_by_an_index(
    server: Actor, bank: Bank, thousands: list[Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the planner would do with each statement: nowhere is a table of links, phrases or devices read whole."""
    monkeypatch.setattr(queries, "_listed", lambda link: link)
    with connection.cursor() as cursor:
        for table in ("merchants_link", "merchants_phrase", "devices_device", "accounts_user", "merchants_linkspan"):
            cursor.execute(f"ANALYZE {table}")
        if connection.vendor == "postgresql":  # so few rows it would sometimes read whole, had it the choice
            cursor.execute("SET LOCAL enable_seqscan = off")
    asked: list[dict[str, Any]] = [
        {"page": page, "sort": sort, "descending": descending}
        for page in (1, 100)
        for sort in LinkOrder
        for descending in (False, True)
    ]
    if connection.vendor == "postgresql":  # SQLite takes no index for several conditions of which one has to hold
        person = User.objects.get(customer_number="000077")
        texts = ("device_77", "phrase 77", "000077", "00007", person.public_id)
        asked += [{"page": 1, "search": text, "sort": sort} for text in texts for sort in LinkOrder]
    for values in asked:
        with CaptureQueriesContext(connection) as counted:
            assert list_links(server, limit=20, **values).items
        for statement in counted:
            plan = explained(statement["sql"])
            assert not [line for line in plan if reads_whole(line)], (values, statement["sql"], plan)


def explained(statement: str) -> list[str]:
    kind = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{kind} {statement}")
        return [str(row[-1] if connection.vendor == "sqlite" else row[0]) for row in cursor.fetchall()]


def reads_whole(line: str) -> bool:
    if connection.vendor == "postgresql":
        return "Seq Scan on" in line and any(
            name in line for name in ("merchants_link ", "merchants_phrase", "devices_device", "accounts_user")
        )
    return bool(re.fullmatch(r"SCAN (merchants_|devices_|accounts_|U\d).*", line)) and "USING" not in line
