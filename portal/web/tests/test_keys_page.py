"""The page that shows a change of keys."""

import pytest

from devices.tests.factories import make_bank, make_staff
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.core.actor import Actor
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.models import KeyStep
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import people
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", [Role.SECURITY_OFFICER, Role.AUDITOR, Role.APPROVER])
def test_before_any_change_it_says_so(role: str) -> None:
    page = signed_in_client(make_staff(make_bank(), role)).get("/keys")
    assert page.status_code == 200
    assert "No change of keys yet" in page.text


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR, Role.ADMINISTRATOR])
def test_others_do_not_see_it(role: str) -> None:
    page = signed_in_client(make_staff(make_bank(), role)).get("/keys")
    assert page.status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["forbidden"]


def test_it_shows_a_bar_for_each_column_while_it_goes_on() -> None:
    with rings.before():
        people(3)
    browser = signed_in_client(make_staff(make_bank(), Role.AUDITOR))
    with rings.both():
        change = start_change(actor=Actor.system("rotate_keys"))
        page = browser.get("/keys")
        assert page.text.count("<progress") == change.steps.count()
        assert "Waits for older transactions" in page.text
        assert "Sealing key t2" in page.text or "sealing key t2" in page.text
        engine.run(600)
        page = browser.get("/keys")
        assert 'value="100" max="100" aria-label="devices.device.external_id_sealed"' in page.text

    KeyStep.objects.filter(kind="seal").update(broken=4711, broken_rows=["row-of-another-bank"])
    page = browser.get("/keys")
    assert "Some cannot be opened" in page.text
    assert "row-of-another-bank" not in page.text
    assert "4711" not in page.text


def test_it_costs_few_queries() -> None:
    with rings.before():
        people(1)
    browser = signed_in_client(make_staff(make_bank(), Role.AUDITOR))
    with rings.both():
        start_change(actor=Actor.system("rotate_keys"))
        browser.get("/keys")
        with at_most(8):
            browser.get("/keys")
