"""The pages about applications: a new one, its secrets, its rules."""

import html
import re

import pytest
from django.test import Client

from devices.tests.factories import make_application, make_bank, make_staff
from portal.accounts.models import Application, Bank
from portal.accounts.operations.client_signing import sign_secret_of
from portal.accounts.operations.clients import application_of
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db
LIST = "/two-factor/clients"
WANTED = {"name": "Our phone app", "dialects": ["hyphen", "adiba"], "scopes": ["devices", "twofa"]}


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def admin(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Ann"))


def secrets_in(text: str) -> dict[str, str]:
    return dict(re.findall(r'<code class="secret" id="secret-([a-z]+)">([^<]+)</code>', html.unescape(text)))


def test_a_new_application_shows_its_credentials_once(bank: Bank, admin: Client) -> None:
    assert "No application yet" in admin.get(LIST).content.decode()
    answer = admin.post(f"{LIST}/new?kind=mobile", WANTED)
    made = Application.objects.get()
    shown = secrets_in(answer.content.decode())
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert list(shown) == ["client", "app"]
    assert application_of(shown["app"]) == made
    assert (made.bank, made.kind, made.allowed_scopes) == (bank, "mobile", ["devices", "twofa"])
    later = admin.get(f"{LIST}/{made.client_id}").content.decode() + admin.get(LIST).content.decode()
    logged = "".join(AuditEvent.objects.values_list("data", flat=True))
    for secret in shown.values():
        assert secret not in later + logged


def test_what_is_not_right_is_told_at_the_form(admin: Client) -> None:
    for change in ({"name": ""}, {"scopes": ["twofa:request"]}, {"allowed_ips": "nowhere"}):
        assert admin.post(f"{LIST}/new?kind=mobile", {**WANTED, **change}).status_code == 422
    assert not Application.objects.exists()


def test_each_kind_offers_its_own_rights(admin: Client) -> None:
    offered = {
        kind: [value for value, _ in admin.get(f"{LIST}/new?kind={kind}").context["form"].fields["scopes"].choices]
        for kind in ("mobile", "bank", "merchant", "<script>")
    }
    assert offered["merchant"] == ["phrases:lookup"]
    assert "twofa:request" in offered["bank"]
    assert offered["<script>"] == offered["mobile"]


@pytest.mark.parametrize("which", ["client", "app"])
def test_a_new_secret_is_shown_once_and_the_old_one_is_dead(bank: Bank, admin: Client, which: str) -> None:
    admin.post(f"{LIST}/new?kind=mobile", WANTED)
    made = Application.objects.get()
    before = (made.client_secret, made.app_secret_digest)
    path = f"{LIST}/{made.client_id}/secret"
    assert admin.post(path, {"which": which, "reason": ""}).status_code == 422
    answer = admin.post(path, {"which": which, "reason": "It leaked"})
    [(name, secret)] = secrets_in(answer.content.decode()).items()
    made.refresh_from_db()
    assert name == which
    assert "no-store" in answer["Cache-Control"]
    assert [old != new for old, new in zip(before, (made.client_secret, made.app_secret_digest), strict=True)] == [
        which == "client",
        which == "app",
    ]
    assert secret not in "".join(AuditEvent.objects.values_list("data", flat=True))
    assert secret not in admin.get(path).content.decode()
    event = AuditEvent.objects.latest("id")
    assert (event.event, event.reason) == ("client.changed", "It leaked")


@pytest.mark.parametrize(("days", "status", "known"), [("7", 200, True), ("", 200, False), ("366", 422, True)])
def test_an_old_app_secret_may_stay_good_for_a_while(admin: Client, days: str, status: int, known: bool) -> None:
    old = secrets_in(admin.post(f"{LIST}/new?kind=mobile", WANTED).content.decode())["app"]
    path = f"{LIST}/{Application.objects.get().client_id}/secret"
    assert admin.post(path, {"which": "app", "days": days, "reason": "New release"}).status_code == status
    assert (application_of(old) is not None) is known


def test_a_server_has_no_app_secret(bank: Bank, admin: Client) -> None:
    server = make_application(bank, kind="bank")
    path = f"{LIST}/{server.client_id}/secret"
    assert "App secret" not in admin.get(path).content.decode()
    assert admin.post(path, {"which": "app", "reason": "Because"}).status_code == 422


def test_returns_and_possession_are_set_for_mobile_ones(bank: Bank, admin: Client) -> None:
    admin.post(f"{LIST}/new?kind=mobile", WANTED)
    made = Application.objects.get()
    path = f"{LIST}/{made.client_id}"
    sent = {"return-uris": "com.example.bank:/back\nhttps://app.bank.example/back", "return-reason": "New version"}
    assert admin.post(path, sent).status_code == 302
    assert admin.post(path, {**sent, "return-uris": "javascript:alert(1)"}).status_code == 422
    assert admin.post(path, {"possession-proves": "on", "possession-reason": "Tokens leak"}).status_code == 302
    made.refresh_from_db()
    assert made.redirect_uris.split() == ["com.example.bank:/back", "https://app.bank.example/back"]
    assert made.proves_possession
    server = make_application(bank, kind="merchant")
    shown = admin.get(f"{LIST}/{server.client_id}").content.decode()
    assert "rules-heading" not in shown
    assert "return-heading" not in shown
    answer = admin.post(f"{LIST}/{server.client_id}", {"possession-proves": "on", "possession-reason": "Tokens leak"})
    assert answer.status_code == 409  # a form that this page does not have
    assert [code for _, code, _, _ in refusals()][-1:] == ["not-for-this-client"]
    server.refresh_from_db()
    assert not server.proves_possession


def test_other_roles_and_banks_get_nowhere(bank: Bank, admin: Client) -> None:
    made = make_application(bank, kind="mobile")
    before = (made.client_secret, Application.objects.count())
    bea = signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))
    eve = signed_in_client(make_staff(make_bank(), Role.ADMINISTRATOR, "Eve"))
    for path in (f"{LIST}/new", f"{LIST}/{made.client_id}", f"{LIST}/{made.client_id}/secret"):
        assert bea.get(path).status_code == 403
    for path in (f"{LIST}/{made.client_id}", f"{LIST}/{made.client_id}/secret"):
        assert eve.get(path).status_code == 404
    assert eve.post(f"{LIST}/{made.client_id}/secret", {"which": "client", "reason": "Mine"}).status_code == 404
    made.refresh_from_db()
    assert (made.client_secret, Application.objects.count()) == before
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 3 + ["not-found"] * 3


def test_a_new_secret_wants_a_fresh_second_factor(bank: Bank) -> None:
    made = make_application(bank, kind="mobile")
    stale = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Ann"), fresh=False)
    before = made.client_secret
    answer = stale.post(f"{LIST}/{made.client_id}/secret", {"which": "client", "reason": "It leaked"})
    assert "secret-client" not in answer.content.decode()
    made.refresh_from_db()
    assert made.client_secret == before


def test_one_is_suspended_and_let_in_again(bank: Bank, admin: Client) -> None:
    made = make_application(bank, kind="bank")
    path = f"{LIST}/{made.client_id}"
    assert "Suspend it" in admin.get(path).content.decode()
    assert admin.post(path, {"switch-suspended": "yes", "switch-reason": ""}).status_code == 422
    assert admin.post(path, {"switch-suspended": "perhaps", "switch-reason": "Leak"}).status_code == 422
    for sent, expected in (("yes", True), ("yes", True), ("no", False)):
        assert admin.post(path, {"switch-suspended": sent, "switch-reason": "Leak"}).status_code == 302
        made.refresh_from_db()
        assert (made.suspended_at is not None) is expected
        assert ("Let it in again" in admin.get(path).content.decode()) is expected
    events = AuditEvent.objects.filter(event__startswith="client.").order_by("id")
    assert [event.event for event in events] == ["client.suspended", "client.resumed"]
    bea = signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))
    assert bea.post(path, {"switch-suspended": "yes", "switch-reason": "Leak"}).status_code == 403


def test_a_merchant_is_suspended_here_and_let_in_elsewhere(bank: Bank, admin: Client) -> None:
    made = make_application(bank, kind="merchant")
    path = f"{LIST}/{made.client_id}"
    assert admin.post(path, {"switch-suspended": "yes", "switch-reason": "Leak"}).status_code == 302
    answer = admin.post(path, {"switch-suspended": "no", "switch-reason": "Over"})
    assert answer.status_code == 409
    assert "A merchant is let in again by two people, on its page under Merchants." in answer.content.decode()
    made.refresh_from_db()
    assert made.suspended_at is not None
    found = AuditEvent.objects.order_by("id").values_list("event", "code")
    assert list(found)[-2:] == [("client.suspended", ""), ("request.refused", "merchant-needs-two")]


def test_what_spid_adds_is_told_to_a_new_one(admin: Client) -> None:
    wanted = {"signed_answers": "on", "administers": "on"}
    assert admin.post(f"{LIST}/new?kind=mobile", {**WANTED, **wanted}).status_code == 422  # SPiD is not open to it
    answer = admin.post(f"{LIST}/new?kind=mobile", {**WANTED, **wanted, "dialects": ["spid"]})
    made = Application.objects.get()
    shown = secrets_in(answer.content.decode())
    assert list(shown) == ["client", "app", "sign"]
    assert (sign_secret_of(made), made.administers) == (shown["sign"], True)


def test_the_days_of_an_old_app_secret_are_asked_of_mobile_ones(bank: Bank, admin: Client) -> None:
    offered: dict[str, bool] = {}
    for kind in ("mobile", "bank", "merchant"):
        path = f"{LIST}/{make_application(bank, kind=kind).client_id}/secret"
        offered[kind] = "days" in admin.get(path).context["form"].fields
    assert offered == {"mobile": True, "bank": False, "merchant": False}
