"""Certificates follow their device: off, on, lost, found, unregistered, handed over."""

import pytest
from django.db import transaction

from devices.models import Device
from devices.operations.activation import activate_device, deactivate_device, unregister_device
from devices.operations.cascade import Cut, end_access, preview
from devices.operations.loss import report_lost, undo_loss
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device
from devices.tests.life import approve
from pki.models import Certificate, CertificateRequest
from pki.operations.revocation import hold_certificate
from pki.states import CertificateState
from pki.tests.factories import certify, hang_certificate, make_ca
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired

pytestmark = pytest.mark.django_db

ON, HELD = CertificateState.ACTIVE, CertificateState.ON_HOLD


@pytest.fixture
def phone() -> Device:
    return make_device(make_customer(make_bank()))


def states(device: Device) -> list[str]:
    """Of its certificates, the oldest first."""
    rows = Certificate.objects.of_device(device.pk).order_by("reserved_at")
    return list(rows.values_list("state", flat=True))


def off(actor: Actor, device: Device) -> int:
    done = deactivate_device(actor=actor, device_id=device.public_id, reason="Odd")
    assert done.ended is not None
    return done.ended.counts["certificates_held"]


def on(actor: Actor, device: Device) -> None:
    """An inactive device is switched on again."""
    activate_device(actor=actor, device_id=device.public_id, reason="Fine")


def test_off_holds_and_on_releases(phone: Device, bea: Actor) -> None:
    certificate, other = hang_certificate(phone), hang_certificate(make_device(phone.owner))
    assert preview(phone).counts["certificates_held"] == 1
    assert off(bea, phone) == 1
    assert states(phone) == [HELD]
    assert preview(phone).counts["certificates_held"] == 0
    on(bea, phone)
    assert states(phone) == [ON]
    certificate.refresh_from_db()
    assert (certificate.revoked_at, certificate.revocation_reason) == (None, "")
    assert states(other.device) == [ON]
    assert AuditEvent.objects.filter(event__startswith="certificate.").count() == 2


def test_two_that_overlap_come_back_as_they_were(phone: Device, bea: Actor) -> None:
    make_ca(phone.bank)
    certify(phone)
    certify(phone)
    pair = [CertificateState.OVERLAP, ON]
    assert states(phone) == pair
    assert off(bea, phone) == 2
    assert states(phone) == [HELD, HELD]
    on(bea, phone)
    assert states(phone) == pair


def test_the_older_of_two_is_superseded_when_its_time_is_over_meanwhile(phone: Device, bea: Actor) -> None:
    make_ca(phone.bank)
    older, _ = certify(phone), certify(phone)
    off(bea, phone)
    Certificate.objects.filter(pk=older.pk).update(overlap_until=clock.now())
    on(bea, phone)
    assert states(phone) == [CertificateState.REVOKED, ON]
    older.refresh_from_db()
    assert older.revocation_reason == "superseded"


def test_what_staff_held_stays_held_whatever_the_device_does(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    hold_certificate(actor=bea, certificate_id=certificate.public_id, reason="Looks odd")
    assert off(bea, phone) == 0
    on(bea, phone)
    assert states(phone) == [HELD]


def test_staff_take_over_a_hold(phone: Device, bea: Actor) -> None:
    certificate = hang_certificate(phone)
    off(bea, phone)
    assert hold_certificate(actor=bea, certificate_id=certificate.public_id, reason="Looks odd").changed
    on(bea, phone)
    assert states(phone) == [HELD]


def test_lost_holds_and_found_releases(phone: Device, bea: Actor) -> None:
    hang_certificate(phone)
    report_lost(actor=bea, device_id=phone.public_id, reason="Left in a taxi")
    assert states(phone) == [HELD]
    with pytest.raises(ApprovalRequired):
        undo_loss(actor=bea, device_id=phone.public_id, reason="Found")
    approve()
    assert states(phone) == [ON]


def test_unregistered_revokes_and_rejects(phone: Device) -> None:
    certificate = hang_certificate(phone)
    before = preview(phone, Cut.RETIRED).counts
    done = unregister_device(actor=customer_actor(phone.owner), device_id=phone.public_id, reason="Sold")
    assert done.ended is not None
    assert done.ended.counts == before
    assert (before["certificates_retired"], before["certificate_requests"]) == (1, 1)
    certificate.refresh_from_db()
    assert (certificate.state, certificate.revocation_reason) == ("REVOKED", "cessation-of-operation")
    assert CertificateRequest.objects.get().state == "REJECTED"


@pytest.mark.django_db(transaction=True)
def test_what_is_held_is_revoked_when_the_device_goes(phone: Device, bea: Actor) -> None:
    hang_certificate(phone)
    off(bea, phone)
    assert preview(phone, Cut.RETIRED).counts["certificates_retired"] == 1
    with transaction.atomic():
        device = Device.objects.select_for_update().get(pk=phone.pk)
        assert end_access(bea, device, Cut.MOVED).counts["certificates_revoked"] == 1
    certificate = Certificate.objects.get()
    assert (certificate.state, certificate.revocation_reason) == ("REVOKED", "affiliation-changed")
