"""Signing: who may, by what terms, once; with a second person a worker signs; and bundles."""

from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates
from django.db import transaction

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    staff_actor,
)
from pki.models import BlockedKey, Certificate, CertificatePolicy, CertificateRequest
from pki.operations import bundles, issuance, signing_work
from pki.operations.bundles import take_bundle
from pki.operations.ending import hold
from pki.operations.requests import end_open_requests, request_certificate
from pki.operations.signing import reject_request, sign_request
from pki.operations.signing_work import issue_ready, sweep
from pki.states import CertificateState, RequestState
from pki.tests.factories import csr_for, token_gone
from pki.x509.building import issue
from pki.x509.tests.makers import extension
from portal import jobs
from portal.accounts.actors import client_actor
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of
from portal.approvals.models import ApprovalRequest
from portal.approvals.operations import approve_request
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor, Channel
from portal.core.errors import (
    ApprovalRequired,
    Conflict,
    DomainError,
    Expired,
    Forbidden,
    InvalidInput,
    InvalidState,
    NotFound,
    RulesBroken,
    Unavailable,
)
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)


def asked(device: Device, *extensions: bytes, **values: Any) -> CertificateRequest:
    csr = b"" if "key_algorithm" in values else csr_for(device, *extensions, kind=values.pop("kind", "p256"))
    actor = values.pop("actor", None) or customer_actor(device.owner)
    return request_certificate(actor=actor, device_id=str(device.pk), csr=csr, **values).request


def read(certificate: Certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(certificate.der or b""))


def fresh(request: CertificateRequest) -> CertificateRequest:
    return CertificateRequest.objects.get(pk=request.pk)


def refused(
    kind: type[DomainError], code: str, request: CertificateRequest, actor: Actor, **terms: Any
) -> DomainError:
    """The call is refused by this rule, and nothing was changed or written."""
    before = (fresh(request).state, Certificate.objects.count(), AuditEvent.objects.count())
    with pytest.raises(kind) as error:
        sign_request(actor=actor, csr_id=request.public_id, **terms)
    assert error.value.code == code
    assert (fresh(request).state, Certificate.objects.count(), AuditEvent.objects.count()) == before
    return error.value


def test_the_certificate_is_the_registrys(phone: Device, bea: Actor) -> None:
    request = asked(phone, kind="rsa-2048")
    before = AuditEvent.objects.count()
    with jobs.recorded() as rung:
        signed = sign_request(actor=bea, csr_id=request.public_id, days=30, reason="Looks right")
        assert [ring.name for ring in rung] == ["pki.presign"]
    assert signed.certificate is not None
    found = read(signed.certificate)
    policy = CertificatePolicy.objects.get()
    assert found.subject.rfc4514_string() == f"CN={phone.public_id},O={policy.organisation},C={policy.country}"
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.data_encipherment) == (True, True, False)
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 29  # to the last second of the 30th
    assert (signed.request.state, signed.request.decided_by_id) == (RequestState.ISSUED, bea.user_id)
    assert signed.request.terms["days"] == 30
    told = list(AuditEvent.objects.order_by("pk").values_list("event", "actor_label"))[before:]
    assert told == [(event, bea.label) for event in ("certificate.started", "csr.allowed", "certificate.issued")]


def test_only_what_both_ask_for_is_granted(phone: Device, bea: Actor) -> None:
    signature_only = extension("2.5.29.15", bytes.fromhex("03020780"), critical=True)
    narrow = asked(phone, signature_only, kind="rsa-2048")
    both = ["digital-signature", "key-encipherment"]
    signed = sign_request(actor=bea, csr_id=narrow.public_id, uses=both, purposes=["client-auth"])
    assert signed.request.terms["uses"] == ["digital-signature"]
    wide = asked(phone, kind="rsa-2048")
    signed = sign_request(actor=bea, csr_id=wide.public_id, uses=["digital-signature"])
    assert signed.request.terms["uses"] == ["digital-signature"]


@pytest.mark.parametrize(
    ("terms", "rules"),
    [
        (
            {"uses": ["digital-signature", "data-encipherment"], "purposes": ["client-auth", "server-auth"]},
            {"asks-data-encipherment", "asks-server-auth"},
        ),
        ({"days": 398}, {"asks-too-long"}),
        ({"days": 0}, {"asks-too-long"}),
        ({"uses": []}, {"asks-no-use"}),
        ({"purposes": ["launch-rockets"]}, {"asks-unknown"}),
    ],
)
def test_more_than_the_profile_is_refused(terms: dict[str, Any], rules: set[str], phone: Device, bea: Actor) -> None:
    error = refused(RulesBroken, "ask-refused", asked(phone), bea, **terms)
    assert isinstance(error, RulesBroken)
    assert {one.rule for one in error.findings} == rules


def test_who_may_sign(ada: User, phone: Device, bea: Actor) -> None:
    request = asked(phone)
    operator = staff_actor(make_staff(ada.bank))
    for actor in (operator, customer_actor(ada, phone)):
        refused(Forbidden, "capability-missing", request, actor)
        with pytest.raises(Forbidden):
            sign_request(actor=actor, csr_id="unknown")
    stranger = staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER))
    refused(NotFound, "not-found", request, stranger)
    with pytest.raises(NotFound):
        sign_request(actor=bea, csr_id=ids.spell("CSR", ids.new_id()))
    assert sign_request(actor=bank_actor(ada.bank), csr_id=request.public_id).certificate


def test_whoever_asked_does_not_sign(phone: Device, bea: Actor) -> None:
    request = asked(phone, actor=bea)
    refused(Forbidden, "maker-is-checker", request, bea)
    with pytest.raises(Forbidden):
        reject_request(actor=bea, csr_id=request.public_id, reason="On second thoughts")
    assert sign_request(actor=bank_actor(phone.bank), csr_id=request.public_id).certificate


def test_a_decision_is_made_once(phone: Device, bea: Actor) -> None:
    signed, rejected = asked(phone), asked(phone)
    sign_request(actor=bea, csr_id=signed.public_id)
    reject_request(actor=bea, csr_id=rejected.public_id, reason="Unknown phone")
    assert (fresh(rejected).state, fresh(rejected).reason) == (RequestState.REJECTED, "Unknown phone")
    for request in (signed, rejected):
        refused(Conflict, "already-decided", request, bea)
        with pytest.raises(Conflict):
            reject_request(actor=bea, csr_id=request.public_id, reason="Again")


def test_what_stands_in_the_way(phone: Device, bea: Actor) -> None:
    request = asked(phone)
    with pytest.raises(InvalidInput):
        reject_request(actor=bea, csr_id=request.public_id, reason=" ")
    with time_machine.travel(request.expires_at, tick=False):
        refused(Expired, "request-expired", request, bea)
    Device.objects.filter(pk=phone.pk).update(
        status=DeviceStatus.INACTIVE, held_by=HeldBy.BANK, switched_off_at=clock.now()
    )
    refused(InvalidState, "device-not-active", request, bea)
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.ACTIVE, held_by=HeldBy.NOBODY)
    BlockedKey.objects.create(fingerprint=request.key_fingerprint, reason="x", blocked_at=clock.now())
    refused(RulesBroken, "key-blocked", request, bea)


def test_a_narrower_profile_counts_for_requests_that_wait(phone: Device, bea: Actor) -> None:
    request = asked(phone)
    CertificatePolicy.objects.update(profiles={"device": {"keys": ["rsa-2048"]}})
    error = refused(RulesBroken, "ask-refused", request, bea)
    assert isinstance(error, RulesBroken)
    assert [one.rule for one in error.findings] == ["key-not-in-profile"]


@pytest.mark.parametrize("number", [8])
def test_many_sign_one_request(number: int, phone: Device, bea: Actor) -> None:
    request = asked(phone)
    outcomes = race(number, lambda _: sign_request(actor=bea, csr_id=request.public_id))
    errors = [one for one in outcomes if isinstance(one, Exception)]
    assert len(errors) == number - 1, outcomes
    assert {getattr(one, "code", one) for one in errors} == {"already-decided"}
    assert Certificate.objects.count() == 1


def test_a_key_store_that_is_down_lets_the_request_wait(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(phone)
    monkeypatch.setattr(issuance, "signer_of", token_gone)
    with pytest.raises(Unavailable):
        sign_request(actor=bea, csr_id=request.public_id)
    waiting = fresh(request)
    assert (waiting.state, waiting.decided_by, waiting.terms) == (RequestState.PENDING, None, {})
    assert Certificate.objects.get().state == CertificateState.ABORTED
    monkeypatch.undo()
    assert sign_request(actor=bea, csr_id=request.public_id).certificate
    assert Certificate.objects.values("serial").distinct().count() == 2


def test_an_error_of_ours_is_not_called_the_key_stores(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(phone)
    monkeypatch.setattr(issuance, "prepare", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sign_request(actor=bea, csr_id=request.public_id)
    assert fresh(request).state == RequestState.PENDING
    assert Certificate.objects.get().state == CertificateState.ABORTED
    assert AuditEvent.objects.get(event="certificate.aborted").reason == "an error of the portal"


def test_one_that_breaks_something_does_not_stop_the_sweep(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []
    for device in (phone, make_device(phone.owner)):
        request, approval = two_people(device, bea)
        approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi"))
        requests.append(request)
    tried: list[str] = []

    def breaks_once(request_id: str) -> None:
        tried.append(request_id)
        if len(tried) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(signing_work, "issue_ready", breaks_once)
    with time_machine.travel(clock.now() + signing_work.LEFT_BEHIND * 2, tick=False):
        sweep()
    assert tried == [str(request.pk) for request in requests]


# Two people.


def approved(approval: ApprovalRequest, by: User) -> ApprovalRequest:
    return approve_request(
        actor=staff_actor(by),
        request_id=approval.public_id,
        seen=approval.payload_digest,
        reason="Checked by phone",
        proof=proof_of(by),
    )


def two_people(phone: Device, actor: Actor, **terms: Any) -> tuple[CertificateRequest, ApprovalRequest]:
    CertificatePolicy.objects.update(sign_needs_two=True)
    request = asked(phone)
    with pytest.raises(ApprovalRequired):
        sign_request(actor=actor, csr_id=request.public_id, **terms)
    assert fresh(request).state == RequestState.PENDING
    return request, ApprovalRequest.objects.open().get()


def test_with_two_people_a_worker_signs_by_the_approved_terms(phone: Device, bea: Actor) -> None:
    request, approval = two_people(phone, bea, days=10)
    with jobs.recorded() as rung:
        done = approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi"))
        assert ("pki.issue", str(request.pk)) in rung
    assert (done.state, done.result) == ("DONE", {"csr_id": request.public_id, "status": "READY"})
    assert (fresh(request).state, fresh(request).terms["days"]) == (RequestState.READY, 10)
    certificate = issue_ready(str(request.pk))
    assert certificate is not None
    assert (read(certificate).not_valid_after_utc - read(certificate).not_valid_before_utc).days == 9
    assert issue_ready(str(request.pk)) is None
    assert fresh(request).state == RequestState.ISSUED


def test_whoever_asked_for_the_certificate_does_not_approve_its_signing_either(phone: Device, bea: Actor) -> None:
    """He made the request as an operator, and has the approvers' role by now."""
    avi = make_staff(phone.bank, Role.OPERATOR, "Avi")
    request = asked(phone, actor=staff_actor(avi))
    CertificatePolicy.objects.update(sign_needs_two=True)
    with pytest.raises(ApprovalRequired):
        sign_request(actor=bea, csr_id=request.public_id)
    User.objects.filter(pk=avi.pk).update(role=Role.APPROVER)
    avi.refresh_from_db()
    done = approved(ApprovalRequest.objects.open().get(), avi)
    assert (done.state, done.error_code) == ("FAILED", "maker-is-checker")
    assert fresh(request).state == RequestState.PENDING


def test_a_banks_server_asks_for_the_second_person_by_its_own_scope(phone: Device) -> None:
    client = make_application(phone.bank, kind="bank", allowed_scopes=["pki:sign"])
    request, approval = two_people(phone, client_actor(client, channel=Channel.ADIBA))
    assert approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi")).state == "DONE"
    assert fresh(request).state == RequestState.READY


def test_the_sweep_signs_what_no_worker_heard_of(phone: Device, bea: Actor) -> None:
    request, approval = two_people(phone, bea)
    approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi"))
    sweep()
    assert fresh(request).state == RequestState.READY  # a worker may just be at it
    with time_machine.travel(clock.now() + signing_work.LEFT_BEHIND * 2, tick=False):
        sweep()
    assert fresh(request).state == RequestState.ISSUED


def test_what_was_allowed_is_tried_a_few_times_and_then_waits_for_people(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, approval = two_people(phone, bea)
    approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi"))
    monkeypatch.setattr(issuance, "signer_of", token_gone)
    for left in range(issuance.MOST_TRIES, 0, -1):
        assert fresh(request).state == RequestState.READY, left
        with pytest.raises(Unavailable):
            issue_ready(str(request.pk))
    assert fresh(request).state == RequestState.PENDING
    assert Certificate.objects.filter(state=CertificateState.ABORTED).count() == issuance.MOST_TRIES


def test_a_device_switched_off_after_the_approval_gets_none(phone: Device, bea: Actor) -> None:
    request, approval = two_people(phone, bea)
    approved(approval, make_staff(phone.bank, Role.APPROVER, "Avi"))
    Device.objects.filter(pk=phone.pk).update(
        status=DeviceStatus.INACTIVE, held_by=HeldBy.BANK, switched_off_at=clock.now()
    )
    assert issue_ready(str(request.pk)) is None
    assert fresh(request).state == RequestState.PENDING
    last = AuditEvent.objects.order_by("pk").last()
    assert last is not None
    assert (last.event, "device-not-active" in last.reason) == ("csr.returned", True)


def test_what_is_signed_for_a_device_that_goes_is_thrown_away(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(phone)

    def meanwhile(*values: Any) -> Any:
        with transaction.atomic():
            end_open_requests(Actor.system("test", bank_id=phone.bank_id), phone, "It changed hands.")
        return issue(*values)

    monkeypatch.setattr(issuance, "issue", meanwhile)
    with pytest.raises(InvalidState) as error:
        sign_request(actor=bea, csr_id=request.public_id)
    assert error.value.code == "signing-aborted"
    assert fresh(request).state == RequestState.REJECTED
    assert Certificate.objects.get().state == CertificateState.ABORTED


# Bundles.

PHRASE = "correct horse battery"


def with_key(phone: Device, bea: Actor, algorithm: str = "EC") -> CertificateRequest:
    request = asked(phone, key_algorithm=algorithm)
    sign_request(actor=bea, csr_id=request.public_id)
    return request


@pytest.mark.parametrize("algorithm", ["EC", "ED25519", "RSA"])
def test_key_and_certificate_go_out_once(algorithm: str, phone: Device, bea: Actor) -> None:
    request = with_key(phone, bea, algorithm)
    owner = customer_actor(phone.owner)
    bundle = take_bundle(actor=owner, csr_id=request.public_id, passphrase=PHRASE)
    key, leaf, chain = load_key_and_certificates(bundle.content, PHRASE.encode())
    assert key is not None
    assert leaf == read(bundle.certificate)
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*spki) == leaf.public_key().public_bytes(*spki)
    assert [one.subject for one in chain] == [leaf.issuer]
    kept = fresh(request)
    assert kept.key_sealed == ""
    assert kept.bundle_taken_at is not None
    last = AuditEvent.objects.order_by("pk").last()
    assert last is not None
    assert last.event == "bundle.taken"
    assert PHRASE not in last.data
    with pytest.raises(Conflict) as error:
        take_bundle(actor=owner, csr_id=request.public_id, passphrase=PHRASE)
    assert error.value.code == "bundle-taken"


def test_the_bundle_is_the_owners(ada: User, phone: Device, bea: Actor) -> None:
    request = with_key(phone, bea)
    cem = make_customer(ada.bank, "Cem")
    attempts = [(bea, "owner-only"), (bank_actor(ada.bank), "owner-only"), (customer_actor(cem), "not-found")]
    attempts.append((customer_actor(ada, make_device(ada)), "token-bound-elsewhere"))
    for actor, code in attempts:
        with pytest.raises(DomainError) as error:
            take_bundle(actor=actor, csr_id=request.public_id, passphrase=PHRASE)
        assert error.value.code == code
    assert fresh(request).key_sealed


@pytest.mark.parametrize("phrase", ["", "short", "x" * 11, "x" * 12, "abababababab", "tab\tin the middle", "x" * 129])
def test_a_weak_passphrase_is_refused(phrase: str, phone: Device, bea: Actor) -> None:
    with pytest.raises(InvalidInput):
        take_bundle(actor=customer_actor(phone.owner), csr_id="CSR_1", passphrase=phrase)


def test_there_is_no_bundle_without_a_key_and_a_live_certificate(phone: Device, bea: Actor) -> None:
    owner = customer_actor(phone.owner)
    waiting, own = asked(phone, key_algorithm="EC"), asked(phone)
    sign_request(actor=bea, csr_id=own.public_id)
    held = with_key(phone, bea)
    with transaction.atomic():
        hold(bea, Certificate.objects.get(request=held))
    for request, code in ((waiting, "not-issued"), (own, "no-server-key"), (held, "certificate-not-live")):
        with pytest.raises(InvalidState) as error:
            take_bundle(actor=owner, csr_id=request.public_id, passphrase=PHRASE)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("meanwhile", "code"), [("hold", "certificate-not-live"), ("expire", "certificate-not-live"), ("go", "not-found")]
)
def test_what_came_between_is_told_as_it_is(
    meanwhile: str, code: str, phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = with_key(phone, bea)
    made = bundles._pkcs12

    def slow(*values: Any) -> bytes:
        content = made(*values)
        with transaction.atomic():
            if meanwhile == "hold":
                hold(bea, Certificate.objects.get())
            elif meanwhile == "expire":
                Certificate.objects.update(not_after=clock.now())
            else:
                Device.objects.update(owner=make_customer(phone.bank, "Cem"))
        return content

    monkeypatch.setattr(bundles, "_pkcs12", slow)
    with pytest.raises(DomainError) as error:
        take_bundle(actor=customer_actor(phone.owner), csr_id=request.public_id, passphrase=PHRASE)
    assert error.value.code == code
    assert (bool(fresh(request).key_sealed), fresh(request).bundle_taken_at) == (True, None)
    assert not AuditEvent.objects.filter(event="bundle.taken").exists()


def test_many_fetch_one_bundle(phone: Device, bea: Actor) -> None:
    request = with_key(phone, bea)
    owner = customer_actor(phone.owner)
    outcomes = race(4, lambda _: take_bundle(actor=owner, csr_id=request.public_id, passphrase=PHRASE))
    codes = sorted(getattr(one, "code", "taken") for one in outcomes)
    assert codes == ["bundle-taken"] * 3 + ["taken"]
