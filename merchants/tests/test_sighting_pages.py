"""The portal's pages about lookups: who was told of whom."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff
from merchants.models import Link, Merchant
from merchants.tests.factories import make_link, make_merchant, make_sighting
from portal.accounts import roles
from portal.accounts.models import Bank, User
from portal.accounts.roles import Capability, Role, capabilities_of
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]
HOSTILE = "<script>alert(1)</script>"
PHRASE, DEVICE_ID = "Quiet otter", "device_k3x9wq27"


@pytest.fixture
def sam(bank: Bank) -> Client:
    """Sam's browser; he is on the telephone."""
    return signed_in_client(make_staff(bank, Role.SUPPORT, "Sam"))


@pytest.fixture
def link(phone: Device) -> Link:
    return make_link(phone, phrase=PHRASE)


@pytest.fixture
def books(bank: Bank) -> Merchant:
    return merchant(bank, "Corner Books")


def merchant(bank: Bank, name: str) -> Merchant:
    return make_merchant(bank, application=make_application(bank, kind="merchant", dialects=["peere"], name=name))


def seen_url(customer: User) -> str:
    return f"/customers/{customer.pk}/merchants"


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()


@pytest.mark.parametrize("role", Role.values)
def test_lookups_are_for_who_sees_merchants(bank: Bank, books: Merchant, link: Link, ada: User, role: str) -> None:
    make_sighting(books, link)
    client = signed_in_client(make_staff(bank, role, "Max"))
    allowed = Capability.MERCHANTS_READ in capabilities_of(role)
    sees_devices = Capability.DEVICES_READ in capabilities_of(role)
    for number, (method, path) in enumerate(
        (("get", "/links/lookups"), ("get", seen_url(ada)), ("post", "/links/lookups/export")), 1
    ):
        answer = getattr(client, method)(path)
        assert answer.status_code == (200 if allowed else 403), path
        page = text_of(answer)
        assert ("Corner Books" in page) is allowed
        assert (link.device.public_id in page) is (allowed and sees_devices)
        assert PHRASE not in page
        assert DEVICE_ID not in page
        assert len(refusals()) == (0 if allowed else number)


def test_who_may_not_sees_nothing_and_leaves_one_event(
    bank: Bank, books: Merchant, link: Link, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sighting(books, link)
    monkeypatch.setitem(roles.CAPABILITIES, Role.AUDITOR, frozenset({Capability.DEVICES_READ}))
    client = signed_in_client(make_staff(bank, Role.AUDITOR, "Max"))
    for number, path in enumerate(("/links/lookups", seen_url(ada)), 1):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "Corner Books" not in answer.content.decode()
        assert len(refusals()) == number
    assert client.post("/links/lookups/export").status_code == 403
    assert {event.event for event in AuditEvent.objects.all()} == {"request.refused"}
    assert seen_url(ada) not in client.get(f"/customers/{ada.pk}").content.decode()


def test_what_is_another_banks_is_as_unknown(sam: Client) -> None:
    other = make_bank()
    link = make_link(customer=make_customer(other))
    theirs = merchant(other, "Elsewhere")
    make_sighting(theirs, link)
    client_id = theirs.application.client_id
    for path in (seen_url(link.customer), f"/customers/{uuid4()}/merchants", f"/links/lookups?merchant={client_id}"):
        assert sam.get(path).status_code == 404
    assert sam.post("/links/lookups/export", {"merchant": client_id}).status_code == 404
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 4
    assert AuditEvent.objects.count() == 4
    page = sam.get("/links/lookups").content.decode()
    assert "Elsewhere" not in page
    assert "No lookup" in page


def test_the_log_filters_by_merchant_and_walks_its_pages(
    sam: Client, bank: Bank, books: Merchant, link: Link
) -> None:
    garage = merchant(bank, "Northside Garage")
    now = clock.now()
    for ago in range(60):
        make_sighting(books, link, at=now - timedelta(minutes=ago))
    make_sighting(garage, link, at=now)
    first = sam.get(f"/links/lookups?merchant={books.application.client_id}")
    second = sam.get(first.context["pager"]["next_url"])
    found = [row for page in (first, second) for row in page.context["lookups"]]
    assert [row["at"] for row in found] == [now - timedelta(minutes=ago) for ago in range(60)]
    assert {row["merchant"] for row in found} == {"Corner Books"}
    assert books.application.client_id in second.context["pager"]["previous_url"]
    part = sam.get("/links/lookups", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part


def test_the_privacy_page_tells_who_how_often_and_when(
    sam: Client, bank: Bank, books: Merchant, link: Link, cem: User
) -> None:
    garage = merchant(bank, "Northside Garage")
    now = clock.now()
    for ago in (1, 5, 9):
        make_sighting(books, link, at=now - timedelta(hours=ago))
    make_sighting(garage, link, at=now)
    make_sighting(garage, make_link(customer=cem))
    answer = sam.get(seen_url(link.customer))
    rows = [(one["name"], one["count"], one["first"], one["last"]) for one in answer.context["seen"]]
    hour = timedelta(hours=1)
    assert rows == [("Northside Garage", 1, now, now), ("Corner Books", 3, now - 9 * hour, now - hour)]
    assert [tile["value"] for tile in answer.context["tiles"]] == [2, 4]
    assert len(answer.context["lookups"]) == 4
    assert seen_url(link.customer) in sam.get(f"/customers/{link.customer_id}").content.decode()


def test_a_customer_whom_nobody_saw(sam: Client, ada: User) -> None:
    assert "No merchant has seen this customer." in sam.get(seen_url(ada)).content.decode()


def test_hostile_texts_are_text(sam: Client, bank: Bank, ada: User) -> None:
    ada.name = HOSTILE
    ada.save()
    shop = merchant(bank, HOSTILE)
    make_sighting(shop, make_link(make_device(ada, model=HOSTILE)))
    for path in ("/links/lookups", f"/links/lookups?merchant={shop.application.client_id}", seen_url(ada)):
        page = sam.get(path).content.decode()
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("path", ["/links/lookups", "customer"])
def test_a_page_takes_as_many_queries_for_30_as_for_3(
    sam: Client, bank: Bank, ada: User, link: Link, path: str
) -> None:
    path = seen_url(ada) if path == "customer" else path
    counts = []
    for number in (3, 27):
        for _ in range(number):
            make_sighting(merchant(bank, f"Shop {number}"), make_link(customer=ada))
        sam.get(path)  # the session's first look
        with CaptureQueriesContext(connection) as captured:
            sam.get(path)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8


def test_the_file_guards_formulas_and_is_written_down(sam: Client, bank: Bank, books: Merchant) -> None:
    evil = merchant(bank, "=HYPERLINK(1)")
    customer = make_customer(bank, customer_number="@C1")
    link = make_link(customer=customer)
    make_sighting(evil, link)
    make_sighting(books, link)
    answer = sam.post("/links/lookups/export", {"merchant": evil.application.client_id})
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")
    head, line = text_of(answer).splitlines()
    assert head == "at,merchant,merchant-id,customer-number,device-id"
    assert line.split(",")[1:] == [
        "'=HYPERLINK(1)",
        evil.application.client_id,
        "'@C1",
        link.device.public_id,
    ]
    event = AuditEvent.objects.get()
    assert event.event == "lookups.exported"
    assert len(text_of(sam.post("/links/lookups/export")).splitlines()) == 3


def test_the_file_is_read_in_batches(
    sam: Client, books: Merchant, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merchants.queries.sightings.AT_ONCE", 2)
    for _ in range(5):
        make_sighting(books, link)
    answer = sam.post("/links/lookups/export")
    with CaptureQueriesContext(connection) as captured:
        assert len(text_of(answer).splitlines()) == 6
    assert len(captured) == 3
