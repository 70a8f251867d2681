"""The two-factor pages in a real browser: accessible, narrow, without script, and deaf to what others wrote."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from devices.tests.factories import make_application, make_customer, make_staff
from portal.accounts.models import Application
from portal.accounts.roles import Role
from portal.audit.sealing import seal_now
from portal.outbox.models import Message, MessageState
from portal.web.tests.test_browser import DESKTOP, FLAGS, HOSTILE, PHONE, Visit, violations, visit
from twofa.models import ActivationCode, IdentityProvider, TwoFactorRequest
from twofa.operations.activation_codes import code_digest
from twofa.operations.answering import approve_request, deny_request
from twofa.tests.asking import PAYMENT, Scene, make_phone, retold, signed

__all__ = ["visit"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2
BENT = "Rent \u202etnoc\u202c \u2066x\u2069 \u0645\u062d\u0645\u062f\u200b"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def scene(settings: Any, transactional_db: None) -> Scene:
    """Ada's phone, reached by push, with a name that is none."""
    settings.DEMO = True  # push messages are written
    found = Scene()
    found.ada.name = HOSTILE
    found.ada.save()
    found.phone.set_nickname(HOSTILE[:64])
    found.phone.model = "M" * 64
    found.phone.save()
    Application.objects.filter(pk=found.application.pk).update(name=f"{HOSTILE[:80]}{'W' * 30}")
    return found


def hostile_facts() -> dict[str, str]:
    return {"email": HOSTILE, "ip": "192.0.2.7", "location": LONG}


def requests(scene: Scene) -> dict[str, TwoFactorRequest]:
    """One of each state, with what an attacker would write."""
    paid = scene.ask(kind="payment", facts={**PAYMENT, "payee": LONG, "reference": HOSTILE})
    retold(paid.request, f"{HOSTILE} {BENT}")
    approve_request(actor=scene.owner, id=str(paid.request.pk), signature=signed(paid.request))
    strange = deny_request(actor=scene.owner, id=str(scene.ask(facts=hostile_facts()).request.pk), not_me=True)
    waiting = scene.ask(facts=hostile_facts()).request
    over = scene.ask().request
    TwoFactorRequest.objects.filter(pk=over.pk).update(expires_at=over.requested_at)
    Message.objects.filter(about_id=str(over.pk)).update(state=MessageState.FAILED, gone=True, last_error="E" * 200)
    seal_now()
    return {"approved": paid.request, "alerted": strange, "pending": waiting, "expired": over}


def look(visit: Visit, paths: list[str]) -> list[str]:
    found = [finding for path in paths for finding in violations(visit.go(path))]
    return found + [text for text in visit.complaints if "Failed to load resource" not in text]


@pytest.mark.parametrize("role", [Role.SECURITY_OFFICER, Role.SUPPORT])
def test_the_log_and_each_request_are_accessible_and_fit_a_phone(visit: Visit, scene: Scene, role: Role) -> None:
    found = requests(scene)
    make_phone(scene.ada, "other", push_platform="gcm", push_handle="handle")
    visit.sign_in_as(make_staff(scene.ada.bank, role))
    paths = ["/", "/two-factor", "/two-factor?q=nobody", "/two-factor/push"]
    assert look(visit, [*paths, *(f"/two-factor/{request.pk}" for request in found.values())]) == []


def test_the_pages_of_administrators_are_accessible_and_fit_a_phone(visit: Visit, scene: Scene) -> None:
    bank = scene.ada.bank
    mobile = make_application(bank, kind="mobile", name=LONG[:118], redirect_uris="com.example.bank:/" + "r" * 200)
    provider = IdentityProvider.objects.create(
        bank=bank,
        name="P" * 64,
        issuer="https://id.example/" + "i" * 200,
        audience="a" * 255,
        algorithms=["ES256", "RS256", "PS256", "EdDSA"],
        jwks_uri="https://id.example/" + "k" * 200,
        created_at=scene.phone.registered_at,
    )
    visit.sign_in_as(make_staff(bank, Role.ADMINISTRATOR))
    clients = [f"/two-factor/clients/{one.client_id}" for one in (scene.application, mobile)]
    paths = ["/two-factor/clients", "/two-factor/clients/new", *clients, f"{clients[1]}/secret"]
    providers = ["/two-factor/providers", "/two-factor/providers/new"]
    paths += [*providers, f"/two-factor/providers/{provider.pk}", f"/two-factor/providers/{provider.pk}/edit"]
    assert look(visit, paths) == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SECURITY_OFFICER])
def test_the_pages_of_codes_are_accessible_and_fit_a_phone(visit: Visit, scene: Scene, role: Role) -> None:
    visit.sign_in_as(make_staff(scene.ada.bank, role))
    assert look(visit, ["/two-factor/codes", "/two-factor/codes/policy"]) == []
    made = open_code(scene)
    paths = ["/two-factor/codes", *([f"/two-factor/codes/{made.public_id}/cancel"] if role == Role.OPERATOR else [])]
    assert look(visit, paths) == []


def open_code(scene: Scene) -> ActivationCode:
    now = scene.phone.registered_at
    code = ActivationCode(bank=scene.ada.bank, customer=scene.ada, issued_by=HOSTILE[:200], created_at=now)
    code.expires_at, code.code_digest = now.replace(year=now.year + 1), code_digest(code, "00000000")
    code.save()
    return code


def test_what_others_wrote_stays_a_text_and_what_cannot_be_seen_is_named(visit: Visit, scene: Scene) -> None:
    found = requests(scene)
    open_code(scene)
    visit.sign_in_as(make_staff(scene.ada.bank, Role.SECURITY_OFFICER))
    dialogs: list[str] = []
    visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    pages = [f"/two-factor/{request.pk}" for request in found.values()]
    for path in ("/", "/two-factor", "/two-factor/push", "/two-factor/codes", *pages):
        page = visit.go(path)
        assert page.evaluate("window.pwned") is None, path
        if path != "/two-factor/push":
            assert HOSTILE[:40] in page.inner_text("main"), path
    page = visit.go(f"/two-factor/{found['approved'].pk}")
    assert {"U+202E", "U+202C", "U+2066", "U+2069", "U+200B"} <= set(page.locator(".unseen").all_inner_texts())
    assert "\u202e" not in page.inner_text("main")
    assert (dialogs, visit.complaints) == ([], [])


@pytest.mark.parametrize("visit", [True, False], ids=["script", "no-script"], indirect=True)
def test_an_alert_is_found_looked_at_and_gone(visit: Visit, scene: Scene) -> None:
    requests(scene)
    visit.sign_in_as(make_staff(scene.ada.bank, Role.OPERATOR, "Bea"))
    page = visit.go("/")
    expect(page.get_by_role("heading", name="Somebody else may be asking")).to_be_visible()
    page.locator("section", has_text="Somebody else may be asking").get_by_role("link").nth(1).click()
    page.get_by_label("What did you find?").fill("Called her: it was nobody she knows")
    page.get_by_role("button", name="Mark as looked at").click()
    expect(page.get_by_role("status").first).to_contain_text("The alert was looked at.")
    expect(page.locator("main")).to_contain_text("Called her: it was nobody she knows")
    expect(visit.go("/").get_by_role("heading", name="Somebody else may be asking")).to_have_count(0)
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [True, False], ids=["script", "no-script"], indirect=True)
def test_a_new_applications_secrets_are_shown_and_not_again(visit: Visit, scene: Scene) -> None:
    visit.sign_in_as(make_staff(scene.ada.bank, Role.ADMINISTRATOR, "Ann"))
    page = visit.go("/two-factor/clients")
    page.get_by_role("link", name="New application").click()
    page.get_by_label("Name").fill("Phone app")
    page.get_by_label("Answer two-factor requests").check()
    page.get_by_label("hyphen").check()
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("main")).to_contain_text("They are shown this once.")
    secret = page.locator("#secret-app").inner_text()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Phone app")).to_be_visible()
    assert secret not in page.content()
    assert visit.complaints == []


def test_the_log_is_worked_by_keyboard_alone(visit: Visit, scene: Scene) -> None:
    requests(scene)
    make_customer(scene.ada.bank)
    visit.sign_in_as(make_staff(scene.ada.bank, Role.AUDITOR, "Uma"))
    page = visit.go("/two-factor")
    page.get_by_label("Search").focus()
    page.keyboard.type("nobody at all")
    expect(page.locator("#rows")).to_contain_text("No request found")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.press("Delete")
    expect(page.locator("tbody tr")).to_have_count(4)
    reached = tab_to(page, lambda: bool(page.evaluate("!!document.activeElement.closest('tbody')")))
    assert reached
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What the customer was shown")).to_be_visible()


def tab_to(page: Page, there: Any, most: int = 60) -> bool:
    for _ in range(most):
        page.keyboard.press("Tab")
        if there():
            return True
    return False


def test_on_a_phone_the_filters_and_rows_are_whole(visit: Visit, scene: Scene) -> None:
    requests(scene)
    visit.sign_in_as(make_staff(scene.ada.bank, Role.AUDITOR, "Uma"))
    visit.page.set_viewport_size(PHONE)
    page = visit.go("/two-factor")
    for label in ("Search", "Asked for", "By", "From day (UTC)", "To day (UTC)"):
        box = page.get_by_label(label, exact=True).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"]
    visit.page.set_viewport_size(DESKTOP)
