"""The portal's pages about links: arguments in, pages and files out."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from merchants.models import Link, Phrase
from merchants.states import EndReason
from merchants.tests.factories import make_link, make_merchant, make_sighting
from portal.accounts.models import Bank, User
from portal.accounts.roles import Capability, Role, capabilities_of
from portal.audit.models import AuditEvent
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
PHRASE, DEVICE_ID = "Quiet otter", "device_k3x9wq27"


@pytest.fixture
def olga(bank: Bank) -> Client:
    """Olga's browser; she is an operator and manages links."""
    return signed_in_client(make_staff(bank, Role.OPERATOR, "Olga"))


@pytest.fixture
def link(ada: User, phone: Device) -> Link:
    return make_link(phone, phrase=PHRASE)


def browser_of(bank: Bank, role: str) -> Client:
    return signed_in_client(make_staff(bank, role, "Sam"))


def url(link: Link, step: str = "") -> str:
    return f"/links/{link.pk}{step}"


def rows(client: Client, query: str = "", **sought: str) -> list[str]:
    answer = client.post("/links", sought) if sought else client.get(f"/links{query}")
    return [row["device_id"] for row in answer.context["links"]]


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()


def wanted(**other: str) -> dict[str, str]:
    return {"customer_id": "", "device_id": DEVICE_ID, "phrase": PHRASE, "reason": "Asked at the desk"} | other


# Who


@pytest.mark.parametrize("role", Role.values)
def test_links_are_for_who_manages_them(bank: Bank, link: Link, role: str) -> None:
    client = browser_of(bank, role)
    allowed = Capability.LINKS_MANAGE in capabilities_of(role)
    pages = (("get", "/links"), ("post", "/links"), ("get", "/links/new"), ("get", url(link)))
    steps = (("get", url(link, "/cut")), ("post", "/links/export"))
    for number, (method, path) in enumerate((*pages, *steps), 1):
        answer = getattr(client, method)(path)
        assert answer.status_code == (200 if allowed else 403), path
        assert allowed or (PHRASE not in text_of(answer) and DEVICE_ID not in text_of(answer))
        assert len(refusals()) == (0 if allowed else number)
    assert ('href="/links"' in client.get("/").content.decode()) is allowed


def test_who_may_not_links_and_cuts_nothing(bank: Bank, link: Link, cem: User) -> None:
    make_device(cem, external_id="device_other")
    client = browser_of(bank, Role.SECURITY_OFFICER)
    sent = wanted(customer_id=cem.public_id, device_id="device_other", phrase="Some words")
    for path, fields in (("/links/new", sent), (url(link, "/cut"), {"reason": "Mine"})):
        assert client.post(path, fields).status_code == 403
    assert list(Link.objects.open()) == [link]
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 2


def test_another_banks_link_is_as_unknown(olga: Client) -> None:
    other = make_link(customer=make_customer(make_bank()))
    for path in (url(other), url(other, "/cut"), f"/links/{uuid4()}"):
        assert olga.get(path).status_code == 404
    assert olga.post(url(other, "/cut"), {"reason": "Not mine"}).status_code == 404
    other.refresh_from_db()
    assert other.ended_at is None
    assert [code for _, code, _, _ in refusals()] == ["not-found"] * 4
    assert rows(olga) == []


def test_a_stale_second_factor_is_asked_for_before_a_change_and_a_file(bank: Bank, link: Link) -> None:
    client = signed_in_client(make_staff(bank, Role.OPERATOR, "Olga"), fresh=False)
    for path in ("/links/new", url(link, "/cut"), "/links/export"):
        answer = client.post(path, {"reason": "Now"})
        assert "web/step_up.html" in [template.name for template in answer.templates], path
    link.refresh_from_db()
    assert link.ended_at is None
    assert not AuditEvent.objects.exists()


# The list


@pytest.mark.parametrize("sought", [DEVICE_ID, "quiet  OTTER", "MIGR0", "MIGR00007"])
def test_a_search_finds_by_device_phrase_and_number(olga: Client, bank: Bank, sought: str) -> None:
    ada = make_customer(bank, "Ada", customer_number="MIGR00007")
    make_link(make_device(ada, external_id=DEVICE_ID), phrase=PHRASE)
    make_link(customer=make_customer(bank, "Cem", customer_number="OTHER"))
    assert rows(olga, search=sought) == [DEVICE_ID]
    assert rows(olga, search="nothing-like-it") == []


def test_what_is_sought_stands_in_no_address(olga: Client, bank: Bank) -> None:
    ada = make_customer(bank)
    for number in range(30):
        make_link(make_device(ada, external_id=f"device_{number:04}"), phrase=PHRASE)
    page = olga.post("/links", {"search": PHRASE, "page": "2"}).content.decode()
    assert "Page 2 of 2" in page
    assert "30 links found" in page
    addresses = re.findall(r'(?:href|action)="([^"]*)"', page)
    assert not [found for found in addresses if "otter" in found.lower() or "device_0" in found]
    assert rows(olga, "?search=nothing-like-it&q=nothing") == rows(olga)  # a text in an address is not read


def test_pages_are_numbered_and_lose_no_link(olga: Client, ada: User) -> None:
    made = {make_link(make_device(ada, external_id=f"device_{number:04}")).device_id_text for number in range(60)}
    found = [row for page in (1, 2, 3) for row in rows(olga, f"?order=time-up&page={page}")]
    assert (len(found), set(found)) == (60, made)
    numbers = olga.get("/links?page=2").context["pager"]
    assert numbers == {"page": 2, "pages": 3, "first": 1, "previous": 1, "next": 3, "last": 3}
    last = olga.get("/links?page=3").content.decode()
    assert "Page 3 of 3" in last
    assert 'rel="next"' not in last
    assert rows(olga, search="device_0007") == ["device_0007"]
    beyond = olga.get("/links?page=900")
    assert beyond.context["pager"]["previous"] == 3
    assert "The list ends before this page" in beyond.content.decode()


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "²", "9" * 30])
def test_a_page_that_is_no_number_is_the_first(olga: Client, link: Link, page: str) -> None:
    assert olga.get("/links", {"page": page, "order": "nonsense"}).context["pager"]["page"] == 1


def test_the_list_sorts_by_customer_and_by_time(olga: Client, bank: Bank) -> None:
    for number in ("C2", "C3", "C1"):
        make_link(make_device(make_customer(bank, customer_number=number), external_id=f"device-{number}"))
    assert rows(olga) == ["device-C1", "device-C3", "device-C2"]
    assert rows(olga, "?order=time-up") == ["device-C2", "device-C3", "device-C1"]
    assert rows(olga, "?order=customer-up") == ["device-C1", "device-C2", "device-C3"]
    assert rows(olga, search="C", order="time-up", sort="customer-down") == ["device-C3", "device-C2", "device-C1"]
    assert 'aria-sort="ascending"' in olga.get("/links?order=customer-up").content.decode()


def test_a_search_that_is_too_long_says_so(olga: Client, link: Link) -> None:
    answer = olga.post("/links", {"search": "x" * 129})
    assert answer.status_code == 422
    assert "at most 128" in answer.content.decode()


def test_the_list_takes_as_many_queries_for_30_as_for_3(olga: Client, bank: Bank) -> None:
    counts = []
    for number in (3, 27):
        for _ in range(number):
            make_link(customer=make_customer(bank))
        olga.get("/links")  # the session's first look
        with CaptureQueriesContext(
            connection,
        ) as captured:
            olga.get("/links")
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8


# Linking


def test_a_device_is_linked(olga: Client, ada: User, phone: Device) -> None:
    answer = olga.post("/links/new", wanted(customer_id=ada.public_id))
    link = Link.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, url(link))
    assert (link.device, link.customer, link.device_id_text) == (phone, ada, DEVICE_ID)
    page = olga.get(url(link)).content.decode()
    assert "The device is linked." in page
    assert PHRASE in page
    event = AuditEvent.objects.get()
    assert (event.event, event.reason, event.channel) == ("link.made", "Asked at the desk", "portal")


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"device_id": "device_unknown"}, 404, "Device not found in system"),
        ({"customer_id": "nobody"}, 404, "Device not found in system"),
        ({"device_id": "spaces are none"}, 422, "Invalid device ID format"),
        ({"phrase": "ab"}, 422, "at least 3"),
        ({"reason": ""}, 422, "This is required."),
        ({"phrase": "Taken words"}, 409, "Phrase already in use"),
        ({"device_id": "device_cem"}, 409, "Device already linked to another customer"),
    ],
    ids=["device", "customer", "form", "phrase", "reason", "taken", "linked"],
)
def test_a_refusal_is_told_on_the_form_and_changes_nothing(
    olga: Client, ada: User, phone: Device, cem: User, fields: dict[str, str], status: int, says: str
) -> None:
    make_link(make_device(cem, external_id="device_cem"), phrase="Taken words")
    answer = olga.post("/links/new", wanted(customer_id=ada.public_id) | fields)
    assert answer.status_code == status
    assert says in answer.content.decode()
    assert cem.public_id not in answer.content.decode()
    assert (Link.objects.count(), Phrase.objects.count()) == (1, 1)
    assert [(event, code != "") for event, code, _, _ in refusals()] == [("request.refused", True)]


# One link, and cutting it


def test_the_preview_tells_what_cutting_means(olga: Client, ada: User, link: Link) -> None:
    make_sighting(make_merchant(ada.bank), link)
    page = olga.get(url(link, "/cut"))
    assert [line["count"] for line in page.context["preview"]] == [None, None, 1]
    assert "the phrase is forgotten" in page.content.decode()
    make_link(make_device(ada))
    assert "another device stands for it" in olga.get(url(link, "/cut")).content.decode()
    link.refresh_from_db()
    assert link.ended_at is None


def test_a_link_is_cut_with_a_reason(olga: Client, link: Link) -> None:
    answer = olga.post(url(link, "/cut"), {"reason": "Sold"})
    assert (answer.status_code, answer["Location"]) == (302, url(link))
    link.refresh_from_db()
    assert (link.end_reason, Phrase.objects.count()) == (EndReason.CUT, 0)
    page = olga.get(url(link)).content.decode()
    assert "The link was cut." in page
    assert "Cut by the bank" in page
    assert PHRASE not in page
    assert DEVICE_ID not in page
    assert url(link, "/cut") not in page
    assert AuditEvent.objects.get().event == "link.cut"


def test_a_link_that_has_ended_stays_as_it_is(olga: Client, link: Link) -> None:
    olga.post(url(link, "/cut"), {"reason": "Sold"})
    assert olga.get(url(link, "/cut"))["Location"] == url(link)
    olga.get(url(link))
    olga.post(url(link, "/cut"), {"reason": "Sold again"})
    assert "Nothing has changed" in olga.get(url(link)).content.decode()
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "x" * 501], ids=["none", "long"])
def test_cutting_without_a_good_reason_changes_nothing(olga: Client, link: Link, reason: str) -> None:
    assert olga.post(url(link, "/cut"), {"reason": reason}).status_code == 422
    link.refresh_from_db()
    assert link.ended_at is None
    assert [(code, about) for _, code, _, about in refusals()] == [("invalid-input", str(link.pk))]


def test_hostile_texts_are_text(olga: Client, ada: User) -> None:
    ada.name = HOSTILE
    ada.save()
    device = make_device(ada, nickname=HOSTILE, model=HOSTILE)
    link = make_link(device, phrase=HOSTILE, device_id="x'onload=1")
    for answer in (
        olga.get("/links"),
        olga.post("/links", {"search": HOSTILE}),
        olga.get(url(link)),
        olga.get(url(link, "/cut")),
        olga.get(f"/devices/{device.pk}"),
    ):
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()
        assert "&lt;script&gt;" in answer.content.decode()


# The file


def test_the_file_holds_every_link_and_guards_formulas(olga: Client, bank: Bank) -> None:
    for number, sign in enumerate("=+-@"):
        customer = make_customer(bank, customer_number=f"{sign}C{number}")
        make_link(make_device(customer), phrase=f"{sign}otter {number}", device_id=f"-dev{number}")
    make_link(customer=make_customer(make_bank()))
    answer = olga.post("/links/export")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    head, *lines = text_of(answer).splitlines()
    assert head == "device-id,customer-number,phrase,linked-at,link-id"
    assert [line.split(",")[:3] for line in reversed(lines)] == [
        [f"'-dev{number}", f"'{sign}C{number}", f"'{sign}otter {number}"] for number, sign in enumerate("=+-@")
    ]
    event = AuditEvent.objects.get()
    assert (event.event, event.bank_id) == ("links.exported", bank.pk)


def test_the_file_of_a_search_holds_what_was_found(olga: Client, bank: Bank, link: Link) -> None:
    make_link(customer=make_customer(bank))
    lines = text_of(olga.post("/links/export", {"search": PHRASE})).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(DEVICE_ID)
    assert PHRASE not in AuditEvent.objects.get().data
    assert olga.get("/links/export").status_code == 405


def test_the_file_is_read_in_batches(olga: Client, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("merchants.queries.links.AT_ONCE", 2)
    for _ in range(5):
        make_link(customer=make_customer(bank))
    answer = olga.post("/links/export")
    with CaptureQueriesContext(connection) as captured:
        lines = text_of(answer).splitlines()
    assert (len(lines), len(captured)) == (6, 3)
    assert len({line.rsplit(",", 1)[1] for line in lines}) == 6


# On the device's page


@pytest.mark.parametrize("role", Role.values)
def test_the_devices_page_tells_only_those_who_manage_links(bank: Bank, link: Link, role: str) -> None:
    answer = browser_of(bank, role).get(reverse("devices:detail", args=[link.device_id]))
    page = answer.content.decode()
    assert ("Linked to a phrase" in page) is (Capability.LINKS_MANAGE in capabilities_of(role))
    assert (url(link) in page) is (Capability.LINKS_MANAGE in capabilities_of(role))
    assert PHRASE not in page
    assert DEVICE_ID not in page


def test_a_device_without_a_link_says_nothing(olga: Client, ada: User) -> None:
    device = make_device(ada, DeviceStatus.ACTIVE)
    assert "Linked to a phrase" not in olga.get(f"/devices/{device.pk}").content.decode()
