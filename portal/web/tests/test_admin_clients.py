"""API clients in the admin: their rights in SPiD, and secrets that are shown once."""

import re
from typing import Any

import pytest
from django.test import Client

from devices.tests.factories import make_application, make_bank, make_staff
from portal.accounts.models import Application, Bank
from portal.accounts.operations.client_signing import sign_secret_of
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/application/"


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def browser(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank, Role.ADMINISTRATOR))


def act(browser: Client, action: str, *rows: int, **values: str) -> Any:
    return browser.post(LIST, {"action": action, "_selected_action": [str(row) for row in rows], **values})


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_page_says_what_a_client_may_and_shows_no_secret(bank: Bank, browser: Client) -> None:
    row = make_application(bank, administers=True, sign_secret_sealed="sealed-text")
    for page in (text(browser.get(LIST)), text(browser.get(f"{LIST}{row.pk}/change/"))):
        assert "Administers" in page
        assert "Signed answers" in page
        assert "sealed-text" not in page


def test_a_new_secret_is_asked_for_shown_once_and_signs(bank: Bank, browser: Client) -> None:
    rows = [make_application(bank, name=name) for name in ("Alpha app", "Beta app")]
    asked = text(act(browser, "renew_secret", *(row.pk for row in rows)))
    assert "New sign secrets" in asked
    assert "Alpha app" in asked
    assert sign_secret_of(Application.objects.get(pk=rows[0].pk)) == ""
    answer = act(browser, "renew_secret", *(row.pk for row in rows), reason="Signed from today")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    shown = re.findall(r"<code>([\w-]{43})</code>", text(answer))
    kept = {sign_secret_of(Application.objects.get(pk=row.pk)) for row in rows}
    assert set(shown) == kept
    assert len(kept) == 2
    for page in (text(browser.get(LIST)), text(browser.get(f"{LIST}{rows[0].pk}/change/"))):
        assert not any(secret in page for secret in kept)
    events = AuditEvent.objects.filter(event="client.changed")
    assert list(events.values_list("reason", "channel")) == [("Signed from today", "admin")] * 2
    assert not any(secret in str(list(AuditEvent.objects.values())) for secret in kept)


def test_each_client_is_done_or_refused_by_itself(bank: Bank, browser: Client) -> None:
    good, other = make_application(bank), make_application(bank, dialects=["adiba"])
    foreign = make_application(make_bank())
    answer = text(act(browser, "renew_secret", good.pk, other.pk, foreign.pk, reason="why"))
    assert len(re.findall(r"<code>[\w-]{43}</code>", answer)) == 1
    assert "Refused. Answers are only signed in SPiD" in answer
    assert "Refused. There is no such client." in answer
    assert foreign.name not in answer
    assert [code for _, code, _, _ in refusals()] == ["client-not-spid", "not-found"]
    assert not Application.objects.exclude(pk=good.pk).exclude(sign_secret_sealed="").exists()


@pytest.mark.parametrize(
    ("action", "field", "before", "after"),
    [
        ("drop_secret", "sign_secret_sealed", "sealed", ""),
        ("give_administration", "administers", False, True),
        ("take_administration", "administers", True, False),
    ],
)
def test_the_other_steps(action: str, field: str, before: Any, after: Any, bank: Bank, browser: Client) -> None:
    row = make_application(bank, **{field: before})
    assert row.name in text(act(browser, action, row.pk))
    assert getattr(Application.objects.get(), field) == before
    answer = act(browser, action, row.pk, reason="why")
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    assert getattr(Application.objects.get(), field) == after
    event = AuditEvent.objects.get(event="client.changed")
    assert (event.object_id, event.reason) == (str(row.pk), "why")
    assert row.name in text(browser.get(LIST))


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMINISTRATOR}))
def test_nobody_else_comes_here(role: str, bank: Bank) -> None:
    row = make_application(bank)
    answer = act(signed_in_client(make_staff(bank, role)), "renew_secret", row.pk, reason="why")
    assert answer.status_code == 403
    assert Application.objects.get().sign_secret_sealed == ""
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]
