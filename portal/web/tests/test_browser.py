"""The portal in a real browser: the main job, with and without JavaScript; accessibility; no hostile script runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from devices.models import Device, ImportRun
from devices.operations.activation import block_device, deactivate_device
from devices.operations.imports import upload_import
from devices.operations.loss import report_lost
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_application,
    make_bank,
    make_card,
    make_customer,
    make_device,
    make_key,
    make_staff,
    make_token,
    staff_actor,
)
from devices.tests.life import hang_everything_on
from merchants.states import AlertKind
from merchants.tests.factories import make_alert, make_link, make_merchant, make_sighting
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import code_at, enrol
from portal.approvals.tests.asking import ask
from portal.audit.models import AuditEvent
from portal.audit.sealing import seal_now
from portal.core.actor import Actor
from portal.outbox.models import Message, MessageState
from portal.outbox.tests.factories import make_message
from portal.web.tests.helpers import signed_in_client

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse battery staple"
HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for this module. Its driver keeps an event loop in this thread; the database may not mind."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@dataclass
class Visit:
    """One person's browser. complaints: whatever the console and the pages' own errors said."""

    context: BrowserContext
    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path, wait_until="networkidle")
        return self.page

    def sign_in_as(self, user: User) -> None:
        """Take over a session, for tests that are not about the sign-in."""
        name = settings.SESSION_COOKIE_NAME
        value = signed_in_client(user).cookies[name].value
        self.context.add_cookies([{"name": name, "value": value, "url": self.base}])


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A browser window; `@pytest.mark.parametrize("visit", [False], indirect=True)` turns JavaScript off."""
    script = getattr(request, "param", True)
    # Without motion: a colour that is still on its way from light to dark has no contrast to measure.
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=script, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    made = Visit(context, context.new_page(), live_server.url)
    made.page.on("console", lambda message: made.complaints.append(message.text))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    yield made
    context.close()


@pytest.fixture
def bea(transactional_db: None) -> User:
    person = make_staff(make_bank("harbour"), Role.SECURITY_OFFICER, "Bea", username="bea.lund")
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def device(bea: User) -> Device:
    """Ada's phone, with a key and two live sessions."""
    ada = make_customer(bea.bank, "Ada Okafor", customer_number="MIGR00002")
    made = make_device(ada, model="Pixel 9", operating_system="Android 16", external_id="352099001769876")
    make_key(made)
    for _ in range(2):
        make_token(user=ada, device=made)
    return made


def type_password(visit: Visit) -> None:
    visit.go("/sign-in")
    visit.page.get_by_label("User name").fill("bea.lund")
    visit.page.get_by_label("Password").fill(PASSWORD)
    visit.page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("visit", [True, False], ids=["script", "no-script"], indirect=True)
def test_staff_sign_in_find_a_phone_switch_it_off_and_on(visit: Visit, bea: User, device: Device) -> None:
    secret, _ = enrol(bea)
    page = visit.page
    type_password(visit)
    page.get_by_role("textbox", name="Code").fill(code_at(secret))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Devices").click()
    page.get_by_label("Search").fill("MIGR00002")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Pixel 9").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()

    page.get_by_role("link", name="Deactivate").click()
    expect(page.locator(".items li")).to_have_text("2 open sessions are ended")
    page.get_by_label("Reason").fill("Reported lost by phone")
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("status").first).to_contain_text("The device was deactivated. 2 sessions were ended.")
    expect(page.locator(".timeline")).to_contain_text("Reported lost by phone")
    assert AccessToken.objects.live().filter(device=device).count() == 0

    page.get_by_role("link", name="Activate", exact=True).click()
    page.get_by_label("Reason").fill("Found again")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("status").first).to_contain_text("The device was activated.")
    device.refresh_from_db()
    assert device.status == DeviceStatus.ACTIVE
    reasons = AuditEvent.objects.filter(object_type="device").order_by("id").values_list("reason", "actor_id")
    assert list(reasons) == [("Reported lost by phone", str(bea.pk)), ("Found again", str(bea.pk))]
    assert visit.complaints == []


def test_the_first_sign_in_shows_a_picture_to_scan_and_backup_codes(visit: Visit, bea: User) -> None:
    page = visit.page
    type_password(visit)
    assert violations(page) == []
    expect(page.get_by_role("img", name="QR code with the secret written below")).to_be_visible()
    page.get_by_text("I cannot scan it").click()
    secret = page.locator("#secret").inner_text().replace(" ", "")
    page.get_by_role("textbox", name="Code").fill(code_at(secret))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your backup codes")).to_be_visible()
    expect(page.locator("#codes li")).to_have_count(10)
    assert violations(page) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert visit.complaints == []


def test_a_search_swaps_the_rows_alone(visit: Visit, bea: User, device: Device) -> None:
    make_device(device.owner, model="Galaxy S24")
    visit.sign_in_as(bea)
    page = visit.go("/devices")
    page.evaluate("window.same = true")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Search").press_sequentially("galaxy")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#announce")).to_have_text("1 device, filtered")
    assert page.evaluate("window.same") is True
    assert "q=galaxy" in page.url
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("galaxy")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert visit.complaints == []


def test_a_session_that_ended_leads_a_search_to_the_sign_in(visit: Visit, bea: User, device: Device) -> None:
    visit.sign_in_as(bea)
    page = visit.go("/devices")
    visit.context.clear_cookies()
    page.get_by_label("Search").press_sequentially("pixel")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_hostile_names_run_no_script(visit: Visit, bea: User, device: Device) -> None:
    device.owner.name = HOSTILE
    device.owner.save()
    device.set_nickname(HOSTILE[:64])
    device.model = device.manufacturer = device.operating_system = HOSTILE[:64]
    device.save()
    deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason=HOSTILE)
    event = AuditEvent.objects.get()
    visit.sign_in_as(bea)
    dialogs: list[str] = []
    visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in (
        "/",
        "/devices",
        f"/devices/{device.pk}",
        f"/devices/{device.pk}/activate",
        "/audit",
        f"/audit/{event.pk}",
    ):
        page = visit.go(path)
        assert HOSTILE[:40] in page.inner_text("main"), path
        assert page.evaluate("window.pwned") is None, path
    assert (dialogs, visit.complaints) == ([], [])


def test_the_browser_refuses_inline_script(visit: Visit, bea: User) -> None:
    """The net below the net: if a page ever carried a script of somebody else's, the policy would stop it."""
    visit.sign_in_as(bea)
    page = visit.go("/account")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.pwned = 1'}))")
    assert page.evaluate("window.pwned") is None
    assert len(visit.complaints) == 1


def import_of(actor: Actor) -> ImportRun:
    """An import that waits to be started, with a row that was refused."""
    rows = b"customer-number,kind,reference\nC1,otp-token,T1\nC1,phone,T2\n"
    return upload_import(actor=actor, file_name="F" * 100, data=rows)


def failed_message(bank: Bank) -> Message:
    """One that was given up, with the longest texts."""
    message = make_message(bank_id=bank.pk, subject="S" * 200)
    Message.objects.filter(pk=message.pk).update(state=MessageState.FAILED, attempts=8, last_error="E" * 200)
    return message


def violations(page: Page) -> list[str]:
    """What axe-core finds in light and in dark, and whether a phone would have to scroll sideways."""
    found: list[str] = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        for rule in Axe().run(page).response["violations"]:
            found += [f"{page.url} {scheme} {rule['id']}: {node['html']}" for node in rule["nodes"]]
    page.set_viewport_size(PHONE)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{page.url}: scrolls sideways on a phone")
    page.set_viewport_size(DESKTOP)
    return found


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (None, ["/sign-in", "/nothing"]),
        (
            Role.SECURITY_OFFICER,
            ["/", "/devices", "/devices?q=nothing", "{device}", "{blocked}", "{device}/activate"],
        ),
        (Role.OPERATOR, ["{device}/deactivate", "{device}/block", "/account", "/docs"]),
        (Role.AUDITOR, ["/audit", "/audit?event=nonsense", "{event}", "/outbox"]),
        (Role.APPROVER, ["/approvals", "/approvals?state=DONE", "{waiting}", "/approvals/policy"]),
        (Role.SECURITY_OFFICER, ["{waiting}", "/approvals/policy"]),
        (Role.OPERATOR, ["{device}/report-lost", "{device}/reset-pin", "{lost}", "{lost}/undo-loss"]),
        (Role.OPERATOR, ["/customers", "/customers?q=nothing", "{customer}", "/devices/bulk"]),
        (Role.OPERATOR, ["/issued", "/issued?q=nothing", "/issued/new", "{card}/deliver", "{card}/replace"]),
        (Role.OPERATOR, ["/issued/imports", "/issued/imports/new", "{import}"]),
        (Role.OPERATOR, ["/outbox?state=failed", "{message}"]),
        (Role.OPERATOR, ["/links", "/links/new", "{link}", "{link}/cut", "/links/lookups", "{customer}/merchants"]),
        (Role.SECURITY_OFFICER, ["/", "/merchants", "{merchant}", "{alert}", "/keys"]),
        (Role.ADMINISTRATOR, ["/", "/devices", "/merchants/new", "{merchant}/secret"]),
    ],
)
def test_every_page_is_accessible_and_fits_a_phone(
    visit: Visit, bea: User, device: Device, role: str | None, paths: list[str]
) -> None:
    blocked = make_device(device.owner, nickname="W" * 64, model="M" * 64)
    block_device(actor=staff_actor(bea), device_id=str(blocked.pk), reason="R" * 500)
    waiting = ask(staff_actor(bea), blocked, "R" * 500)
    lost = make_device(device.owner, nickname="Lost")
    link = make_link(make_device(device.owner, model="M" * 64), phrase="W" * 64)
    merchant = make_merchant(bea.bank, application=make_application(bea.bank, "merchant", name="W" * 64))
    make_sighting(merchant, link)
    alert = make_alert(merchant, AlertKind.BUDGET, figures={"misses": 100})
    hang_everything_on(device)
    report_lost(actor=staff_actor(bea), device_id=str(lost.pk), reason="R" * 500)
    card = make_card(device.owner, "PENDING", delivered_on=None, reference="R" * 64, model="M" * 64)
    run = import_of(staff_actor(make_staff(bea.bank)))
    seal_now()
    names = {
        "link": f"/links/{link.pk}",
        "merchant": f"/merchants/{merchant.application.client_id}",
        "alert": f"/merchants/alerts/{alert.pk}",
        "card": f"/devices/{card.pk}",
        "import": f"/issued/imports/{run.pk}",
        "lost": f"/devices/{lost.pk}",
        "customer": f"/customers/{device.owner_id}",
        "waiting": f"/approvals/{waiting.public_id}",
        "message": f"/outbox/{failed_message(bea.bank).pk}",
        "device": f"/devices/{device.pk}",
        "blocked": f"/devices/{blocked.pk}",
        "event": f"/audit/{AuditEvent.objects.get(event='device.blocked').pk}",
    }
    if role:
        visit.sign_in_as(make_staff(bea.bank, role))
    found = [finding for path in paths for finding in violations(visit.go(path.format(**names)))]
    assert found == []
    # A page that is refused is a line in the console; a policy that was broken would be another.
    assert [text for text in visit.complaints if not text.startswith("Failed to load resource")] == []


@pytest.mark.parametrize(
    ("visit", "look"), [(True, violations), (False, lambda page: [])], ids=["script", "no-script"], indirect=["visit"]
)
def test_a_step_over_ticked_devices_is_tried_then_taken(
    visit: Visit, look: Callable[[Page], list[str]], bea: User, device: Device
) -> None:
    other = make_device(device.owner, DeviceStatus.RETIRED, model="Old phone")
    visit.sign_in_as(bea)
    page = visit.go("/devices")
    for name in ("Pixel 9", "Old phone"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Block …").click()
    expect(page.get_by_role("heading", name="Block 1 device?")).to_be_visible()
    expect(page.locator("main")).to_contain_text("A device that is retired cannot become blocked.")
    found = look(page)  # axe needs script
    page.get_by_label("Reason").fill("Recall")
    page.get_by_role("button", name="Block 1 device").click()
    expect(page.get_by_role("heading", name="Block: 2 devices")).to_be_visible()
    assert [*found, *look(page)] == []
    for one, status in ((device, DeviceStatus.BLOCKED), (other, DeviceStatus.RETIRED)):
        one.refresh_from_db()
        assert one.status == status
    assert visit.complaints == []


def test_forms_that_say_no_are_accessible(visit: Visit, bea: User, device: Device) -> None:
    enrol(bea)
    page = visit.go("/sign-in")
    page.get_by_label("User name").fill("bea.lund")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("The user name or the password is not right.")
    found = violations(page)
    type_password(visit)
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The code is not right")
    found += violations(page)
    visit.sign_in_as(bea)
    visit.go(f"/devices/{device.pk}/block")
    page.get_by_label("Reason").fill(" ")
    page.get_by_role("button", name="Block").click()
    expect(page.get_by_text("This is required.")).to_be_visible()
    assert [*found, *violations(page)] == []


@pytest.mark.parametrize("visit", [True, False], ids=["script", "no-script"], indirect=True)
def test_the_menu_opens_on_a_phone(visit: Visit, bea: User) -> None:
    visit.sign_in_as(bea)
    visit.page.set_viewport_size(PHONE)
    page = visit.go("/")
    link = page.get_by_role("link", name="Audit", exact=True)
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()


def test_dark_stays_dark(visit: Visit, bea: User) -> None:
    visit.sign_in_as(bea)
    page = visit.go("/docs")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_url("**/docs")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    visit.go("/account")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
