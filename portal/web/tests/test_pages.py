"""What all pages of the portal have in common, and the pages that say no."""

from collections.abc import Callable

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.core.errors import ALL_ERRORS, ApprovalRequired, DomainError, Forbidden, RateLimited
from portal.core.tests.errors import made
from portal.web import errors
from portal.web.access import signed_in
from portal.web.paths import safe_path
from portal.web.refusals import status_of
from portal.web.tests.helpers import refusals, signed_in_client

PATHS = (
    *("/", "/devices", "/approvals", "/approvals/policy", "/certificates/authorities", "/audit"),
    *("/outbox", "/docs", "/account"),
)
STATUSES = {
    "InvalidInput": 422,
    "RulesBroken": 422,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "InvalidState": 409,
    "Expired": 410,
    "VerificationFailed": 422,
    "RateLimited": 429,
    "Locked": 423,
    "Unavailable": 503,
}


@pytest.fixture
def uma(db: None) -> User:
    return make_staff(make_bank(), Role.AUDITOR, "Uma")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/", 405),
        ("GET", "/sign-out", 405),
        ("GET", "/theme", 405),
        ("POST", "/theme", 302),
        ("PUT", "/devices", 405),
        ("GET", "/admin/login/", 302),
        ("GET", "/nothing", 404),
        ("POST", "/account/api-token", 302),
    ],
)
def test_redirects_and_refusals_are_kept_by_nobody_either(db: None, method: str, path: str, status: int) -> None:
    answer = Client().generic(method, path)
    assert (answer.status_code, answer["Cache-Control"]) == (status, "no-store")


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_kept_by_nobody_and_allow_no_inline_code(uma: User, path: str) -> None:
    for answer in (signed_in_client(uma).get(path), Client().get(path)):
        assert answer["Cache-Control"] == "no-store"
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", PATHS)
def test_pages_carry_no_inline_style_or_script(uma: User, path: str) -> None:
    make_device(make_customer(uma.bank))
    page = signed_in_client(uma).get(path).content.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert "javascript:" not in page
    assert page.count("<script") == page.count("<script src=")
    assert " onclick=" not in page


@pytest.mark.parametrize("path", PATHS)
def test_strangers_are_sent_to_the_sign_in(db: None, client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in")
    assert refusals() == []


def test_the_demo_says_so_on_every_page(uma: User, client: Client) -> None:
    browser = signed_in_client(uma)
    for answer in (*(browser.get(path) for path in PATHS), client.get("/sign-in"), client.get("/nothing")):
        assert "Made-up data, on this machine only." in answer.content.decode()


def test_production_does_not_say_demo(uma: User, settings: Settings) -> None:
    settings.DEMO = False
    assert "Made-up data" not in signed_in_client(uma).get("/account").content.decode()


DEVICES = ["Devices", "Cards and tokens", "Customers", "Transfers", "Certificates", "Two-factor"]
CHECKS = ["Merchants", "Approvals"]


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        (Role.SUPPORT, ["Dashboard", *DEVICES, *CHECKS, "Outbox", "API docs", "Account"]),
        (Role.OPERATOR, ["Dashboard", *DEVICES, "Links", *CHECKS, "Outbox", "Data fixes", "API docs", "Account"]),
        (Role.APPROVER, ["Dashboard", *DEVICES, *CHECKS, "Audit", "Keys", "API docs", "Account"]),
        (Role.SECURITY_OFFICER, ["Dashboard", *DEVICES, *CHECKS, "Audit", "Keys", "API docs", "Account"]),
        (Role.AUDITOR, ["Dashboard", *DEVICES, *CHECKS, "Audit", "Keys", "Outbox", "API docs", "Account"]),
        (
            Role.ADMINISTRATOR,
            ["Dashboard", "Applications", "Merchants", "Staff", "Data fixes", "API docs", "Account"],
        ),
    ],
)
def test_the_menu_offers_what_the_role_may_open(db: None, role: str, labels: list[str]) -> None:
    browser = signed_in_client(make_staff(make_bank(), role))
    nav = browser.get("/").context["nav"]
    assert [entry["label"] for entry in nav] == labels
    for entry in nav:
        assert browser.get(entry["url"]).status_code == 200


def test_the_menu_marks_where_one_is(uma: User) -> None:
    device = make_device(make_customer(uma.bank))
    nav = signed_in_client(uma).get(f"/devices/{device.pk}").context["nav"]
    assert [entry["label"] for entry in nav if entry["current"]] == ["Devices"]


# Light and dark


def test_the_theme_is_kept_and_leads_back(uma: User) -> None:
    browser = signed_in_client(uma)
    answer = browser.post("/theme", {"theme": "dark", "next": "/docs"})
    assert (answer.status_code, answer["Location"]) == (302, "/docs")
    assert 'data-theme="dark"' in browser.get("/docs").content.decode()
    assert 'data-theme="dark"' in browser.get("/nothing").content.decode()
    browser.post("/theme", {"theme": "system", "next": "/docs"})
    assert "data-theme" not in browser.get("/docs").content.decode()


def test_no_other_word_becomes_a_theme(client: Client, db: None) -> None:
    client.post("/theme", {"theme": '"><script>', "next": "https://evil.example"})
    assert "portal_theme" not in client.cookies or not client.cookies["portal_theme"].value
    client.cookies["portal_theme"] = '"><script>'
    assert "data-theme" not in client.get("/sign-in").content.decode()


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "", None, "/" * 3000]
)
def test_only_our_own_paths_are_safe(wanted: str | None) -> None:
    assert safe_path(wanted) == "/"


# Pages that say no


def test_an_unknown_address_is_a_page_with_its_request_id(client: Client, db: None) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert answer["X-Request-Id"] in answer.content.decode()
    assert refusals() == []


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_error_pages_need_no_database_and_tell_nothing_inside(status: int) -> None:
    handler: Callable[[HttpRequest], HttpResponse] = getattr(errors, f"handler{status}")
    answer = handler(RequestFactory().get("/devices/secret"))
    page = answer.content.decode()
    assert answer.status_code == status
    assert answer["Cache-Control"] == "no-store"
    for word in ("Traceback", "secret", "Django 6", "SELECT"):
        assert word not in page


@pytest.mark.parametrize("kind", [kind for kind in ALL_ERRORS if kind is not ApprovalRequired])
def test_every_error_has_a_page_of_its_own_status_and_one_event(uma: User, kind: type[DomainError]) -> None:
    @signed_in
    def view(request: HttpRequest) -> HttpResponse:
        raise made(kind)

    request = RequestFactory().post("/")
    request.user = uma
    uma.otp_device = object()  # type: ignore[attr-defined]
    answer = view(request)
    error = made(kind)
    assert answer.status_code == STATUSES[kind.__name__] == status_of(error)
    written = [] if answer.status_code >= 500 else [("request.refused", error.code, str(uma.pk), "")]
    assert refusals() == written


def test_what_waits_for_a_second_person_is_no_refusal(uma: User) -> None:
    @signed_in
    def view(request: HttpRequest) -> HttpResponse:
        raise ApprovalRequired(request_id="APR_1")

    request = RequestFactory().post("/")
    request.user = uma
    uma.otp_device = object()  # type: ignore[attr-defined]
    answer = view(request)
    assert (answer.status_code, answer["Location"]) == (302, "/approvals/APR_1")
    assert refusals() == []


def test_an_error_that_was_written_already_is_not_written_again(uma: User) -> None:
    @signed_in
    def view(request: HttpRequest) -> HttpResponse:
        error = Forbidden()
        error.audited = True
        raise error

    request = RequestFactory().get("/")
    request.user = uma
    uma.otp_device = object()  # type: ignore[attr-defined]
    assert view(request).status_code == 403
    assert refusals() == []


def test_a_limit_says_when_to_come_back() -> None:
    answer = errors.refused(RequestFactory().get("/"), RateLimited(retry_after=7))
    assert answer["Retry-After"] == "7"


def test_a_missing_right_says_which_roles_have_it() -> None:
    error = Forbidden("This needs a right.", capability="devices.block")
    page = errors.refused(RequestFactory().get("/"), error).content.decode()
    assert "Roles that have it: operator, security officer." in page
