"""What the past of a device's keys and certificates forbids, whoever asks and however."""

import base64
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from devices.models import Device, DeviceKey
from devices.operations.keys import enrol_key
from devices.tests.factories import customer_actor, private_key
from pki.authority import issuer_of
from pki.models import Certificate, CertificatePolicy, CertificateRequest, OcspResponder, Rotation
from pki.operations import ending, ocsp
from pki.operations.auto_signing import sign_at_once
from pki.operations.enrolling import enrol_again
from pki.operations.issuance import settle
from pki.operations.requests import Requested, request_certificate
from pki.operations.revocation import hold_certificate, release_certificate, revoke_certificate
from pki.operations.rotation_keys import rotate_with_key
from pki.operations.rotation_work import CLAIM, rotate_batch
from pki.operations.signing import Signed, sign_request
from pki.states import CertificateState, RotationState
from pki.tests.factories import certify, csr_for
from pki.x509.ocsp import UNAUTHORIZED
from pki.x509.ocsp_requests import OcspRequest, certificate_id
from pki.x509.requests import check_request
from portal.accounts.models import User
from portal.approvals.models import ApprovalPolicy
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, RateLimited, RulesBroken
from portal.crypto.keys import parse_public_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_once(ada: User) -> None:
    """The bank signs at once for devices that ask by their own token."""
    CertificatePolicy.objects.update(auto_sign=True)


def ask(ada: User, phone: Device, number: int) -> Requested:
    actor = customer_actor(ada, device=phone)
    return request_certificate(actor=actor, device_id=phone.public_id, csr=csr_for(phone, number=number))


def rule(ada: User, phone: Device, number: int) -> str:
    before = (CertificateRequest.objects.count(), Certificate.objects.count())
    with pytest.raises(RulesBroken) as refused:
        ask(ada, phone, number)
    assert (CertificateRequest.objects.count(), Certificate.objects.count()) == before
    return refused.value.code


def test_a_device_does_not_undo_a_hold_of_staff(ada: User, phone: Device, bea: Actor) -> None:
    held = ask(ada, phone, 1).certificate
    assert held is not None
    hold_certificate(actor=bea, certificate_id=held.public_id, reason="Suspected")
    assert rule(ada, phone, 1) == "key-on-hold"
    waiting = ask(ada, phone, 2)
    assert (waiting.certificate, waiting.request.state) == (None, "PENDING")
    held.refresh_from_db()
    assert (held.state, held.held_apart) == (CertificateState.ON_HOLD, True)


def test_what_staff_hold_stays_held_beside_a_new_certificate(phone: Device, old: Certificate, bea: Actor) -> None:
    hold_certificate(actor=bea, certificate_id=old.public_id, reason="Suspected")
    certify(phone, number=2)
    old.refresh_from_db()
    assert old.state == CertificateState.ON_HOLD
    release_certificate(actor=bea, certificate_id=old.public_id, reason="Cleared")
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == ("REVOKED", "superseded")


def test_staff_who_are_faster_than_the_banks_policy_stop_it(
    ada: User, phone: Device, old: Certificate, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They hold the device's certificate after the request was stored and before it is allowed."""

    def held_before(request: CertificateRequest) -> Signed | None:
        hold_certificate(actor=bea, certificate_id=old.public_id, reason="Suspected")
        return sign_at_once(request)

    monkeypatch.setattr("pki.operations.requests.sign_at_once", held_before)
    waiting = ask(ada, phone, 2)
    assert (waiting.certificate, waiting.request.state) == (None, "PENDING")
    assert Certificate.objects.count() == 1


def test_a_key_that_was_taken_away_while_its_request_waited_is_not_signed(
    ada: User, phone: Device, bea: Actor
) -> None:
    made = ask(ada, phone, 1).certificate
    assert made is not None
    CertificatePolicy.objects.update(auto_sign=False)
    waiting = ask(ada, phone, 1).request
    revoke_certificate(actor=bea, certificate_id=made.public_id, cause="privilege-withdrawn", reason="Taken away")
    with pytest.raises(RulesBroken) as refused:
        sign_request(actor=bea, csr_id=waiting.public_id)
    assert refused.value.code == "key-revoked"
    waiting.refresh_from_db()
    assert (waiting.state, Certificate.objects.count()) == ("PENDING", 1)


@pytest.mark.parametrize("cause", ["privilege-withdrawn", "key-compromise"])
def test_a_device_does_not_undo_a_revocation(ada: User, phone: Device, bea: Actor, cause: str) -> None:
    made = ask(ada, phone, 1).certificate
    assert made is not None
    revoke_certificate(actor=bea, certificate_id=made.public_id, cause=cause, reason="Taken away")
    assert rule(ada, phone, 1) == ("key-blocked" if cause == "key-compromise" else "key-revoked")
    assert ask(ada, phone, 2).certificate is None


def test_asking_again_makes_no_key_younger(ada: User, phone: Device) -> None:
    first = ask(ada, phone, 1).certificate
    assert first is not None
    with time_machine.travel(clock.now() + timedelta(days=300), tick=False):
        again = ask(ada, phone, 1).certificate
        assert again is not None
        assert again.key_since == first.key_since
    with time_machine.travel(clock.now() + timedelta(days=1096), tick=False):
        assert rule(ada, phone, 1) == "key-too-old"


def test_four_eyes_for_signing_leave_nothing_to_be_signed_at_once(ada: User, phone: Device) -> None:
    ApprovalPolicy.objects.create(bank=ada.bank, required=["pki.sign"], bulk_threshold=20, updated_at=clock.now())
    assert ask(ada, phone, 1).certificate is None


def test_a_token_alone_does_not_replace_a_key(ada: User, phone: Device, old: Certificate) -> None:
    CertificatePolicy.objects.update(auto_sign=False)
    actor = customer_actor(ada, device=phone)
    csr = csr_for(phone, number=2)
    waits = enrol_again(actor=actor, device_id=phone.pk, csr=_text(csr), by_certificate=False)
    assert waits.certificate is None
    old.refresh_from_db()
    assert (old.state, Rotation.objects.count()) == (CertificateState.ACTIVE, 0)
    made = enrol_again(actor=actor, device_id=phone.pk, csr=_text(csr_for(phone, number=3)), by_certificate=True)
    assert made.certificate is not None


def _text(csr: bytes) -> str:
    return base64.b64encode(csr).decode()


def test_no_worker_goes_on_with_a_devices_own_request(
    ada: User, phone: Device, old: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ended while the new key was signed: the old key is not renewed in its place."""

    def killed(*args: Any) -> None:
        raise SystemExit

    monkeypatch.setattr("pki.operations.rotation_keys.make", killed)
    actor = customer_actor(ada, device=phone)
    request = check_request(csr_for(phone, number=2))
    with pytest.raises(SystemExit):
        rotate_with_key(actor=actor, device_id=phone.public_id, request=request, early=True)
    monkeypatch.undo()
    with time_machine.travel(clock.now() + CLAIM + timedelta(minutes=5), tick=False):
        assert rotate_batch() == 0
        settle()
        assert Rotation.objects.get().state == RotationState.CANCELLED
        new = rotate_with_key(actor=actor, device_id=phone.public_id, request=request, early=True)
    assert new.key_fingerprint == request.key.fingerprint
    assert sorted(Certificate.objects.values_list("state", flat=True)) == ["ABORTED", "ACTIVE", "OVERLAP"]


def test_an_authority_at_its_end_makes_one_responder_and_past_it_none(old: Certificate) -> None:
    authority = old.authority
    asked = OcspRequest(certificate_id(issuer_of(authority), int(old.serial, 16)), nonce=b"0123456789abcdef")
    OcspResponder.objects.all().delete()
    with time_machine.travel(authority.not_after - timedelta(days=1), tick=False):
        for _ in range(3):
            ocsp.sign_now(authority, asked)
        assert OcspResponder.objects.filter(authority=authority).count() == 1
    with time_machine.travel(authority.not_after + timedelta(days=1), tick=False):
        assert ocsp.sign_now(authority, asked) == (UNAUTHORIZED, None)
    assert OcspResponder.objects.filter(authority=authority).count() == 1


def test_neither_a_blocked_nor_a_certified_key_becomes_an_approval_key(phone: Device) -> None:
    numbers = private_key("dora").public_key().public_numbers()
    spelled = f"{numbers.x:064x}{numbers.y:064x}"
    ending.block_key(parse_public_key(spelled).fingerprint, "It was compromised.")
    signature = private_key("dora").sign(b"challenge", ec.ECDSA(SHA256()))
    with pytest.raises(Conflict, match="cannot be used"):
        enrol_key(
            actor=Actor.system("test", bank_id=phone.bank_id),
            device_id=str(phone.pk),
            public_key=spelled,
            challenge=b"challenge",
            signature=signature,
        )
    assert not DeviceKey.objects.filter(device=phone).exists()


def test_a_device_gets_ten_certificates_a_day_by_itself(ada: User, phone: Device, old: Certificate) -> None:
    actor = customer_actor(ada, device=phone)
    for number in range(10, 19):
        Rotation.objects.all().delete()
        request = check_request(csr_for(phone, number=number))
        rotate_with_key(actor=actor, device_id=phone.public_id, request=request, early=True)
    Rotation.objects.all().delete()
    with pytest.raises(RateLimited) as refused:
        rotate_with_key(
            actor=actor, device_id=phone.public_id, request=check_request(csr_for(phone, number=19)), early=True
        )
    assert (refused.value.code, Certificate.objects.count()) == ("too-many-certificates", 10)
