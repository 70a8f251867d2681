"""The fresh second factor: nothing is done without, nothing typed is lost, and a passkey does as well as a code."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client

from devices.models import Device, Transfer
from devices.states import TransferState
from devices.tests.factories import (
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_transfer,
)
from devices.tests.moving import reachable
from pki.models import CertificateRequest
from pki.operations.requests import request_certificate
from pki.tests.factories import csr_for, make_ca
from portal.accounts.models import AccessToken, Application, BackupCode, Passkey, User
from portal.accounts.roles import Role
from portal.accounts.tests.authenticating import SecurityKey, give_passkey
from portal.accounts.tests.people import code_at, enrol, events
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import asked as approval_of
from portal.approvals.tests.asking import make_people
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.approving import decision
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db

HOST = "localhost"
ASKS = "web/step_up.html"


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


@pytest.fixture
def secret(bea: User) -> str:
    return enrol(bea)[0]


@pytest.fixture
def key(bea: User, secret: str) -> SecurityKey:
    return key_of(bea)


def key_of(user: User) -> SecurityKey:
    """The passkey of somebody who has an authenticator app, which lies at home."""
    made = SecurityKey()
    give_passkey(user, made)
    return made


def at_home(user: User, *, fresh: bool = True) -> Client:
    client = signed_in_client(user, fresh=fresh)
    client.defaults["SERVER_NAME"] = HOST
    return client


def name_of(answer: Any) -> str:
    return str(answer.templates[0].name) if answer.templates else ""


def proved(client: Client, page: Any, **proof: str) -> Any:
    """Send the page that asks, with a proof: everything that it carries goes along."""
    assert (page.status_code, name_of(page)) == (422, ASKS)
    carried: dict[str, list[str]] = {}
    for name, value in page.context["carried"]:
        carried.setdefault(name, []).append(value)
    return client.post(
        page.context["action"], {**carried, **{f"again-{name}": value for name, value in proof.items()}}
    )


def proved_by(key: SecurityKey, client: Client, page: Any) -> Any:
    return proved(client, page, answer=key.sign(page.context["passkey"]["options"]))


# What was typed.


def test_what_was_typed_goes_along_and_the_form_is_carried_out(bea: User, secret: str) -> None:
    device = make_device(make_customer(bea.bank))
    client = at_home(bea, fresh=False)
    page = client.post(f"/devices/{device.pk}/deactivate", {"reason": "Stolen <b>&\r\nnobody knows"})
    assert "Nothing was changed" in page.content.decode()
    assert "Stolen &lt;b&gt;&amp;" in page.content.decode()
    assert Device.objects.get().is_active
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        answer = proved(client, page, code=code_at(secret))
        assert answer["Location"] == f"/devices/{device.pk}"
        assert client.post(f"/devices/{device.pk}/activate", {"reason": "Found"}).status_code == 302
    assert list(AuditEvent.objects.filter(event="device.deactivated").values_list("reason", flat=True)) == [
        "Stolen <b>& nobody knows"
    ]


def test_every_value_of_a_field_goes_along(bea: User, key: SecurityKey) -> None:
    officer = make_staff(bea.bank, Role.SECURITY_OFFICER, username="cleo")
    enrol(officer)
    its = SecurityKey(b"cleo")
    give_passkey(officer, its)
    client = at_home(officer, fresh=False)
    wanted = {"required": ["device.activate", "device.deactivate"], "bulk_threshold": 3, "reason": "After the audit"}
    page = client.post("/approvals/policy", wanted)
    assert [value for name, value in page.context["carried"] if name == "required"] == wanted["required"]
    assert not ApprovalRequest.objects.exists()
    assert proved_by(its, client, page).status_code == 302
    assert ApprovalRequest.objects.get().operation == "approvals.policy"


def test_a_wrong_code_asks_again_and_loses_nothing(bea: User, secret: str) -> None:
    device = make_device(make_customer(bea.bank))
    client = at_home(bea, fresh=False)
    page = client.post(f"/devices/{device.pk}/block", {"reason": "Stolen"})
    again = proved(client, page, code="000000")
    assert ("reason", "Stolen") in again.context["carried"]
    assert "not right" in again.content.decode()
    assert Device.objects.get().is_active
    assert [(event, code) for event, code, _, _ in refusals()] == [("second-factor.refused", "second-factor-wrong")]
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        assert proved(client, again, code=code_at(secret)).status_code == 302
    assert not Device.objects.get().is_active


def test_the_code_is_carried_nowhere(bea: User, secret: str) -> None:
    client = at_home(bea, fresh=False)
    page = client.post(
        f"/devices/{uuid4()}/block", {"reason": "R", "again-code": "000000", "csrfmiddlewaretoken": "t"}
    )
    assert page.context["carried"] == [("reason", "R")]


# Whoever has only a passkey at hand.


def test_a_passkey_does_for_a_stale_form(bea: User, key: SecurityKey) -> None:
    device = make_device(make_customer(bea.bank))
    client = at_home(bea, fresh=False)
    page = client.post(f"/devices/{device.pk}/deactivate", {"reason": "Stolen"})
    assert proved_by(key, client, page).status_code == 302
    assert not Device.objects.get().is_active
    assert events("sign-in.succeeded") == []


def test_a_passkey_decides_on_a_request(bea: User) -> None:
    people = make_people()
    request = approval_of(people)
    enrol(people.avi)
    key, client = key_of(people.avi), at_home(people.avi)
    page = client.post(f"/approvals/{request.public_id}/decide", decision(request, ""))
    assert not Device.objects.get(pk=people.phone.pk).is_active
    assert proved_by(key, client, page)["Location"] == f"/approvals/{request.public_id}"
    assert ApprovalRequest.objects.get().state == RequestState.DONE


def test_a_passkey_decides_on_a_transfer(bea: User) -> None:
    avi = make_staff(bea.bank, Role.APPROVER, username="avi")
    enrol(avi)
    key, client = key_of(avi), at_home(avi)
    transfer = make_transfer(
        make_device(make_customer(bea.bank)), reachable(make_customer(bea.bank)), TransferState.PENDING_APPROVAL
    )
    path = f"/transfers/{transfer.pk}/decide"
    page = client.post(path, {"decision": "approve", "reason": "", "code": ""})
    assert Transfer.objects.get().state == TransferState.PENDING_APPROVAL
    assert proved_by(key, client, page).status_code == 302
    assert Transfer.objects.get().state != TransferState.PENDING_APPROVAL


def test_a_passkey_decides_on_a_certificate(bea: User) -> None:
    officer = make_staff(bea.bank, Role.SECURITY_OFFICER, username="cleo")
    enrol(officer)
    key, client = key_of(officer), at_home(officer)
    device = make_device(make_customer(bea.bank))
    make_ca(bea.bank)
    request_certificate(actor=customer_actor(device.owner), device_id=str(device.pk), csr=csr_for(device))
    path = f"/certificates/requests/{CertificateRequest.objects.get().pk}/decide"
    page = client.post(path, {"decision": "reject", "reason": "Not hers", "code": ""})
    assert CertificateRequest.objects.get().state == "PENDING"
    assert proved_by(key, client, page).status_code == 302
    assert CertificateRequest.objects.get().state == "REJECTED"


def test_a_passkey_makes_backup_codes_and_a_token(bea: User, key: SecurityKey) -> None:
    client = at_home(bea)
    before = set(BackupCode.objects.values_list("digest", flat=True))
    page = client.post("/account/backup-codes", {"codes-code": ""})
    assert set(BackupCode.objects.values_list("digest", flat=True)) == before
    assert len(proved_by(key, client, page).context["codes"]) == 10
    assert before.isdisjoint(BackupCode.objects.values_list("digest", flat=True))
    page = client.post("/account/api-token", {"token-code": ""})
    assert not AccessToken.objects.exists()
    assert proved_by(key, client, page).context["new_token"]
    assert AccessToken.objects.count() == 1


def test_a_passkey_does_for_the_admin(bea: User) -> None:
    dan = make_staff(bea.bank, Role.ADMINISTRATOR, username="dan")
    enrol(dan)
    key, client = key_of(dan), at_home(dan, fresh=False)
    application = make_application(bea.bank, "bank")
    form = {"action": "give_administration", "_selected_action": [str(application.pk)], "reason": "Asked for it"}
    page = client.post("/admin/accounts/application/", form)
    assert not Application.objects.get().administers
    assert proved_by(key, client, page).status_code == 302
    assert Application.objects.get().administers


def test_a_fresh_session_does_not_do_for_what_wants_a_code_each_time(bea: User) -> None:
    people = make_people()
    request = approval_of(people)
    enrol(people.avi)
    page = at_home(people.avi).post(f"/approvals/{request.public_id}/decide", decision(request, ""))
    assert name_of(page) == ASKS
    assert ApprovalRequest.objects.get().state == RequestState.PENDING
    assert refusals() == []


def test_who_may_not_decide_is_not_even_asked(bea: User) -> None:
    people = make_people()
    request = approval_of(people)
    answer = at_home(people.bea).post(f"/approvals/{request.public_id}/decide", decision(request, ""))
    assert (answer.status_code, name_of(answer) == ASKS) == (403, False)


# The page that asks, and the stamp.


def test_a_stale_session_proves_its_factor_first(bea: User, secret: str) -> None:
    client = at_home(bea, fresh=False)
    asked = client.get("/account/passkeys/new")
    assert asked["Location"] == "/account/step-up?next=%2Faccount%2Fpasskeys%2Fnew"
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False) as moment:
        form = {"again-code": code_at(secret), "next": "/account/passkeys/new"}
        assert client.post("/account/step-up", form)["Location"] == "/account/passkeys/new"
        assert client.get("/account/passkeys/new").status_code == 200
        moment.shift(301)
        assert client.get("/account/passkeys/new").status_code == 302
    assert events("sign-in.succeeded") == []


def test_a_stale_form_does_nothing(bea: User, key: SecurityKey) -> None:
    client = at_home(bea, fresh=False)
    answer = client.post(f"/account/passkeys/{Passkey.objects.get().pk}/remove")
    assert (answer.status_code, answer.templates[0].name) == (422, "web/step_up.html")
    assert Passkey.objects.count() == 1
    assert "Nothing was changed" in answer.content.decode()
    assert refusals() == []


def test_a_passkey_steps_up(bea: User, key: SecurityKey) -> None:
    client = at_home(bea, fresh=False)
    options = client.get("/account/step-up?next=/account/passkeys/new").context["passkey"]["options"]
    sent = {"again-answer": key.sign(options), "next": "/account/passkeys/new"}
    assert client.post("/account/step-up", sent)["Location"] == "/account/passkeys/new"
    assert client.get("/account/passkeys/new").status_code == 200
    assert events("sign-in.succeeded") == []


def test_a_wrong_code_steps_nobody_up(bea: User, secret: str) -> None:
    client = at_home(bea, fresh=False)
    page = client.post("/account/step-up", {"again-code": "000000", "next": "/account"})
    assert page.status_code == 422
    assert client.get("/account/passkeys/new").status_code == 302
    assert [(event, code) for event, code, _, _ in refusals()] == [("second-factor.refused", "second-factor-wrong")]


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "javascript:alert(1)", ""])
def test_the_way_back_stays_here(bea: User, secret: str, wanted: str) -> None:
    client = at_home(bea, fresh=False)
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        assert client.post("/account/step-up", {"again-code": code_at(secret), "next": wanted})["Location"] == "/"


def test_somebody_elses_stamp_is_none(bea: User, secret: str) -> None:
    client = at_home(bea)
    session = client.session
    session["fresh"] = {**session["fresh"], "person": str(make_staff(bea.bank, username="cem").pk)}
    session.save()
    assert client.get("/account/passkeys/new").status_code == 302
