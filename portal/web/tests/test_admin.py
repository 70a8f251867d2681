"""The admin as a whole: who gets in, what it shows to whom, and what it never does."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.admin import site as djangos_own
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff
from portal.accounts.models import Bank, User
from portal.accounts.operations.people import contact_of, correct_customer
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.web.admin_lists import BoundedPaginator
from portal.web.admin_site import site
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db

CONTACT = {"phone": "+381641234567", "email": "ada@example.com"}


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    """A customer with contact data on file."""
    system = Actor.system("tests", bank_id=bank.pk)
    customer = make_customer(bank)
    return correct_customer(actor=system, user_id=customer.pk, changes=CONTACT, reason="set up")


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def refusals() -> list[str]:
    return list(AuditEvent.objects.filter(outcome="refused").order_by("id").values_list("code", flat=True))


def test_strangers_are_sent_to_the_sign_in_and_back() -> None:
    answer = Client().get("/admin/devices/device/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=%2Fadmin%2Fdevices%2Fdevice%2F")


def test_a_password_alone_does_not_open_it(bank: Bank) -> None:
    answer = signed_in_client(make_staff(bank), second_factor=False).get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=%2Fadmin%2F")


def test_the_admins_own_sign_in_leads_to_the_portals() -> None:
    assert Client().get("/admin/login/?next=/admin/devices/")["Location"] == "/sign-in?next=/admin/devices/"
    assert Client().get("/admin/login/?next=https://evil.example/")["Location"] == "/sign-in?next=/admin/"


def test_no_page_is_kept_by_a_cache(bank: Bank) -> None:
    assert signed_in_client(make_staff(bank)).get("/admin/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.SUPPORT, {"Banks", "Users", "Devices"}),
        (Role.OPERATOR, {"Banks", "Users", "Devices"}),
        (Role.APPROVER, {"Banks", "Users", "Devices", "Audit events"}),
        (Role.SECURITY_OFFICER, {"Banks", "Users", "Devices", "Audit events"}),
        (Role.AUDITOR, {"Banks", "Users", "Devices", "Audit events"}),
        (Role.ADMINISTRATOR, {"Banks", "Users", "Applications"}),
    ],
)
def test_each_role_sees_what_its_capabilities_open(bank: Bank, role: Role, shown: set[str]) -> None:
    page = signed_in_client(make_staff(bank, role)).get("/admin/")
    assert {model["name"] for app in page.context["app_list"] for model in app["models"]} == shown


def test_a_list_without_the_capability_is_refused_and_written_down(bank: Bank) -> None:
    answer = signed_in_client(make_staff(bank)).get("/admin/audit/auditevent/")
    assert answer.status_code == 403
    assert refusals() == ["capability-missing"]


def test_only_five_kinds_of_rows_are_shown_and_nothing_can_be_added_or_deleted() -> None:
    assert {model.__name__ for model in site._registry} == {"Device", "User", "Application", "Bank", "AuditEvent"}
    assert not djangos_own._registry
    assert site._actions == {}
    for model in site._registry:
        for step, arguments in (("add", []), ("delete", [1]), ("history", [1])):
            with pytest.raises(NoReverseMatch):
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{step}", args=arguments)
    for name in ("logout", "password_change", "autocomplete"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{name}")


def test_a_customer_is_corrected_by_the_operation(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank))
    values = {"name": "Ada L.", "customer_number": ada.customer_number, "phone": "", "email": "", "reason": "typo"}
    answer = client.post(page_of(ada), values)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/accounts/user/")
    ada.refresh_from_db()
    assert (ada.name, contact_of(ada).phone, contact_of(ada).email) == ("Ada L.", *CONTACT.values())
    event = AuditEvent.objects.order_by("-id")[0]
    assert (event.event, event.channel, event.reason) == ("customer.corrected", "admin", "typo")
    assert event.data == '{"after":{"name":"Ada L."},"before":{"name":"Ada"}}'
    assert LogEntry.objects.count() == 0


def test_new_contact_data_is_sealed_and_nowhere_shown(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank))
    page = client.get(page_of(ada)).content.decode()
    assert "On file: ··67." in page
    assert "On file: a··@example.com." in page
    assert "+381641234567" not in page
    values = {"name": ada.name, "customer_number": ada.customer_number, "phone": "+381649999999", "reason": "moved"}
    client.post(page_of(ada), values)
    ada.refresh_from_db()
    assert contact_of(ada).phone == "+381649999999"
    assert contact_of(ada).email == CONTACT["email"]
    assert not any("649999999" in event.data for event in AuditEvent.objects.all())


def test_a_refusal_stands_at_its_field_and_changes_nothing(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank))
    values = {"name": "Ada L.", "customer_number": ada.customer_number, "phone": "12", "reason": "moved"}
    answer = client.post(page_of(ada), values)
    assert answer.status_code == 422
    assert answer.context["adminform"].form.errors["phone"] == [
        "A phone number begins with + and the country, e.g. +381641234567."
    ]
    ada.refresh_from_db()
    assert ada.name == "Ada"
    assert refusals() == ["invalid-input"]


def test_a_taken_customer_number_stands_above_the_form(bank: Bank, ada: User) -> None:
    taken = make_customer(bank, "Bob").customer_number
    answer = signed_in_client(make_staff(bank)).post(
        page_of(ada), {"name": ada.name, "customer_number": taken, "reason": "typo"}
    )
    assert answer.status_code == 409
    assert answer.context["adminform"].form.non_field_errors() == ["Another customer has this number."]
    assert refusals() == ["customer-number-taken"]


def test_a_correction_without_a_reason_calls_nothing(bank: Bank, ada: User) -> None:
    events = AuditEvent.objects.count()
    values = {"name": "Ada L.", "customer_number": ada.customer_number, "reason": " "}
    answer = signed_in_client(make_staff(bank)).post(page_of(ada), values)
    assert answer.context["adminform"].form.errors["reason"] == ["This field is required."]
    ada.refresh_from_db()
    assert (ada.name, AuditEvent.objects.count()) == ("Ada", events)


def test_saving_what_was_not_changed_writes_nothing(bank: Bank, ada: User) -> None:
    events = AuditEvent.objects.count()
    values = {"name": ada.name, "customer_number": ada.customer_number, "reason": "none"}
    page = signed_in_client(make_staff(bank)).post(page_of(ada), values, follow=True)
    assert [str(message) for message in page.context["messages"]] == ["Ada: nothing was changed."]
    assert AuditEvent.objects.count() == events


def test_whoever_may_only_look_gets_no_form_and_cannot_send_one(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank, Role.AUDITOR))
    page = client.get(page_of(ada)).content.decode()
    assert 'name="name"' not in page
    assert 'name="_save"' not in page
    answer = client.post(page_of(ada), {"name": "Eve", "customer_number": "1", "reason": "r"})
    assert answer.status_code == 403
    ada.refresh_from_db()
    assert ada.name == "Ada"
    event = AuditEvent.objects.get(outcome="refused")
    assert (event.code, event.object_id) == ("capability-missing", str(ada.pk))


def test_staff_are_looked_at_by_those_who_manage_them_and_corrected_by_nobody(bank: Bank, ada: User) -> None:
    bea = make_staff(bank)
    administrator = signed_in_client(make_staff(bank, Role.ADMINISTRATOR))
    assert administrator.get(page_of(bea)).status_code == 200
    assert administrator.get(page_of(ada)).status_code == 404
    assert administrator.post(page_of(bea), {"role": "administrator", "reason": "r"}).status_code == 403
    operator = signed_in_client(bea)
    assert operator.get(page_of(bea)).status_code == 404
    assert operator.get(page_of(ada)).status_code == 200
    bea.refresh_from_db()
    assert bea.role == Role.OPERATOR


def test_another_banks_rows_are_as_unknown_ones(ada: User) -> None:
    elsewhere = make_bank()
    operator = signed_in_client(make_staff(elsewhere))
    administrator = signed_in_client(make_staff(elsewhere, Role.ADMINISTRATOR))
    auditor = signed_in_client(make_staff(elsewhere, Role.AUDITOR))
    event = AuditEvent.objects.get()
    asked = [(operator, ada), (operator, ada.bank), (administrator, make_application(ada.bank)), (auditor, event)]
    for client, row in asked:
        assert client.get(page_of(row)).status_code == 404
    assert client.get("/admin/accounts/user/not-an-id/change/").status_code == 404
    assert operator.post(page_of(ada), {"name": "Eve", "reason": "r"}).status_code == 404
    assert refusals() == ["not-found"] * 6
    ada.refresh_from_db()
    assert ada.name == "Ada"


def test_no_secret_of_a_client_is_shown(bank: Bank) -> None:
    application = make_application(bank, client_secret="raw-secret-of-the-client", app_secret_digest="d" * 64)
    page = signed_in_client(make_staff(bank, Role.ADMINISTRATOR)).get(page_of(application)).content.decode()
    assert application.client_id in page
    for secret in ("raw-secret-of-the-client", application.client_secret, "d" * 64):
        assert secret not in page


@pytest.mark.parametrize("kind", ["application", "bank", "event"])
def test_what_is_only_to_look_at_takes_nothing(bank: Bank, ada: User, kind: str) -> None:
    row = {"application": make_application(bank), "bank": bank, "event": AuditEvent.objects.get()}[kind]
    role = Role.AUDITOR if kind == "event" else Role.ADMINISTRATOR
    client = signed_in_client(make_staff(bank, role))
    assert client.get(page_of(row)).status_code == 200
    assert client.post(page_of(row), {"name": "Other"}).status_code == 403
    assert refusals() == ["read-only"]


def test_the_log_is_filtered_by_event_and_outcome(bank: Bank, ada: User) -> None:
    client = signed_in_client(make_staff(bank, Role.AUDITOR))
    client.get("/admin/accounts/application/")  # refused, and so the second event
    for query, count in (("", 2), ("?outcome=refused", 1), ("?event=customer.corrected", 1), ("?outcome=x", 2)):
        assert client.get(f"/admin/audit/auditevent/{query}").context["cl"].result_count == count
    found = client.get(f"/admin/audit/auditevent/?q={ada.pk}").context["cl"].result_count
    assert found == 1


@pytest.mark.parametrize("query", ["password__startswith=argon2", "phone_sealed__startswith=t1", "bank__name=x"])
def test_an_address_asks_about_no_column_but_the_filters(bank: Bank, query: str) -> None:
    assert signed_in_client(make_staff(bank)).get(f"/admin/accounts/user/?{query}").status_code == 400


def test_a_list_costs_the_same_whatever_its_length(bank: Bank) -> None:
    client = signed_in_client(make_staff(bank))

    def queries_of(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    lists = ("/admin/devices/device/", "/admin/accounts/user/")
    make_device(make_customer(bank))
    before = [queries_of(path) for path in lists]
    for _ in range(60):
        make_device(make_customer(bank))
    assert [queries_of(path) for path in lists] == before
    assert before == [5, 5]  # session, person, bank, count, rows


def test_long_lists_are_counted_up_to_a_bound(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.web.admin_lists.COUNTED_UP_TO", 3)
    for _ in range(5):
        make_customer(bank)
    assert BoundedPaginator(User.objects.order_by("id"), 2).num_pages == 2


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_its_pages_run_under_the_strict_policy_and_are_accessible(
    live_server: LiveServer, chromium: str, bank: Bank, ada: User
) -> None:
    device = page_of(make_device(ada))
    pages = {
        Role.OPERATOR: ["/admin/", "/admin/devices/device/", device, page_of(ada)],
        Role.AUDITOR: ["/admin/audit/auditevent/", page_of(AuditEvent.objects.get()), device],
        Role.ADMINISTRATOR: ["/admin/accounts/user/", page_of(make_application(bank))],
    }
    sessions = {role: signed_in_client(make_staff(bank, role)).cookies for role in pages}
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for role, paths in pages.items():
            name = settings.SESSION_COOKIE_NAME
            context = browser.new_context()
            context.add_cookies([{"name": name, "value": sessions[role][name].value, "url": live_server.url}])
            found += messages_of(context.new_page(), [live_server.url + path for path in paths])
        browser.close()
    assert found == []


def messages_of(page: Page, addresses: list[str]) -> list[str]:
    """Whatever the console and axe have to say about some pages."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    for address in addresses:
        page.goto(address, wait_until="networkidle")
        found += [f"{address}: {rule['id']}" for rule in Axe().run(page).response["violations"]]
    return found
