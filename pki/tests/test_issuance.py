"""A certificate's way: reserved, signed, stored; and what a crash on that way leaves."""

import pytest
from cryptography import x509

from devices.models import Device
from pki.models import Certificate, CertificateAuthority
from pki.states import CertificateState
from pki.tests.factories import certify

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_certificate_is_signed_by_the_banks_authority(phone: Device) -> None:
    certificate = certify(phone)
    authority = CertificateAuthority.objects.get(pk=certificate.authority_id)
    assert certificate.state == CertificateState.ACTIVE
    assert certificate.der
    found = x509.load_der_x509_certificate(bytes(certificate.der))
    found.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(authority.der)))
    assert found.serial_number == int(certificate.serial, 16)
    assert found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == phone.public_id


def test_the_one_before_overlaps_and_the_one_before_that_ends(phone: Device) -> None:
    made = [certify(phone).pk for _ in range(3)]
    states = [Certificate.objects.get(pk=pk).state for pk in made]
    assert states == [CertificateState.REVOKED, CertificateState.OVERLAP, CertificateState.ACTIVE]
