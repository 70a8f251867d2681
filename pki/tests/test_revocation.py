"""Revoking, holding and releasing: what it ends, who may, and what a repeat does."""

import json
from typing import Any
from uuid import uuid4

import pytest

from devices.models import Device, DeviceKey
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from devices.tests.life import approve
from pki.models import BlockedKey, Certificate, CertificateRequest, CrlChange, OcspAnswer
from pki.operations import issuance, ocsp
from pki.operations.revocation import Ended, hold_certificate, release_certificate, revoke_certificate
from pki.states import CertificateState, RequestState, RevocationReason
from pki.tests.factories import certify, hang_certificate, make_ca
from pki.x509.building import Issued, issue
from portal import jobs
from portal.accounts.models import AccessToken
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Forbidden, InvalidInput, InvalidState, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    return make_device(make_customer(make_bank()))


def revoke(actor: Actor, certificate: Certificate, cause: str = "superseded", reason: str = "Replaced") -> Ended:
    return revoke_certificate(actor=actor, certificate_id=certificate.public_id, cause=cause, reason=reason)


def hold(actor: Actor, certificate: Certificate) -> Ended:
    return hold_certificate(actor=actor, certificate_id=certificate.public_id, reason="Looks odd")


def release(actor: Actor, certificate: Certificate) -> Ended:
    return release_certificate(actor=actor, certificate_id=certificate.public_id, reason="It was fine")


def events() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "actor_label"))


def unchanged(certificate: Certificate) -> bool:
    return Certificate.objects.filter(pk=certificate.pk).values().get() == {
        field.attname: getattr(certificate, field.attname) for field in Certificate._meta.concrete_fields
    }


def test_a_revoked_certificate_says_when_and_why(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    OcspAnswer.objects.create(certificate=certificate, der=b"good", this_update=clock.now(), next_update=clock.now())
    done = revoke(bea, certificate, "privilege-withdrawn", "Left the bank")
    assert (done.changed, done.counts) == (True, {"certificates": 1})
    certificate.refresh_from_db()
    assert (certificate.state, certificate.revocation_reason) == ("REVOKED", "privilege-withdrawn")
    assert certificate.revoked_at is not None
    assert not OcspAnswer.objects.exists()
    assert [change.authority_id for change in CrlChange.objects.all()] == [certificate.authority_id]
    event = AuditEvent.objects.get()
    assert (event.event, event.object_id, event.reason) == (
        "certificate.revoked",
        str(certificate.pk),
        "Left the bank",
    )


@pytest.mark.django_db(transaction=True)
def test_it_rings_for_a_list_and_an_answer(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    with jobs.recorded() as rung:
        revoke(bea, certificate)
        assert [(ring.name, ring.pk) for ring in rung] == [
            ("pki.publish_crl", str(certificate.authority_id)),
            ("pki.presign", str(certificate.pk)),
        ]


def test_a_repeat_is_quiet_and_keeps_date_and_cause(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    first = revoke(bea, certificate)
    again = revoke(bea, certificate, "unspecified", "Once more")
    assert (again.changed, len(events())) == (False, 1)
    assert (again.certificate.revoked_at, again.certificate.revocation_reason) == (
        first.certificate.revoked_at,
        "superseded",
    )


def test_hold_release_and_revoke(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    held = hold(bea, certificate)
    assert (held.changed, held.certificate.state, held.certificate.held_apart) == (True, "ON_HOLD", True)
    assert held.certificate.revocation_reason == RevocationReason.CERTIFICATE_HOLD
    assert hold(bea, certificate).changed is False
    let = release(bea, certificate)
    assert (let.changed, let.certificate.state, let.certificate.revoked_at) == (True, "ACTIVE", None)
    assert release(bea, certificate).changed is False
    hold(bea, certificate)
    revoke(bea, certificate)
    assert [name for name, _ in events()] == [
        "certificate.held",
        "certificate.released",
        "certificate.held",
        "certificate.revoked",
    ]
    with pytest.raises(InvalidState):
        release(bea, certificate)
    with pytest.raises(InvalidState):
        hold(bea, certificate)


def test_a_compromised_key_is_blocked_everywhere(phone: Device, bea: Actor) -> None:
    cem = make_customer(make_bank(), "Cem")
    foreign, older = make_device(cem), make_device(phone.owner)
    certificate, twin, other = hang_certificate(phone), hang_certificate(foreign), hang_certificate(older)
    key = certificate.key_fingerprint
    Certificate.objects.filter(pk=twin.pk).update(key_fingerprint=key, state=CertificateState.ON_HOLD,
        revoked_at=clock.now(), revocation_reason="certificate-hold")  # fmt: skip
    CertificateRequest.objects.filter(device=older).update(key_fingerprint=key, key_sealed="sealed")
    DeviceKey.objects.create(
        device=foreign, algorithm="p256", public_key="0" * 128, spelling="0", fingerprint=key,
        registered_at=clock.now(), proved_at=clock.now(),
    )  # fmt: skip
    for device in (phone, foreign, older, make_device(phone.owner)):
        make_token(user=device.owner, device=device)

    done = revoke(bea, certificate, "key-compromise", "Found on a forum")
    assert done.counts == {"requests": 1, "certificates": 2, "approval_keys": 1, "sessions": 3}
    assert AccessToken.objects.live().count() == 1
    assert [row.fingerprint for row in BlockedKey.objects.all()] == [key]
    states = {row.pk: (row.state, row.revocation_reason) for row in Certificate.objects.all()}
    assert states[certificate.pk] == states[twin.pk] == ("REVOKED", "key-compromise")
    assert states[other.pk] == ("ACTIVE", "")
    request = CertificateRequest.objects.get(device=older)
    assert (request.state, request.key_sealed) == (RequestState.REJECTED, "")
    assert DeviceKey.objects.get().retired_at is not None
    # The other bank reads what was done, and not by whom or why.
    theirs = AuditEvent.objects.get(bank_id=cem.bank_id)
    assert (theirs.event, theirs.actor_label) == ("certificate.revoked", "pki.key-blocked")
    assert "forum" not in theirs.reason
    assert AuditEvent.objects.get(event="key.blocked").reason == "Found on a forum"


def test_a_revoked_certificates_key_can_still_be_blocked(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    revoke(bea, certificate)
    done = revoke(bea, certificate, "key-compromise", "Found on a forum")
    assert (done.changed, done.certificate.revocation_reason) == (True, "superseded")
    assert BlockedKey.objects.count() == 1
    assert revoke(bea, certificate, "key-compromise", "Again").changed is False


def test_the_key_of_one_that_ran_out_is_blocked_once(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    Certificate.objects.filter(pk=certificate.pk).update(state=CertificateState.EXPIRED)
    done = revoke(bea, certificate, "key-compromise", "Found on a forum")
    assert (done.changed, done.certificate.state, BlockedKey.objects.count()) == (True, "EXPIRED", 1)
    assert revoke(bea, certificate, "key-compromise", "Again").changed is False
    assert [name for name, _ in events()] == ["key.blocked"]


def test_what_is_not_there_to_end_is_refused(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    Certificate.objects.filter(pk=certificate.pk).update(state=CertificateState.EXPIRED)
    for step in (revoke, hold, release):
        with pytest.raises(InvalidState) as refused:
            step(bea, certificate)
        assert refused.value.code == "certificate-state-not-valid"
    assert events() == []


@pytest.mark.parametrize("cause", ["", "certificate-hold", "removeFromCRL", "KEY-COMPROMISE"])
def test_other_causes_are_refused(phone: Device, bea: Actor, cause: str) -> None:
    certificate = hang_certificate(phone)
    with pytest.raises(InvalidInput):
        revoke(bea, certificate, cause)
    assert unchanged(certificate)
    assert (events(), BlockedKey.objects.count(), CrlChange.objects.count()) == ([], 0, 0)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "4111 1111 1111 1111"])
def test_staff_say_why(phone: Device, bea: Actor, reason: str) -> None:
    certificate = hang_certificate(phone)
    with pytest.raises(InvalidInput):
        revoke(bea, certificate, reason=reason)
    for step in (hold_certificate, release_certificate):
        with pytest.raises(InvalidInput):
            step(actor=bea, certificate_id=certificate.public_id, reason=reason)
    assert unchanged(certificate)


def test_only_who_may_revokes_and_foreign_looks_unknown(phone: Device) -> None:
    certificate = hang_certificate(phone)
    operator = staff_actor(make_staff(phone.bank, Role.OPERATOR))
    stranger = staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER))
    for step in (revoke, hold, release):
        for actor in (operator, customer_actor(phone.owner)):
            with pytest.raises(Forbidden):
                step(actor, certificate)
        with pytest.raises(NotFound):
            step(stranger, certificate)
    with pytest.raises(NotFound):
        revoke_certificate(actor=stranger, certificate_id=f"CERT_{uuid4()}", cause="superseded", reason="x")
    assert unchanged(certificate)
    assert revoke(bank_actor(phone.bank), certificate, reason="").changed


def test_the_bank_may_want_two_people_but_a_hold_waits_for_nobody(phone: Device, bea: Actor) -> None:
    ApprovalPolicy.objects.create(bank=phone.bank, required=["pki.revoke"], bulk_threshold=10, updated_at=clock.now())
    certificate = hang_certificate(phone)
    with pytest.raises(ApprovalRequired):
        revoke(bea, certificate)
    assert unchanged(certificate)
    assert hold(bea, certificate).certificate.state == "ON_HOLD"
    approve()
    certificate.refresh_from_db()
    assert (certificate.state, certificate.revocation_reason) == ("REVOKED", "superseded")
    event = AuditEvent.objects.get(event="certificate.revoked")
    assert json.loads(event.data)["approval"]["id"] == ApprovalRequest.objects.get().public_id


def test_held_apart_stays_on_hold_while_the_device_is_off(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    hold(bea, certificate)
    Device.objects.filter(pk=phone.pk).update(status="INACTIVE", held_by="bank")
    done = release(bea, certificate)
    assert (done.changed, done.certificate.state, done.certificate.held_apart) == (True, "ON_HOLD", False)
    assert release(bea, certificate).changed is False


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_revoked_while_it_is_signed_gives_no_certificate(
    phone: Device, bea: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ca(phone.bank)
    first = certify(phone, number=7)

    def meanwhile(*values: Any) -> Issued:
        revoke(bea, first, "key-compromise", "Stolen")
        return issue(*values)

    monkeypatch.setattr(issuance, "issue", meanwhile)
    with pytest.raises(InvalidState) as refused:
        certify(phone, number=7)
    assert refused.value.code == "signing-aborted"
    assert list(Certificate.objects.order_by("reserved_at").values_list("state", flat=True)) == ["REVOKED", "ABORTED"]
    assert ocsp.refresh() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_signed_of_a_key_that_is_blocked_is_thrown_away(phone: Device, bea: Actor) -> None:
    make_ca(phone.bank)
    revoke(bea, certify(phone, number=7), "key-compromise", "Stolen")
    with pytest.raises(InvalidState) as refused:
        certify(phone, number=7)
    assert refused.value.code == "key-blocked"
    assert not Certificate.objects.live().exists()
