"""The portal's pages about certificate requests: arguments in, pages and messages out."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device, make_staff
from pki.models import BlockedKey, Certificate, CertificatePolicy, CertificateRequest
from pki.operations.requests import request_certificate
from pki.tests.factories import csr_for, make_ca
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import code_at, enrol
from portal.approvals.models import ApprovalRequest
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/certificates/requests"


@pytest.fixture
def officer(ada: User) -> User:
    return make_staff(ada.bank, Role.SECURITY_OFFICER, "Bea")


@pytest.fixture
def seed(officer: User) -> str:
    return enrol(officer)[0]


@pytest.fixture
def browser(officer: User, seed: str) -> Client:
    return signed_in_client(officer)


def asked(device: Device, **values: Any) -> CertificateRequest:
    csr = b"" if values else csr_for(device)
    actor = customer_actor(device.owner)
    return request_certificate(actor=actor, device_id=str(device.pk), csr=csr, **values).request


def url(request: CertificateRequest, step: str = "") -> str:
    return f"{LIST}/{request.pk}" + (f"/{step}" if step else "")


def ids_on(client: Client, query: str = "") -> list[str]:
    return [row["public_id"] for row in client.get(f"{LIST}{query}").context["requests"]]


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return len([query for query in captured.captured_queries if not query["sql"].startswith(frame)])


def test_the_queue_shows_the_banks_own_by_state_and_search(browser: Client, ada: User, phone: Device) -> None:
    first, other = asked(phone), asked(make_device(ada))
    CertificateRequest.objects.filter(pk=other.pk).update(state="REJECTED")
    stranger = make_device(make_customer(make_bank()))
    make_ca(stranger.bank)
    asked(stranger)
    assert ids_on(browser) == [other.public_id, first.public_id]
    assert ids_on(browser, "?state=PENDING") == [first.public_id]
    for text in (first.public_id, phone.public_id, str(phone.pk), phone.external_id, first.key_fingerprint):
        assert ids_on(browser, f"?q={text}") == [first.public_id], text
    assert ids_on(browser, f"?q={ada.customer_number}") == [other.public_id, first.public_id]
    assert ids_on(browser, "?q=nobody") == []
    tabs = browser.get(LIST).context["states"]
    assert [(tab["label"], tab["count"]) for tab in tabs][:2] == [("All", 2), ("Waiting", 1)]


def test_a_long_queue_costs_as_many_queries(browser: Client, ada: User, phone: Device) -> None:
    asked(phone)
    one = statements(browser, LIST)
    for _ in range(6):
        asked(make_device(ada))
    assert statements(browser, LIST) == one


def test_the_page_shows_what_is_asked_and_what_would_be_held(browser: Client, phone: Device) -> None:
    names = ["device.digitalbank.com"]
    request = asked(phone, key_algorithm="EC", subject={"O": "<script>alert(1)</script>"}, names=names)
    page = browser.get(url(request))
    lines = {line["label"]: (line["asked"], line["held"]) for line in page.context["judged"]["lines"]}
    policy = CertificatePolicy.objects.get()
    assert lines["Other names"] == (["dns device.digitalbank.com"], [])
    assert lines["Subject"][1] == [f"C={policy.country}", f"O={policy.organisation}", f"CN={phone.public_id}"]
    assert lines["Key usage"] == ([], ["digital-signature"])
    assert lines["Days"] == ([], ["365"])
    text = page.content.decode()
    assert "<script>alert(1)" not in text
    assert "Every check passed." in text
    assert "sealed here until the owner fetches it" in text


def test_every_finding_is_listed(browser: Client, phone: Device) -> None:
    request = asked(phone)
    CertificatePolicy.objects.update(profiles={"device": {"keys": ["rsa-2048"]}})
    page = browser.get(url(request))
    assert [one["rule"] for one in page.context["judged"]["findings"]] == ["key-not-in-profile"]
    BlockedKey.objects.create(fingerprint=request.key_fingerprint, reason="x", blocked_at=clock.now())
    assert "was compromised" in browser.get(url(request)).content.decode()


def test_signing_takes_a_fresh_code(browser: Client, seed: str, phone: Device) -> None:
    request = asked(phone)
    wrong = browser.post(url(request, "decide"), {"decision": "sign", "code": "000000"})
    assert (wrong.status_code, Certificate.objects.count()) == (422, 0)
    from portal.accounts.models import TotpAuthenticator

    TotpAuthenticator.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    form = {"decision": "sign", "days": "30", "reason": "Known\nphone", "code": code_at(seed)}
    done = browser.post(url(request, "decide"), form, follow=True)
    assert [str(message) for message in done.context["messages"]] == [
        "The certificate was signed. The device can fetch it now."
    ]
    request.refresh_from_db()
    assert (request.state, request.terms["days"], request.reason) == ("ISSUED", 30, "Known phone")
    assert done.context["csr"]["certificate"]["public_id"] == Certificate.objects.get().public_id
    lines = {line["label"]: line["held"] for line in done.context["judged"]["lines"]}
    assert (lines["Days"], lines["Subject"][-1]) == (["30"], f"CN={phone.public_id}")
    assert done.context["decision"] is None


def test_rejecting_wants_a_reason(browser: Client, seed: str, phone: Device) -> None:
    request = asked(phone)
    page = browser.post(url(request, "decide"), {"decision": "reject", "reason": "Unknown", "code": code_at(seed)})
    assert page.status_code == 302
    request.refresh_from_db()
    assert (request.state, request.reason) == ("REJECTED", "Unknown")


@pytest.mark.parametrize("word", ["", "Sign", "approve", "sign reject"])
def test_any_other_word_decides_nothing(browser: Client, seed: str, phone: Device, word: str) -> None:
    request = asked(phone)
    form = {"decision": word, "reason": "Unknown", "code": code_at(seed)}
    page = browser.post(url(request, "decide"), form)
    assert page.status_code == 422
    assert "Choose: sign or reject." in page.content.decode()
    request.refresh_from_db()
    assert (request.state, request.reason, refusals()) == ("PENDING", "", [])
    # The code is still good.
    assert browser.post(url(request, "decide"), {**form, "decision": "reject"}).status_code == 302


def test_a_refusal_stands_at_the_form_and_in_the_log_once(
    browser: Client, seed: str, officer: User, phone: Device
) -> None:
    request = asked(phone)
    page = browser.post(url(request, "decide"), {"decision": "sign", "days": "5000", "code": code_at(seed)})
    assert page.status_code == 422
    assert "5000 days are asked for" in page.content.decode()
    assert refusals() == [("request.refused", "ask-refused", str(officer.pk), str(request.pk))]


def test_who_may_not_decide_is_told_who_may(ada: User, phone: Device) -> None:
    request = asked(phone)
    support = make_staff(ada.bank, Role.SUPPORT, "Sue")
    browser = signed_in_client(support)
    page = browser.get(url(request))
    assert (page.context["decision"]["allowed"], page.context["decision"]["who"]) == (False, "security officer")
    assert b"decision-heading" not in page.content
    assert browser.post(url(request, "decide"), {"decision": "sign", "code": "123456"}).status_code == 403
    assert refusals() == [("request.refused", "capability-missing", str(support.pk), str(request.pk))]


def test_a_second_person_is_asked_from_the_page(browser: Client, seed: str, phone: Device) -> None:
    CertificatePolicy.objects.update(sign_needs_two=True)
    request = asked(phone)
    done = browser.post(url(request, "decide"), {"decision": "sign", "code": code_at(seed)}, follow=True)
    assert ApprovalRequest.objects.get().operation == "pki.sign"
    assert "Waiting for a second person" in browser.get(url(request)).content.decode()
    assert done.status_code == 200


def test_other_banks_requests_are_unknown(browser: Client) -> None:
    stranger = make_device(make_customer(make_bank()))
    make_ca(stranger.bank)
    request = asked(stranger)
    assert browser.get(url(request)).status_code == 404
    assert browser.post(url(request, "decide"), {"decision": "sign", "code": "1"}).status_code == 404
