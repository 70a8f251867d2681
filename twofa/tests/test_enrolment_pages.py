"""The pages about identity providers and activation codes."""

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from devices.tests.factories import make_bank, make_customer, make_staff
from portal import vault
from portal.accounts.models import User
from portal.accounts.operations.people import create_customer
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import approve
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.web.tests.helpers import refusals, signed_in_client
from twofa.models import ActivationCode, EnrolmentPolicy, IdentityProvider
from twofa.operations.identity_providers import SECRET
from twofa.queries import enrolment

pytestmark = pytest.mark.django_db
CODES, PROVIDERS = "/two-factor/codes", "/two-factor/providers"
WANTED = {
    "name": "bank-id",
    "issuer": "https://id.example",
    "audience": "portal",
    "algorithms": ["ES256"],
    "jwks_uri": "https://id.example/keys",
    "reason": "Ours",
}


@pytest.fixture
def ada() -> User:
    """A customer whom a code can reach."""
    actor = Actor.system("tests", channel=Channel.COMMAND)
    return create_customer(
        actor=actor, bank=make_bank(), customer_number="100", name="Ada", phone="", email="ada@example.org"
    )


def browser(ada: User, role: str) -> Client:
    return signed_in_client(make_staff(ada.bank, role))


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return html.unescape(response.content.decode())


def sent(ada: User, client: Client, path: str, values: dict[str, Any]) -> Any:
    """Asked for on a page, and approved by somebody else."""
    answer = client.post(path, values)
    [request] = ApprovalRequest.objects.open()
    approve(make_staff(ada.bank, Role.APPROVER, "Avi"), request)
    return answer


def added(ada: User, client: Client, **values: str) -> IdentityProvider:
    sent(ada, client, f"{PROVIDERS}/new", {**WANTED, **values})
    return IdentityProvider.objects.get()


def test_a_provider_is_added_suspended_and_resumed(ada: User) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    assert "No identity provider" in page(client, PROVIDERS)
    assert client.post(f"{PROVIDERS}/new", WANTED).status_code == 302
    assert not IdentityProvider.objects.exists()
    assert "waits" in page(client, PROVIDERS)
    approve(make_staff(ada.bank, Role.APPROVER, "Avi"), ApprovalRequest.objects.get())
    made = IdentityProvider.objects.get()
    path = f"{PROVIDERS}/{made.pk}"
    assert "https://id.example" in page(client, path)
    for step, expected in (("suspend", True), ("suspend", True), ("resume", True), ("resume", False)):
        if expected:
            assert client.post(path, {"step": step, "reason": "Because"}).status_code == 302
        else:
            approve(make_staff(ada.bank, Role.APPROVER, "Eli"), ApprovalRequest.objects.open().get())
        made.refresh_from_db()
        assert (made.suspended_at is not None) is expected  # what the page offered, whatever somebody did meanwhile
    assert "bank-id" in page(client, PROVIDERS)


@pytest.mark.parametrize("change", [{"reason": ""}, {"algorithms": ["none"]}, {"jwks_uri": "http://id.example/keys"}])
def test_what_is_not_right_is_told_at_the_form(ada: User, change: dict[str, object]) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    assert client.post(f"{PROVIDERS}/new", {**WANTED, **change}).status_code == 422
    assert not IdentityProvider.objects.exists()


def test_providers_need_their_right_and_bank(ada: User) -> None:
    path = f"{PROVIDERS}/{added(ada, browser(ada, Role.ADMINISTRATOR)).pk}"
    for address in (PROVIDERS, f"{PROVIDERS}/new", path, f"{path}/edit"):
        page(browser(ada, Role.OPERATOR), address, 403)
    page(browser(make_customer(make_bank()), Role.ADMINISTRATOR), path, 404)


def test_a_code_goes_to_the_contact_and_is_never_shown(ada: User) -> None:
    client = browser(ada, Role.OPERATOR)
    assert "in_person" not in page(client, CODES)
    answer = client.post(
        CODES, {"customer_id": ada.customer_number, "reason": "New phone", "in_person": "on"}, follow=True
    )
    shown = html.unescape(answer.content.decode())
    assert "on its way to the contact on file" in shown
    assert "Open" in shown
    assert not ActivationCode.objects.get().in_person
    assert answer["Cache-Control"] == "no-store"


def test_handed_over_in_person_it_is_shown_once(ada: User) -> None:
    EnrolmentPolicy.objects.create(bank=ada.bank, in_person=True)
    client = browser(ada, Role.OPERATOR)
    answer = client.post(CODES, {"customer_id": ada.public_id, "reason": "At the branch", "in_person": "on"})
    shown = answer.content.decode()
    assert answer.status_code == 200
    found = re.search(r'code-shown">([0-9]{4} [0-9]{4})</code>', shown)
    assert found is not None
    assert found[1] not in page(client, CODES)
    assert found[1].replace(" ", "") not in "".join(AuditEvent.objects.values_list("data", flat=True))


def test_who_may_only_look_issues_none(ada: User) -> None:
    client = browser(ada, Role.SUPPORT)
    assert "Issue a code" not in page(client, CODES)
    assert client.post(CODES, {"customer_id": ada.public_id, "reason": "Please"}).status_code == 403
    assert not ActivationCode.objects.exists()
    assert [(event, code) for event, code, _, _ in refusals()] == [("request.refused", "capability-missing")]
    page(browser(ada, Role.ADMINISTRATOR), CODES, 403)


def test_a_code_is_taken_back_before_it_is_used(ada: User) -> None:
    client = browser(ada, Role.OPERATOR)
    client.post(CODES, {"customer_id": ada.public_id, "reason": "New phone"})
    made = ActivationCode.objects.get()
    path = f"{CODES}/{made.public_id}/cancel"
    assert path in page(client, CODES)
    assert "Cancel the code of" in page(client, path)
    assert client.post(path, {"reason": ""}).status_code == 422
    for _ in range(2):
        assert client.post(path, {"reason": "Wrong person"}).status_code == 302
    made.refresh_from_db()
    assert (made.cancelled_by, made.closed_at is not None) == (made.issued_by, True)
    shown = page(client, CODES)
    assert "Cancelled" in shown
    assert path not in shown
    assert AuditEvent.objects.filter(event="activation-code.cancelled").count() == 1


def test_a_used_code_cannot_be_taken_back(ada: User) -> None:
    client = browser(ada, Role.OPERATOR)
    client.post(CODES, {"customer_id": ada.public_id, "reason": "New phone"})
    now = clock.now()
    ActivationCode.objects.update(used_at=now, closed_at=now)
    path = f"{CODES}/{ActivationCode.objects.get().public_id}/cancel"
    assert client.post(path, {"reason": "Wrong person"}).status_code == 409
    assert [code for _, code, _, _ in refusals()] == ["code-used"]


def test_who_may_not_issue_cancels_none(ada: User) -> None:
    browser(ada, Role.OPERATOR).post(CODES, {"customer_id": ada.public_id, "reason": "New phone"})
    path = f"{CODES}/{ActivationCode.objects.get().public_id}/cancel"
    assert path not in page(browser(ada, Role.SUPPORT), CODES)
    assert browser(ada, Role.SUPPORT).post(path, {"reason": "No"}).status_code == 403
    stranger = browser(make_customer(make_bank()), Role.OPERATOR)
    for other in (path, f"{CODES}/ACT_nothing/cancel"):
        assert stranger.post(other, {"reason": "No"}).status_code == 404
    assert ActivationCode.objects.get().closed_at is None


def test_an_unknown_customer_is_told_at_the_form(ada: User) -> None:
    answer = browser(ada, Role.OPERATOR).post(CODES, {"customer_id": "nobody", "reason": "New phone"})
    assert answer.status_code == 422
    assert "This is not a customer of the bank." in answer.content.decode()


def test_codes_are_walked_in_a_part_of_their_own(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "PAGE_SIZE", 1)
    client = browser(ada, Role.OPERATOR)
    for _ in range(2):
        client.post(CODES, {"customer_id": ada.public_id, "reason": "New phone"})
    first = client.get(CODES)
    assert 'id="code-rows"' in first.content.decode()
    assert 'hx-target="#code-rows"' in first.content.decode()
    rows = client.get(first.context["pager"]["next_url"], headers={"HX-Request": "true"})
    assert "<html" not in rows.content.decode()
    assert [code["label"] for code in rows.context["codes"]] == ["Replaced"]


def test_to_hand_codes_over_takes_a_second_person(ada: User) -> None:
    cleo = browser(ada, Role.SECURITY_OFFICER)
    path = f"{CODES}/policy"
    assert "Not allowed" in page(cleo, path)
    answer = cleo.post(path, {"allowed": "yes", "reason": "Branches may"})
    assert (answer.status_code, ApprovalRequest.objects.get().operation) == (302, "enrolment.in-person")
    assert not EnrolmentPolicy.objects.filter(in_person=True).exists()
    assert "Waiting for a second person" in page(cleo, path)
    EnrolmentPolicy.objects.update_or_create(bank=ada.bank, defaults={"in_person": True})
    assert cleo.post(path, {"allowed": "no", "reason": "No more"}).status_code == 302
    assert not EnrolmentPolicy.objects.filter(in_person=True).exists()
    assert "Ask for a change" in page(browser(ada, Role.OPERATOR), path)
    assert browser(ada, Role.OPERATOR).post(path, {"allowed": "yes", "reason": "Please"}).status_code == 403


def test_a_provider_is_edited_with_a_reason(ada: User) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    made = added(ada, client)
    IdentityProvider.objects.update(key_set='{"keys": []}', fetched_at=clock.now())
    path = f"{PROVIDERS}/{made.pk}/edit"
    values = {name: value for name, value in WANTED.items() if name != "name"}
    assert 'value="https://id.example/keys"' in client.get(path).content.decode()
    assert client.post(path, values).status_code == 302
    changed = {**values, "audience": "other", "jwks_uri": "https://id.example/new", "algorithms": ["ES256", "EdDSA"]}
    assert client.post(path, {**changed, "algorithms": ["none"]}).status_code == 422
    assert client.post(path, {**changed, "reason": ""}).status_code == 422
    assert sent(ada, client, path, changed).status_code == 302
    assert client.post(path, changed).status_code == 302  # it is so already
    made.refresh_from_db()
    assert (made.name, made.audience, made.algorithms) == ("bank-id", "other", ["ES256", "EdDSA"])
    assert (made.key_set, made.fetched_at) == ("", None)  # the old address's keys are good for nothing now
    events = AuditEvent.objects.filter(event="identity-provider.changed")
    assert [json.loads(event.data)["after"]["audience"] for event in events] == ["other"]
    assert browser(ada, Role.OPERATOR).post(path, changed).status_code == 403


BROWSER = {"authorization_endpoint": "https://id.example/authorize", "token_endpoint": "https://id.example/token"}


def test_a_client_secret_is_kept_and_never_shown(ada: User) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    made = added(ada, client, **BROWSER)
    path = f"{PROVIDERS}/{made.pk}"
    assert client.get(path).context["provider"]["has_secret"] is False
    sent = {"secret-secret": "hush-hush", "secret-reason": "From the provider"}
    for wrong in ({"secret-reason": ""}, {"secret-secret": "h" * 513}, {"secret-secret": "gehe\u00efm"}):
        answer = client.post(path, {**sent, **wrong})
        assert answer.status_code == 422
        assert "hush-hush" not in answer.content.decode()
    assert client.post(path, sent).status_code == 302
    made.refresh_from_db()
    assert vault.unseal(SECRET, made.pk, made.client_secret_sealed) == "hush-hush"
    shown = client.get(path)
    assert shown.context["provider"]["has_secret"] is True
    assert "hush-hush" not in shown.content.decode() + "".join(AuditEvent.objects.values_list("data", flat=True))
    assert browser(ada, Role.OPERATOR).post(path, sent).status_code == 403


def test_another_token_endpoint_says_that_the_secret_is_gone(ada: User) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    path = f"{PROVIDERS}/{added(ada, client, **BROWSER).pk}"
    client.post(path, {"secret-secret": "hush-hush", "secret-reason": "From the provider"})
    assert "With another one the client secret is forgotten." in page(client, f"{path}/edit")
    values = {name: value for name, value in {**WANTED, **BROWSER}.items() if name != "name"}
    sent(ada, client, f"{path}/edit", {**values, "token_endpoint": "https://id.example/other"})
    assert IdentityProvider.objects.get().client_secret_sealed == ""


def test_a_provider_without_sign_in_in_a_browser_has_no_form_for_a_secret(ada: User) -> None:
    client = browser(ada, Role.ADMINISTRATOR)
    path = f"{PROVIDERS}/{added(ada, client).pk}"
    assert "secret-heading" not in page(client, path)
    assert client.post(path, {"secret-secret": "hush", "secret-reason": "Mine"}).status_code == 409
    assert [code for _, code, _, _ in refusals()] == ["no-token-endpoint"]


def test_a_client_secret_wants_a_fresh_second_factor(ada: User) -> None:
    path = f"{PROVIDERS}/{added(ada, browser(ada, Role.ADMINISTRATOR), **BROWSER).pk}"
    stale = signed_in_client(make_staff(ada.bank, Role.ADMINISTRATOR, "Sam"), fresh=False)
    stale.post(path, {"secret-secret": "hush", "secret-reason": "Mine"})
    assert IdentityProvider.objects.get().client_secret_sealed == ""
