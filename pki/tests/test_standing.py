"""How a device stands with certificates, in the words of its status call."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from devices.models import Device
from devices.queries import posture_of
from devices.tests.factories import customer_actor
from pki.operations.ending import hold, revoke
from pki.operations.requests import request_certificate
from pki.states import RevocationReason
from pki.tests.factories import certify, csr_for
from portal.api.tests.doors import at_most
from portal.core import clock
from portal.core.actor import Actor

pytestmark = pytest.mark.django_db(transaction=True)


def says(device: Device) -> tuple[str, bool, str]:
    with at_most(2):
        found = posture_of(device)
    return found.certificate_status.value, found.certificate_valid, found.enrollment_status.value


def test_each_word(phone: Device) -> None:
    system = Actor.system("test", bank_id=phone.bank_id)
    assert says(phone) == ("NONE", False, "NOT_ENROLLED")
    request_certificate(actor=customer_actor(phone.owner), device_id=str(phone.pk), csr=csr_for(phone))
    assert says(phone) == ("PENDING", False, "PENDING")
    certificate = certify(phone)
    assert says(phone) == ("VALID", True, "ENROLLED")
    with time_machine.travel(certificate.not_after - timedelta(days=100), tick=False):
        assert says(phone) == ("EXPIRING", True, "ENROLLED")
    phone.certificate_requests.update(state="REJECTED")
    with time_machine.travel(certificate.not_after, tick=False):
        assert says(phone) == ("EXPIRED", False, "NOT_ENROLLED")
    with transaction.atomic():
        hold(system, certificate)
    assert says(phone) == ("ON_HOLD", False, "ENROLLED")
    with transaction.atomic():
        revoke(system, certificate, RevocationReason.SUPERSEDED)
    assert says(phone) == ("REVOKED", False, "NOT_ENROLLED")


def test_the_good_one_of_two_counts(phone: Device) -> None:
    older, newer = certify(phone), certify(phone)
    with transaction.atomic():
        revoke(Actor.system("test", bank_id=phone.bank_id), newer, RevocationReason.KEY_COMPROMISE)
    older.refresh_from_db()
    assert older.not_after > clock.now()
    assert says(phone)[0] == "VALID"
