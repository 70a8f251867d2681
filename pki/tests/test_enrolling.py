"""Enrolment: the same request again is answered by what it led to, while that is good."""

from base64 import b64encode

import pytest
import time_machine

from devices.models import Device
from devices.tests.factories import customer_actor
from pki.models import Certificate, CertificatePolicy, CertificateRequest
from pki.operations.enrolling import enrol
from pki.states import CertificateState
from pki.tests.factories import csr_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_certificate_that_ran_out_is_not_handed_out_again_before_the_sweep(phone: Device) -> None:
    CertificatePolicy.objects.update(auto_sign=True)
    actor, csr = customer_actor(phone.owner, phone), b64encode(csr_for(phone)).decode()
    first = enrol(actor=actor, device_id=phone.pk, csr=csr)
    assert first.certificate is not None
    again = enrol(actor=actor, device_id=phone.pk, csr=csr)
    assert again.certificate == first.certificate
    with time_machine.travel(first.certificate.not_after, tick=False):
        assert Certificate.objects.get().state == CertificateState.ACTIVE
        late = enrol(actor=actor, device_id=phone.pk, csr=csr)
        assert late.certificate is not None
        assert late.certificate != first.certificate
        assert list(Certificate.objects.live()) == [late.certificate]
    assert CertificateRequest.objects.count() == 2
