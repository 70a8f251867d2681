"""A rotation's way: planned at its slot, renewed beside the old one, proved, over. And what stands in its way."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from cryptography import x509
from django.db import transaction

from devices.models import Device
from devices.operations.activation import activate_device, deactivate_device, unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import (
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    staff_actor,
)
from pki import tasks
from pki.models import Certificate, CertificateAuthority, CertificatePolicy, Rotation
from pki.operations import ending, rotation_work
from pki.operations.issuance import abort, make
from pki.operations.rotation_sweeps import close_late, end_overlaps, plan_rotations, remind_devices
from pki.operations.rotations import rotate_certificate
from pki.rotation_schedule import window_opens
from pki.states import CertificateState, RevocationReason, RotationState
from pki.tests.factories import certify, make_ca, token_gone
from pki.tests.rotating import due, events, later, live, told, worked
from portal import jobs
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import DomainError
from portal.outbox.models import Message

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEM = Actor.system("test")


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, push_handle="token-of-the-phone")


def rotation() -> Rotation:
    return Rotation.objects.select_related("old", "new").get()


def test_a_certificate_is_planned_at_its_slot_and_not_before(old: Certificate) -> None:
    assert old.renew_at is not None
    with later(old.renew_at - timedelta(minutes=1)):
        assert plan_rotations() == 0
    with later(due(old)):
        assert plan_rotations() == 1
        assert plan_rotations() == 0
    assert (rotation().state, rotation().old_id, rotation().due_at) == (RotationState.PLANNED, old.pk, old.not_after)
    assert events() == ["rotation.planned"]


def test_a_batch_renews_it_with_the_same_key_and_the_old_one_overlaps(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        planned = rotation().new_id_planned
        assert worked() == 1
        assert worked() == 0
    one = rotation()
    assert one.new is not None
    assert (one.state, one.new_id, one.new.replaces_id, one.attempts) == (RotationState.OVERLAP, planned, old.pk, 1)
    assert (one.new.key_fingerprint, one.new.key_since) == (old.key_fingerprint, old.key_since)
    assert live(phone) == ["OVERLAP", "ACTIVE"]
    assert told(one) == [("issued", "")]
    assert events() == ["rotation.planned", "rotation.renewed"]
    made = x509.load_der_x509_certificate(bytes(one.new.der or b""))
    before = x509.load_der_x509_certificate(bytes(old.der or b""))
    assert made.extensions.get_extension_for_class(x509.KeyUsage) == before.extensions.get_extension_for_class(
        x509.KeyUsage
    )
    assert (made.not_valid_after_utc - made.not_valid_before_utc) == (
        before.not_valid_after_utc - before.not_valid_before_utc
    )


def test_the_overlap_ends_by_time(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        worked()
        assert end_overlaps() == 0
    with later(due(old) + timedelta(days=14, minutes=1)):
        assert end_overlaps() == 1
        assert end_overlaps() == 0
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == (CertificateState.REVOKED, RevocationReason.SUPERSEDED)
    assert live(phone) == ["ACTIVE"]
    assert rotation().state == RotationState.DONE
    assert told(rotation()) == [("issued", ""), ("ended", "The overlap is over.")]
    assert events() == ["rotation.planned", "rotation.renewed", "rotation.done"]


def test_the_tasks_do_it_all_by_themselves(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        tasks.plan_rotations()
        tasks.rotate_batch("rung")
    assert rotation().state == RotationState.OVERLAP
    with later(due(old) + timedelta(days=14, minutes=1)):
        tasks.end_overlaps()
    assert rotation().state == RotationState.DONE
    assert live(phone) == ["ACTIVE"]


def test_one_that_asks_gets_a_rotation_and_the_workers_are_rung(ada: User, phone: Device, old: Certificate) -> None:
    with later(window_opens(old.not_before, old.not_after)), jobs.recorded() as rings:
        made = rotate_certificate(actor=customer_actor(ada), device_id=phone.public_id)
        assert [ring.name for ring in rings] == ["pki.rotate_batch"]
        again = rotate_certificate(actor=customer_actor(ada), device_id=phone.public_id, rotation_type="MANUAL")
        assert (again.pk, again.type, made.type) == (made.pk, "AUTOMATIC", "AUTOMATIC")
        assert worked() == 1
        assert rotate_certificate(actor=customer_actor(ada), device_id=phone.public_id, force=True).pk == made.pk
    assert events() == ["rotation.planned", "rotation.renewed"]


def test_before_the_window_only_who_forces_it_gets_one(ada: User, phone: Device, old: Certificate) -> None:
    actor = customer_actor(ada)
    assert refused(actor=actor, device_id=phone.public_id) == "not-due"
    assert rotate_certificate(actor=actor, device_id=phone.public_id, force=True).state == RotationState.PLANNED


def refused(**arguments: Any) -> str:
    """The code of a refusal that left no rotation behind."""
    with pytest.raises(DomainError) as error:
        rotate_certificate(**arguments)
    assert not Rotation.objects.exists()
    assert events() == []
    return error.value.code


def test_who_may_not_ask(ada: User, phone: Device, old: Certificate) -> None:
    other, cem = make_device(ada), make_customer(ada.bank, "Cem")
    bea = make_staff(ada.bank, Role.SUPPORT)
    of_other_bank = make_customer(make_bank(), "Cem")
    asked = {"device_id": phone.public_id, "force": True}
    assert refused(actor=customer_actor(cem), **asked) == "not-found"
    assert refused(actor=customer_actor(of_other_bank), **asked) == "not-found"
    assert refused(actor=staff_actor(bea), **asked) == "capability-missing"
    assert refused(actor=customer_actor(ada, other), **asked) == "token-bound-elsewhere"
    assert refused(actor=customer_actor(ada), device_id="DEV_nothing") == "not-found"
    assert refused(actor=customer_actor(ada), device_id=other.public_id, force=True) == "no-certificate"
    assert refused(actor=customer_actor(ada), rotation_type="SOMETIMES", **asked) == "invalid-input"
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.PENDING, activated_at=None)
    assert refused(actor=customer_actor(ada), **asked) == "device-not-active"


@pytest.mark.parametrize("why", ["age", "blocked", "kind"])
def test_a_key_that_is_not_certified_again_is_asked_of_the_device(
    ada: User, phone: Device, old: Certificate, why: str
) -> None:
    if why == "age":
        CertificatePolicy.objects.update(key_lifetime_days=90)
    elif why == "kind":
        CertificatePolicy.objects.update(profiles={"device": {"keys": ["ed25519"]}})
    else:
        ending.block_key(old.key_fingerprint, "found on a forum")
    with later(due(old)):
        Device.objects.update(push_expires_at=clock.now() + timedelta(days=200))
        plan_rotations()
        assert worked() == 0
        one = rotation()
        assert one.state == RotationState.AWAITING_DEVICE
        assert [outcome for outcome, _ in told(one)] == ["asked"]
        assert one.last_reason
        assert events() == ["rotation.planned", "rotation.asked"]
        message = Message.objects.get()
        assert (message.kind, message.template, message.about_id) == ("push", "certificate-key-needed", str(phone.pk))
        assert worked() == 0
    with later(one.next_try_at):
        assert remind_devices() == 1
        assert remind_devices() == 0
    assert Message.objects.count() == 2
    assert live(phone) == ["ACTIVE"]
    with later(old.not_after + timedelta(minutes=1)):
        assert close_late() == 1
        assert plan_rotations() == 0
    assert [outcome for outcome, _ in told(one)] == ["asked", "reminded", "given-up"]
    assert rotation().state == RotationState.FAILED


def test_without_a_push_handle_its_owner_is_told_and_without_any_contact_the_ledger_says_so(
    ada: User, phone: Device, old: Certificate
) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old)):  # its push handle has run out by now
        plan_rotations()
        worked()
    assert not Message.objects.exists()
    with later(rotation().next_try_at):
        remind_devices()
    assert told(rotation())[-1] == (
        "reminded",
        "Nobody could be told: the device takes no push, and its owner has no contact on file.",
    )


def test_a_device_that_its_request_renews_finishes_the_rotation_that_waits(phone: Device, old: Certificate) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old)):
        plan_rotations()
        worked()
        fresh = certify(phone, number=2)
    assert (rotation().state, rotation().new_id) == (RotationState.OVERLAP, fresh.pk)
    assert live(phone) == ["OVERLAP", "ACTIVE"]


def test_a_try_that_fails_is_written_down_and_tried_again_with_a_fresh_serial(
    phone: Device, old: Certificate
) -> None:
    with later(due(old)):
        plan_rotations()
        planned = rotation().new_id_planned
        with mock.patch("pki.operations.issuance.signer_of", token_gone):
            assert worked() == 0
        one = rotation()
        assert (one.state, one.attempts) == (RotationState.PLANNED, 1)
        assert told(one) == [("failed", "The certificate cannot be signed right now.")]
        assert one.new_id_planned != planned
        assert worked() == 0  # its pause is not over
    with later(one.next_try_at):
        assert worked() == 1
    states = list(Certificate.objects.order_by("reserved_at").values_list("state", flat=True))
    assert states == ["OVERLAP", "ABORTED", "ACTIVE"]
    assert len(set(Certificate.objects.values_list("serial", flat=True))) == 3


def test_the_last_try_that_fails_gives_up_and_is_not_planned_again(old: Certificate) -> None:
    with later(old.not_after - timedelta(minutes=6)):
        plan_rotations()
        with mock.patch("pki.operations.issuance.signer_of", token_gone):
            worked()
        assert rotation().state == RotationState.FAILED
        assert [outcome for outcome, _ in told(rotation())] == ["failed", "given-up"]
        assert plan_rotations() == 0
    assert events() == ["rotation.planned", "rotation.failed"]


def test_a_worker_that_died_is_followed_by_one_that_gives_up_its_serial(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        claim = rotation_work.claim()[0]
        assert rotation_work._begin(SYSTEM, claim) is not None  # and here the first worker dies
        assert worked() == 0
    with later(due(old) + timedelta(minutes=3)):
        assert worked() == 1
    one = rotation()
    assert told(one) == [("lost", "A worker stopped in the middle."), ("issued", "")]
    assert (one.state, one.attempts) == (RotationState.OVERLAP, 2)
    assert live(phone) == ["OVERLAP", "ACTIVE"]
    assert Certificate.objects.filter(state="ABORTED").count() == 1


def test_a_worker_that_comes_back_late_changes_nothing(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        slow = rotation_work.claim()[0]
        reserved = rotation_work._begin(SYSTEM, slow)
        assert reserved is not None
    with later(due(old) + timedelta(minutes=3)):
        assert worked() == 1
        with pytest.raises(DomainError, match="took too long"):
            make(SYSTEM, reserved)
        rotation_work.failed(SYSTEM, slow, "too late")
        assert rotation_work._begin(SYSTEM, slow) is None
    assert told(rotation()) == [("lost", "A worker stopped in the middle."), ("issued", "")]
    assert live(phone) == ["OVERLAP", "ACTIVE"]


def test_a_row_at_which_workers_stop_again_and_again_waits_longer_each_time(old: Certificate) -> None:
    at = due(old)
    with later(at - timedelta(seconds=30)):
        plan_rotations()
    for _ in range(3):
        with later(at):
            assert len(rotation_work.claim()) == 1
        at += timedelta(minutes=3)
    with later(at):
        assert rotation_work.claim() == []
    assert rotation().state == RotationState.PLANNED
    assert rotation().next_try_at > at
    assert [outcome for outcome, _ in told(rotation())] == ["lost", "lost", "lost"]


def test_the_sweep_that_was_faster_costs_a_try_and_nothing_else(old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        claim = rotation_work.claim()[0]
        reserved = rotation_work._begin(SYSTEM, claim)
        assert reserved is not None
        abort(SYSTEM, reserved.certificate.pk, "swept")
        with mock.patch.object(rotation_work, "_begin", return_value=reserved):
            assert rotation_work.carry_out(claim) is False
    assert [outcome for outcome, _ in told(rotation())] == ["failed"]
    assert rotation().new_id_planned != reserved.certificate.pk


def test_a_device_that_was_switched_off_cancels_and_is_planned_anew(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        Device.objects.update(status=DeviceStatus.PENDING, activated_at=None)
        assert worked() == 0
        assert rotation().state == RotationState.CANCELLED
        assert plan_rotations() == 0
        Device.objects.update(status=DeviceStatus.ACTIVE, activated_at=clock.now())
        assert plan_rotations() == 1
    assert events() == ["rotation.planned", "rotation.cancelled", "rotation.planned"]


def test_a_certificate_that_is_revoked_cancels_its_rotation_even_while_it_is_signed(
    phone: Device, old: Certificate
) -> None:
    with later(due(old)):
        plan_rotations()
        claim = rotation_work.claim()[0]
        reserved = rotation_work._begin(SYSTEM, claim)
        assert reserved is not None
        with transaction.atomic():
            old.refresh_from_db()
            ending.revoke(SYSTEM, old, RevocationReason.KEY_COMPROMISE, why="stolen")
        with pytest.raises(DomainError) as error:
            make(SYSTEM, reserved)
    assert error.value.code == "key-blocked"
    assert live(phone) == []
    assert told(rotation()) == [("cancelled", "The certificate is revoked.")]
    assert Certificate.objects.get(pk=reserved.certificate.pk).state == CertificateState.ABORTED


def test_an_old_one_whose_newer_one_was_revoked_is_the_current_one_again(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        worked()
        new = rotation().new
        assert new is not None
        with transaction.atomic():
            ending.revoke(SYSTEM, new, RevocationReason.UNSPECIFIED, why="made by mistake")
        assert rotation().state == RotationState.CANCELLED
        assert live(phone) == ["OVERLAP"]
        assert end_overlaps() == 1
        assert live(phone) == ["ACTIVE"]
        assert plan_rotations() == 1


def test_a_bank_keeps_to_its_rate_however_many_workers_ask(ada: User) -> None:
    CertificateAuthority.objects.filter(bank=ada.bank).update(rotation_rate=3)
    made = [certify(make_device(ada)) for _ in range(5)]
    at = max(due(one) for one in made)
    with later(at):
        assert plan_rotations() == 5
        assert [len(rotation_work.claim(2)), len(rotation_work.claim(2)), len(rotation_work.claim(2))] == [2, 1, 0]
    with later(at + timedelta(seconds=61)):
        assert len(rotation_work.claim()) == 2


def test_the_new_authority_signs_what_the_one_before_it_issued(ada: User, phone: Device, old: Certificate) -> None:
    before = CertificateAuthority.objects.get(bank=ada.bank)
    CertificateAuthority.objects.filter(pk=before.pk).update(state="RETIRING")
    with later(due(old)):
        assert plan_rotations() == 0  # nobody issues
        after = make_ca(ada.bank)
        assert plan_rotations() == 1
        assert worked() == 1
    new = rotation().new
    assert new is not None
    assert (rotation().authority_id, new.authority_id) == (after.pk, after.pk)


def test_a_rotation_waits_with_a_device_that_is_switched_off_and_goes_on_with_it(
    phone: Device, old: Certificate
) -> None:
    officer = staff_actor(make_staff(phone.owner.bank, Role.SECURITY_OFFICER))
    with later(due(old)):
        plan_rotations()
        worked()
        deactivate_device(actor=officer, device_id=phone.public_id, reason="on holiday")
        assert (live(phone), rotation().state) == ([], RotationState.OVERLAP)
        activate_device(actor=officer, device_id=phone.public_id, reason="back")
        assert (live(phone), rotation().state) == (["OVERLAP", "ACTIVE"], RotationState.OVERLAP)
        deactivate_device(actor=officer, device_id=phone.public_id, reason="away again")
    with later(due(old) + timedelta(days=15)):
        assert end_overlaps() == 0
        activate_device(actor=officer, device_id=phone.public_id, reason="back")
    assert (live(phone), rotation().state) == (["ACTIVE"], RotationState.DONE)
    assert [outcome for outcome, _ in told(rotation())] == ["issued", "ended"]


def test_a_device_that_is_switched_off_while_it_is_signed_gets_the_new_one_on_hold(
    phone: Device, old: Certificate
) -> None:
    officer = staff_actor(make_staff(phone.owner.bank, Role.SECURITY_OFFICER))
    with later(due(old)):
        plan_rotations()
        claim = rotation_work.claim()[0]
        reserved = rotation_work._begin(SYSTEM, claim)
        assert reserved is not None
        deactivate_device(actor=officer, device_id=phone.public_id, reason="on holiday")
        made = make(SYSTEM, reserved)
        assert made.state == CertificateState.ON_HOLD
        assert told(rotation()) == [("cancelled", "The certificate is on hold.")]
        activate_device(actor=officer, device_id=phone.public_id, reason="back")
    assert live(phone) == ["ACTIVE"]
    assert Certificate.objects.get(state="ACTIVE").pk == made.pk


def test_an_old_one_stays_while_the_new_one_is_held(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        worked()
        with transaction.atomic():
            ending.hold(SYSTEM, Certificate.objects.get(state="ACTIVE"), why="is it theirs?")
    with later(due(old) + timedelta(days=15)):
        assert end_overlaps() == 0
        assert live(phone) == ["OVERLAP"]
        with transaction.atomic():
            ending.release(SYSTEM, Certificate.objects.get(state="ON_HOLD"), why="it is")
        assert end_overlaps() == 1
    assert live(phone) == ["ACTIVE"]


def test_a_device_that_is_retired_ends_its_rotation(phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        worked()
        unregister_device(actor=customer_actor(phone.owner), device_id=phone.public_id)
    assert live(phone) == []
    assert not rotation().is_open
