"""Passkeys in a real browser with a virtual authenticator, under the portal's own content security policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.models import Passkey, PasskeyChallenge, User
from portal.accounts.tests.people import enrol
from portal.audit.models import AuditEvent
from portal.web.tests.helpers import signed_in_client
from portal.web.tests.test_browser import DESKTOP, FLAGS, PASSWORD, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def complaints() -> list[str]:
    """What the console and the pages' own errors said."""
    return []


@pytest.fixture
def page(chromium: str, live_server: LiveServer, settings: Any, complaints: list[str]) -> Iterator[Page]:
    """A window of a browser that has a passkey of its own."""
    settings.PASSKEY_ORIGINS, settings.PASSKEY_DOMAIN = [live_server.url], "localhost"
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        context = browser.new_context(viewport=DESKTOP, base_url=live_server.url, reduced_motion="reduce")
        context.set_default_timeout(15_000)
        made = context.new_page()
        made.on("console", lambda message: complaints.append(message.text))
        made.on("pageerror", lambda error: complaints.append(str(error)))
        devtools = context.new_cdp_session(made)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield made
        browser.close()
        connections.close_all()  # Django keeps those that were opened beside the driver's loop apart from later ones


@pytest.fixture
def bea(transactional_db: None) -> User:
    person = make_staff(make_bank("harbour"), name="Bea", username="bea.lund")
    person.set_password(PASSWORD)
    person.save()
    enrol(person)
    return person


def take_over_session(page: Page, user: User, settings: Any, *, fresh: bool = True) -> None:
    name = settings.SESSION_COOKIE_NAME
    value = signed_in_client(user, fresh=fresh).cookies[name].value
    page.context.add_cookies([{"name": name, "value": value, "url": settings.PASSKEY_ORIGINS[0]}])


def type_password(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill("bea.lund")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()


def add_passkey(page: Page, user: User, settings: Any) -> None:
    """By a browser that proved a second factor a moment ago."""
    take_over_session(page, user, settings)
    page.goto("/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("“My laptop” was added")).to_be_visible()


def use_passkey_at_sign_in(page: Page) -> None:
    page.get_by_role("button", name="End all", exact=True).click()
    type_password(page)
    page.get_by_role("button", name="Use a passkey").click()


def test_a_passkey_is_added_and_signs_in(page: Page, bea: User, settings: Any, complaints: list[str]) -> None:
    add_passkey(page, bea, settings)
    assert not PasskeyChallenge.objects.exists()
    use_passkey_at_sign_in(page)
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert complaints == []
    assert Passkey.objects.get().uses > 0
    assert not PasskeyChallenge.objects.exists()
    events = list(AuditEvent.objects.order_by("id").values_list("event", flat=True))
    assert events[-3:] == ["passkey.added", "session.ended", "sign-in.succeeded"]


def test_a_browser_without_the_passkey_says_so_and_the_code_still_works(
    page: Page, bea: User, settings: Any, complaints: list[str]
) -> None:
    add_passkey(page, bea, settings)
    Passkey.objects.update(credential_id="QUFBQQ")  # now it is another one's
    use_passkey_at_sign_in(page)
    expect(page.get_by_text("No passkey answered")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_visible()
    assert complaints == []


def test_a_passkey_steps_up_and_what_was_typed_is_carried_out(
    page: Page, bea: User, settings: Any, complaints: list[str]
) -> None:
    add_passkey(page, bea, settings)
    device = make_device(make_customer(bea.bank))
    take_over_session(page, bea, settings, fresh=False)
    page.goto(f"/devices/{device.pk}/deactivate")
    page.get_by_label("Reason").fill("Stolen in the tram")
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{settings.PASSKEY_ORIGINS[0]}/devices/{device.pk}")
    assert AuditEvent.objects.get(event="device.deactivated").reason == "Stolen in the tram"
    assert not Device.objects.get().is_active
    assert refused(complaints) == []


@pytest.mark.parametrize("wrong", ["copy", "origin"])
def test_a_copy_and_another_origin_are_refused(
    page: Page, bea: User, settings: Any, complaints: list[str], wrong: str
) -> None:
    add_passkey(page, bea, settings)
    if wrong == "copy":
        Passkey.objects.update(uses=1000)  # the real one was used more often than this one says
    else:
        settings.PASSKEY_ORIGINS = ["https://portal.example"]
    page.get_by_role("button", name="End all", exact=True).click()
    type_password(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("The passkey was not accepted")).to_be_visible()
    assert AuditEvent.objects.order_by("-id").values_list("event", "code").first() == (
        "second-factor.refused",
        "passkey-wrong",
    )
    assert refused(complaints) == []


def test_the_account_page_is_accessible_and_fits_a_phone(
    page: Page, bea: User, settings: Any, complaints: list[str]
) -> None:
    add_passkey(page, bea, settings)
    assert violations(page) == []
    page.goto("/account/passkeys/new")
    assert violations(page) == []
    page.goto("/account")
    page.get_by_role("button", name="End all", exact=True).click()
    type_password(page)
    assert violations(page) == []
    assert refused(complaints) == []


def refused(complaints: list[str]) -> list[str]:
    """Without the lines that the browser writes for an answer of 4xx; a policy that was broken is another."""
    return [text for text in complaints if not text.startswith("Failed to load resource")]
