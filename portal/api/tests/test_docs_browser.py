"""The docs page in a real browser: it shows the operations and breaks no rule of the content security policy."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from portal.api.tests.test_schema import OPERATIONS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


EACH = [pytest.param(name, marks=[] if name == "adiba" else pytest.mark.slow) for name in sorted(OPERATIONS)]


@pytest.mark.parametrize("name", EACH)
def test_the_page_shows_every_operation(
    name: str, chromium: str, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{live_server.url}/api/{name}/docs")
        page.wait_for_selector(".opblock")
        assert page.locator(".opblock").count() == len(OPERATIONS[name])
        page.locator(".opblock-summary-control").first.click()
        page.wait_for_selector(".opblock-body .responses-wrapper")
        assert Axe().run(page).response["violations"] == []
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []
