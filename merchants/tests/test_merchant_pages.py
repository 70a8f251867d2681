"""The portal's pages about merchants: arguments in, pages out."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff
from merchants.models import LookupHour, Merchant, MerchantAlert
from merchants.states import AlertKind
from merchants.tests.factories import make_alert, make_link, make_merchant, make_sighting
from portal.accounts.models import Application, Bank
from portal.accounts.roles import Capability, Role, capabilities_of
from portal.accounts.tests.people import code_at, enrol
from portal.approvals.models import ApprovalRequest
from portal.audit.models import AuditEvent
from portal.web.tests.approving import decision, page_of
from portal.web.tests.approving import url as approving_url
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 3, 4, 12, 20, tzinfo=UTC)
HOUR = MOMENT.replace(minute=0)
HOSTILE = "<script>alert(1)</script>"
WHY = "The till is new"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(MOMENT, tick=False):
        yield


@pytest.fixture
def shop(bank: Bank) -> Merchant:
    return make_merchant(bank, application=make_application(bank, "merchant", name="Corner Books"))


@pytest.fixture
def oda(bank: Bank) -> Client:
    """Oda's browser; she is a security officer and manages merchants."""
    return signed_in_client(make_staff(bank, Role.SECURITY_OFFICER, "Oda"))


@pytest.fixture
def ann(bank: Bank) -> Client:
    """Ann's browser; she is the administrator, who makes clients."""
    return signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Ann"))


def url(shop: Merchant, step: str = "") -> str:
    return f"/merchants/{shop.application.client_id}{step}"


def now(shop: Merchant) -> Merchant:
    return Merchant.objects.select_related("application").get(pk=shop.pk)


@pytest.mark.parametrize("role", list(Role))
def test_who_may_read_sees_them_and_who_may_manage_gets_the_forms(bank: Bank, shop: Merchant, role: Role) -> None:
    browser = signed_in_client(make_staff(bank, role, "Sam"))
    reads = Capability.MERCHANTS_READ in capabilities_of(role)
    for path in ("/merchants", url(shop)):
        assert browser.get(path).status_code == (200 if reads else 403)
    page = browser.get(url(shop)).content.decode()
    assert ("budget-reason" in page) == (Capability.MERCHANTS_MANAGE in capabilities_of(role))
    assert (url(shop, "/secret") in page) == (reads and Capability.CLIENTS_MANAGE in capabilities_of(role))


def test_another_banks_merchant_is_unknown(oda: Client) -> None:
    foreign = make_merchant(make_bank())
    alert = make_alert(foreign, AlertKind.BUDGET)
    for path in (url(foreign), f"/merchants/alerts/{alert.pk}", "/merchants/nobody"):
        assert oda.get(path).status_code == 404
    assert oda.post(url(foreign), {"suspend-reason": WHY}).status_code == 404
    assert now(foreign).application.suspended_at is None


def test_the_list_shows_each_ones_hour_and_what_waits_to_be_looked_at(
    bank: Bank, shop: Merchant, oda: Client
) -> None:
    link = make_link(make_device(make_customer(bank)))
    make_sighting(shop, link)
    LookupHour.objects.create(merchant=shop, hour=HOUR, misses=7, refused=2)
    make_alert(shop, AlertKind.BUDGET)
    answer = oda.get("/merchants")
    (row,) = answer.context["merchants"]
    assert (row["name"], row["hits"], row["misses"], row["refused"], row["budget_now"], row["open_alerts"]) == (
        "Corner Books",
        1,
        7,
        2,
        100,
        1,
    )
    chart = answer.context["chart"]
    assert (len(chart.bars), chart.lower, chart.upper) == (24, 1, 9)
    assert "Busiest hour: 4 Mar, 12:00 with 10." in chart.description


def test_queries_do_not_grow_with_what_is_shown(bank: Bank, shop: Merchant, oda: Client) -> None:
    def counted(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert oda.get(path).status_code == 200
        return len(queries)

    few = [counted(path) for path in ("/merchants", url(shop), "/")]
    for number in range(20):
        link = make_link(make_device(make_customer(bank, f"Customer {number}")))
        make_sighting(shop, link)
        make_sighting(make_merchant(bank), link)
    make_alert(shop, AlertKind.BUDGET)
    make_alert(shop, AlertKind.SEQUENCE)
    assert [counted(path) for path in ("/merchants", url(shop), "/")] == few


def test_the_fifty_first_is_on_the_next_page(bank: Bank, oda: Client) -> None:
    names = [f"Shop {number:02}" for number in range(51)]
    for name in names:
        make_merchant(bank, application=make_application(bank, "merchant", name=name))
    first = oda.get("/merchants")
    second = oda.get(first.context["pager"]["next_url"])
    assert [row["name"] for row in (*first.context["merchants"], *second.context["merchants"])] == names


def test_a_hostile_name_stays_text(bank: Bank, oda: Client) -> None:
    shop = make_merchant(bank, application=make_application(bank, "merchant", name=HOSTILE))
    make_alert(shop, AlertKind.BUDGET)
    for path in ("/merchants", url(shop), "/"):
        page = oda.get(path).content.decode()
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_new_merchants_secret_is_shown_once(bank: Bank, ann: Client) -> None:
    answer = ann.post("/merchants/new", {"name": "Kiosk", "allowed_ips": "192.0.2.0/24"})
    client = Application.objects.get(name="Kiosk")
    assert (client.kind, client.allowed_ips, client.merchant.budget) == ("merchant", ["192.0.2.0/24"], 100)
    (secret,) = answer.context["secrets"]
    assert secret["text"] in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert secret["text"] not in ann.get(f"/merchants/{client.client_id}").content.decode()


def test_a_name_that_is_none_makes_nothing(ann: Client, oda: Client) -> None:
    assert ann.post("/merchants/new", {"name": " "}).status_code in {400, 422}
    assert oda.post("/merchants/new", {"name": "Kiosk"}).status_code == 403
    assert not Application.objects.filter(kind="merchant").exists()


def test_a_new_secret_replaces_the_old_one(shop: Merchant, ann: Client, oda: Client) -> None:
    before = shop.application.client_secret
    assert oda.post(url(shop, "/secret"), {"reason": WHY}).status_code == 403
    assert ann.post(url(shop, "/secret"), {"reason": ""}).status_code == 422
    assert now(shop).application.client_secret == before
    (secret,) = ann.post(url(shop, "/secret"), {"reason": WHY}).context["secrets"]
    assert len(secret["text"]) > 40
    assert now(shop).application.client_secret != before


def test_a_smaller_budget_counts_at_once_and_a_great_one_waits(shop: Merchant, oda: Client) -> None:
    answer = oda.post(url(shop), {"budget-budget": "20", "budget-reason": WHY})
    assert answer.status_code == 302
    assert (now(shop).budget, now(shop).budget_now) == (20, 20)
    oda.post(url(shop), {"budget-budget": "5000", "budget-reason": WHY})
    assert now(shop).budget == 20
    assert ApprovalRequest.objects.get().operation == "merchant.budget"
    (waiting,) = oda.get(url(shop)).context["waiting"]
    assert waiting["label"] == "Change a merchant's budget"


@pytest.mark.parametrize("fields", [{"budget-budget": "0"}, {"budget-budget": "many"}, {}], ids=["0", "text", "none"])
def test_a_budget_that_is_none_changes_nothing(shop: Merchant, oda: Client, fields: dict[str, str]) -> None:
    answer = oda.post(url(shop), {**fields, "budget-reason": WHY})
    assert answer.status_code == 422
    assert now(shop).budget == 100
    assert not AuditEvent.objects.filter(event="merchant.changed").exists()


def test_plain_ids_wait_for_a_second_person(shop: Merchant, oda: Client) -> None:
    oda.post(url(shop), {"plain-plain": "yes", "plain-reason": WHY})
    assert not now(shop).plain_ids
    assert ApprovalRequest.objects.get().operation == "merchant.plain-ids"


def test_one_person_suspends_and_two_let_in_again(shop: Merchant, oda: Client) -> None:
    oda.post(url(shop), {"suspend-reason": WHY})
    assert now(shop).application.suspended_at == MOMENT
    oda.post(url(shop), {"resume-reason": WHY})
    assert now(shop).application.suspended_at == MOMENT
    assert ApprovalRequest.objects.get().operation == "merchant.resume"
    assert oda.post(url(shop), {"suspend-reason": WHY}).status_code == 409


@pytest.mark.parametrize(
    ("fields", "decided"),
    [({"plain-plain": "yes", "plain-reason": WHY}, (True, MOMENT)), ({"resume-reason": WHY}, (False, None))],
    ids=["plain-ids", "resume"],
)
def test_the_second_persons_yes_carries_it_out(
    bank: Bank, shop: Merchant, oda: Client, fields: dict[str, str], decided: tuple[bool, datetime | None]
) -> None:
    oda.post(url(shop), {"suspend-reason": WHY})
    oda.post(url(shop), fields)
    request = ApprovalRequest.objects.get()
    avi = make_staff(bank, Role.APPROVER, "Avi")
    secret, _ = enrol(avi)
    browser = signed_in_client(avi)
    page = page_of(browser.get(approving_url(request)))
    assert "Corner Books" in page
    answer = browser.post(approving_url(request, "decide"), decision(request, code_at(secret)))
    assert answer.status_code == 302
    request.refresh_from_db()
    assert request.state == "DONE"
    assert (now(shop).plain_ids, now(shop).application.suspended_at) == decided
    assert oda.get(url(shop)).context["waiting"] == []


def test_support_reads_and_changes_nothing(bank: Bank, shop: Merchant) -> None:
    browser = signed_in_client(make_staff(bank, Role.SUPPORT, "Sam"))
    for fields in ({"suspend-reason": WHY}, {"budget-budget": "many", "budget-reason": WHY}):
        assert browser.post(url(shop), fields).status_code == 403
    assert (now(shop).budget, now(shop).application.suspended_at) == (100, None)
    assert len(refusals()) == 2


def test_an_alert_that_was_looked_at_gives_the_budget_back(shop: Merchant, oda: Client) -> None:
    alert = make_alert(shop, AlertKind.BUDGET)
    Merchant.objects.filter(pk=shop.pk).update(budget_now=50)
    path = f"/merchants/alerts/{alert.pk}"
    assert oda.get(path).status_code == 200
    assert oda.post(path, {"reason": ""}).status_code == 422
    assert now(shop).budget_now == 50
    assert oda.post(path, {"reason": "Their scanner was broken"}).status_code == 302
    assert now(shop).budget_now == 100
    alert = MerchantAlert.objects.get()
    assert (alert.reviewed_at, alert.note) == (MOMENT, "Their scanner was broken")
    assert "Their scanner was broken" in oda.get(url(shop)).content.decode()


def test_the_dashboard_shows_what_nobody_has_looked_at(bank: Bank, shop: Merchant, oda: Client) -> None:
    assert "Lookups by merchants" not in oda.get("/").content.decode()
    make_alert(shop, AlertKind.BUDGET)
    LookupHour.objects.create(merchant=shop, hour=HOUR, misses=3)
    page = oda.get("/").content.decode()
    assert "Merchants to be looked at" in page
    assert "Lookups by merchants, last 24 hours" in page
    olga = signed_in_client(make_staff(make_bank(), Role.OPERATOR, "Olga"))
    assert "Merchants to be looked at" not in olga.get("/").content.decode()
