"""Renewing a certificate over Adiba's API: the sample as printed, following it, proving the new one, refusals."""

import base64
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography import x509

from devices.models import Device
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff, make_token
from pki.models import Certificate, CertificatePolicy, Rotation
from pki.operations.rotation_proof import proof_text
from pki.rotation_schedule import window_opens
from pki.tests.factories import certify, make_ca
from pki.tests.rotating import live, worked
from pki.x509.tests.makers import private, sign
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most, golden, in_order, refused_once
from portal.core import ids
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)
ROTATE, PROVE = "/v1/device/cert/rotate", "/v1/device/cert/prove"
FORM = "application/x-www-form-urlencoded"  # what curl -d says
NOW = "2024-12-01T14:45:00Z"


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


@pytest.fixture
def phone(ada: User) -> Device:
    """Its certificate entered the renewal window a while ago."""
    with time_machine.travel("2024-01-20T10:00:00Z"):
        make_ca(ada.bank)
        phone = make_device(ada)
        certify(phone, number=1)
    return phone


@pytest.fixture
def old(phone: Device) -> Certificate:
    return Certificate.objects.get()


def living(body: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {name: names.get(str(value), value) for name, value in body.items()}


@pytest.mark.parametrize("by", ["owner", "device", "staff", "bank"])
def test_the_call_is_as_printed(by: str, ada: User, phone: Device, old: Certificate) -> None:
    tokens = {
        "owner": lambda: make_token(user=ada),
        "device": lambda: make_token(user=ada, device=phone),
        "staff": lambda: make_token(user=make_staff(ada.bank, Role.SECURITY_OFFICER)),
        "bank": lambda: make_token(application=make_application(ada.bank, "bank")),
    }
    with time_machine.travel(NOW, tick=False):
        request = living(golden(__file__, "rotate.request"), {"DEV_001_20241201_001": phone.public_id})
        response = Caller(tokens[by]()).send("POST", ROTATE, request, label=FORM)
    assert response.status_code == 202, response.content
    rotation = Rotation.objects.get()
    names = {
        "ROT_001_20241201_001": rotation.public_id,
        "CERT_001_20241201_001": old.public_id,
        "CERT_002_20241201_001": ids.spell("CERT", rotation.new_id_planned),
    }
    expected = living(golden(__file__, "rotate.answer"), names)
    assert response.json() == expected
    assert in_order(response.json()) == in_order(expected)
    assert response["Location"] == f"{ROTATE}/{rotation.public_id}"


def test_it_can_be_followed_to_the_end(ada: User, phone: Device, old: Certificate) -> None:
    with time_machine.travel(NOW):
        caller = Caller(make_token(user=ada, device=phone))
        where = caller.post(ROTATE, {"deviceId": phone.public_id})["Location"]
        with at_most(3):  # the token, its use, the rotation
            waiting = caller.get(where).json()
        assert (waiting["status"], waiting["certificateContent"], waiting["attempts"]) == ("IN_PROGRESS", None, 0)
        assert waiting["nextAttemptAt"] == NOW
        worked()
        issued = caller.get(where).json()
        assert (issued["status"], issued["newCertificateId"]) == ("ISSUED", waiting["newCertificateId"])
        assert issued["oldValidUntil"] == "2024-12-15T14:45:00Z"
        new = x509.load_pem_x509_certificate(base64.b64decode(issued["certificateContent"]))
        fresh = Certificate.objects.get(state="ACTIVE")
        assert (f"{new.serial_number:040x}", issued["serialNumber"]) == (fresh.serial, fresh.serial_colons)
        signature = base64.b64encode(sign(private("p256", 1), proof_text(fresh))).decode()
        body = {"certificateId": fresh.public_id, "signature": signature}
        proved = caller.post(PROVE, body)
        assert (proved.status_code, proved.json()["status"]) == (200, "SUCCESS")
        assert caller.post(PROVE, body).json() == proved.json()
        done = caller.get(where).json()
    assert (done["status"], done["oldValidUntil"], done["lastProblem"]) == (
        "COMPLETED",
        None,
        "The device proved the new certificate.",
    )
    assert live(phone) == ["ACTIVE"]


def test_one_that_waits_for_the_device_says_so(ada: User, phone: Device, old: Certificate) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with time_machine.travel(NOW):
        caller = Caller(make_token(user=ada))
        where = caller.post(ROTATE, {"deviceId": phone.public_id})["Location"]
        worked()
        answer = caller.get(where).json()
        again = caller.post(ROTATE, {"deviceId": phone.public_id})
    assert (answer["status"], answer["nextAttemptAt"]) == ("AWAITING_DEVICE", None)
    assert "older than" in answer["lastProblem"]
    assert (again.status_code, again.json()["status"]) == (202, "AWAITING_DEVICE")


def test_sixty_four_at_once_are_one_rotation_and_one_new_certificate(
    ada: User, phone: Device, old: Certificate
) -> None:
    with time_machine.travel(NOW):
        tokens = [make_token(user=ada, device=phone) for _ in range(64)]
        body = {"deviceId": phone.public_id, "forceRotation": True}
        answers = race(64, lambda number: Caller(tokens[number]).post(ROTATE, body))
        worked()
    assert {getattr(answer, "status_code", answer) for answer in answers} == {202}
    assert len({answer.json()["rotationId"] for answer in answers if not isinstance(answer, Exception)}) == 1
    assert Rotation.objects.count() == 1
    assert live(phone) == ["OVERLAP", "ACTIVE"]


def test_before_the_window_it_takes_force(ada: User, phone: Device, old: Certificate) -> None:
    with time_machine.travel(window_opens(old.not_before, old.not_after) - timedelta(hours=1)):
        caller = Caller(make_token(user=ada))
        with refused_once("not-due", who="Ada"):
            answer = caller.post(ROTATE, {"deviceId": phone.public_id, "forceRotation": False})
        assert answer.status_code == 409
        assert caller.post(ROTATE, {"deviceId": phone.public_id, "forceRotation": True}).status_code == 202


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "deviceId", "required"),
        ({"rotationType": "SOMETIMES"}, "rotationType", "unknown-enum"),
        ({"forceRotation": "true"}, "forceRotation", "invalid-format"),
        ({"forceRotation": 1}, "forceRotation", "invalid-format"),
        ({"forceRotation": None}, "forceRotation", "invalid-format"),
        ({"keySize": 1024}, "keySize", "unknown-field"),
    ],
)
def test_what_cannot_be_read(
    body: dict[str, Any], field: str, code: str, ada: User, phone: Device, old: Certificate
) -> None:
    whole = {"deviceId": phone.public_id, **body} if body else {}
    with refused_once("invalid-input", who="Ada"):
        answer = Caller(make_token(user=ada)).post(ROTATE, whole)
    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert not Rotation.objects.exists()


def test_foreign_looks_unknown_and_a_wrong_token_is_refused_before_anything_is_looked_up(
    ada: User, phone: Device, old: Certificate
) -> None:
    cem, bea = make_customer(ada.bank, "Cem"), make_staff(ada.bank)
    with time_machine.travel(NOW):
        where = Caller(make_token(user=ada)).post(ROTATE, {"deviceId": phone.public_id})["Location"]
        unknown = f"{ROTATE}/{ids.spell('ROT', ids.new_id())}"
        body = {"deviceId": phone.public_id}
        stranger, other = Caller(make_token(user=cem)), make_device(ada)
        for method, path, sent, like in (
            ("POST", ROTATE, body, {"deviceId": "DEV_none"}),
            ("GET", where, None, None),
            (
                "POST",
                PROVE,
                {"certificateId": old.public_id, "signature": "AAAA"},
                {"certificateId": "CERT_x", "signature": "AAAA"},
            ),
        ):
            with refused_once("not-found", who="Cem"):
                answer = stranger.send(method, path, sent)
            same = stranger.send(method, unknown if method == "GET" else path, like)
            assert (answer.status_code, answer.content) == (same.status_code, same.content)
            assert answer.status_code == 404
        with refused_once("capability-missing", who=f"Bea ({bea.username})"):
            assert Caller(make_token(user=bea)).post(ROTATE, body).status_code == 403
        bound = Caller(make_token(user=ada, device=other))
        assert bound.get("/v1/device/status").status_code == 200  # notes that it was in use
        narrow = Caller(make_token(user=ada, scope="devices"))
        for caller, method, path, sent, code in (
            (bound, "POST", ROTATE, body, "token-bound-elsewhere"),
            (bound, "GET", where, None, "token-bound-elsewhere"),
            (narrow, "POST", ROTATE, body, "insufficient-scope"),
            (narrow, "POST", PROVE, {}, "insufficient-scope"),
        ):
            with refused_once(code, who="Ada"):
                assert caller.send(method, path, sent).status_code == 403
    assert Rotation.objects.get().state == "PLANNED"
    assert live(phone) == ["ACTIVE"]


def test_a_signature_that_is_not_the_keys(ada: User, phone: Device, old: Certificate) -> None:
    with time_machine.travel(NOW):
        caller = Caller(make_token(user=ada))
        with refused_once("proof-wrong", who="Ada"):
            answer = caller.post(PROVE, {"certificateId": old.public_id, "signature": "AAAA"})
        assert answer.status_code == 403
        with refused_once("invalid-input", who="Ada"):
            answer = caller.post(PROVE, {"certificateId": old.public_id, "signature": "no base64!"})
        assert answer.status_code == 400
