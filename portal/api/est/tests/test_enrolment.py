"""EST's whole way with a standard client's tools: trust, enrol, wait, renew."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from cryptography import x509

from devices.models import Device
from devices.tests.factories import make_bank, make_staff, staff_actor
from pki.models import Certificate, CertificatePolicy, CertificateRequest, RequestSource, Rotation
from pki.operations.signing import reject_request, sign_request
from pki.states import CertificateState, RotationState
from pki.tests.factories import make_ca
from pki.tests.outside import needs_openssl, openssl_output
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.est.tests.client import EstClient, certificates_in, verify
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = [pytest.mark.django_db(transaction=True), needs_openssl]


def bea(ada: User) -> User:
    return make_staff(ada.bank, Role.SECURITY_OFFICER, "Bea")


def row_of(pem: bytes) -> Certificate:
    return Certificate.objects.get(serial=f"{x509.load_pem_x509_certificate(pem).serial_number:040x}")


def first_certificate(client: EstClient, phone: Device) -> Certificate:
    (pem,) = certificates_in(client.enrol(client.request(phone.public_id)).content, client.folder)
    return row_of(pem)


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def test_anybody_gets_the_authorities(client: EstClient) -> None:
    client.token = ""
    answer = client.get("cacerts")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pkcs7-mime")
    assert answer["Content-Transfer-Encoding"] == "base64"
    assert answer["Cache-Control"] == "public, max-age=3600"
    found = certificates_in(answer.content, client.folder)  # a set: in no order of ours
    issuing, root = sorted(found, key=lambda pem: _is_root(x509.load_pem_x509_certificate(pem)))
    assert verify(issuing, [root], client.folder).endswith("OK")


def test_anybody_learns_how_a_request_is_made(client: EstClient) -> None:
    client.token = ""
    answer = client.get("csrattrs")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/csrattrs")
    text = openssl_output("asn1parse", "-inform", "DER", data=base64.b64decode(answer.content)).decode()
    assert [word for word in ("id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256") if word in text] == [
        "id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256",
    ]  # fmt: skip


def test_an_attested_device_gets_its_certificate_at_once(client: EstClient, phone: Device) -> None:
    answer = client.enrol(client.request(phone.public_id))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pkcs7-mime; smime-type=certs-only")
    (leaf,) = certificates_in(answer.content, client.folder)
    trusted = certificates_in(client.get("cacerts").content, client.folder)
    assert verify(leaf, trusted, client.folder).endswith("OK")
    row = row_of(leaf)
    assert (row.device_id, row.state) == (phone.pk, CertificateState.ACTIVE)
    assert row.request is not None
    assert row.request.source == RequestSource.EST
    assert set(AuditEvent.objects.filter(channel="est").values_list("event", flat=True)) == {"csr.requested"}


def test_the_answer_can_be_fetched_again_by_the_same_request(client: EstClient, phone: Device) -> None:
    csr = client.request(phone.public_id)
    first, second = client.enrol(csr), client.enrol(csr)
    assert first.content == second.content
    assert Certificate.objects.count() == CertificateRequest.objects.count() == 1


def test_a_request_waits_for_staff_and_the_client_asks_again(client: EstClient, phone: Device, ada: User) -> None:
    CertificatePolicy.objects.update(auto_sign=False)
    csr = client.request(phone.public_id)
    for _ in range(2):
        answer = client.enrol(csr)
        assert (answer.status_code, answer["Retry-After"]) == (202, "300")
    (request,) = CertificateRequest.objects.all()
    assert answer.content.decode().startswith(f"pending: {request.public_id} waits")
    sign_request(actor=staff_actor(bea(ada)), csr_id=request.public_id)
    answer = client.enrol(csr)
    assert answer.status_code == 200
    (leaf,) = certificates_in(answer.content, client.folder)
    assert row_of(leaf).request_id == request.pk


def test_a_rejected_request_stays_rejected_and_a_new_one_may_be_sent(
    client: EstClient, phone: Device, ada: User
) -> None:
    CertificatePolicy.objects.update(auto_sign=False)
    csr = client.request(phone.public_id)
    client.enrol(csr)
    request = CertificateRequest.objects.get()
    reject_request(actor=staff_actor(bea(ada)), csr_id=request.public_id, reason="Ask at the branch first.")
    answer = client.enrol(csr)
    assert answer.status_code == 403
    assert answer.content.decode() == "request-rejected: This request was rejected. Ask at the branch first.\n"
    assert client.enrol(client.request(phone.public_id)).status_code == 202


def test_a_challenge_password_says_nothing_to_us(client: EstClient, phone: Device) -> None:
    assert client.enrol(client.request(phone.public_id, challenge="tls-unique-value")).status_code == 200


def test_the_certificate_alone_renews_with_a_new_key(client: EstClient, phone: Device) -> None:
    old = first_certificate(client, phone)
    device = EstClient(client.folder, client.bank, certificate=old)
    csr = device.request(phone.public_id, key="next")
    answer = device.enrol(csr, "simplereenroll")
    assert answer.status_code == 200, answer.content
    (leaf,) = certificates_in(answer.content, client.folder)
    new = row_of(leaf)
    old.refresh_from_db()
    assert (old.state, new.state, new.replaces_id) == ("OVERLAP", "ACTIVE", old.pk)
    assert new.key_fingerprint != old.key_fingerprint
    assert old.proved_at is not None  # the proxy saw it
    again = device.enrol(device.request(phone.public_id, key="next"), "simplereenroll")
    assert again.content == answer.content  # the answer was lost
    assert Certificate.objects.count() == 2


def test_the_first_use_of_the_new_certificate_ends_the_old_one(client: EstClient, phone: Device) -> None:
    old = first_certificate(client, phone)
    device = EstClient(client.folder, client.bank, certificate=old)
    (leaf,) = certificates_in(
        device.enrol(device.request(phone.public_id, key="next"), "simplereenroll").content, client.folder
    )
    renewed = EstClient(client.folder, client.bank, certificate=row_of(leaf))
    answer = renewed.enrol(renewed.request(phone.public_id, key="next"), "simplereenroll")
    assert (answer.status_code, answer.content.decode().split(":")[0]) == (409, "not-due")
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == ("REVOKED", "superseded")
    assert Rotation.objects.get().state == RotationState.DONE
    refused = device.enrol(device.request(phone.public_id, key="third"), "simplereenroll")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_the_same_key_is_renewed_in_the_last_third_only(client: EstClient, phone: Device) -> None:
    old = first_certificate(client, phone)
    device = EstClient(client.folder, client.bank, certificate=old)
    early = device.enrol(device.request(phone.public_id), "simplereenroll")
    assert (early.status_code, early.content.decode().split(":")[0]) == (409, "not-due")
    with time_machine.travel(old.not_after - timedelta(days=30), tick=True):
        answer = device.enrol(device.request(phone.public_id), "simplereenroll")
        (leaf,) = certificates_in(answer.content, client.folder)
        new = row_of(leaf)
        assert (new.key_fingerprint, new.key_since) == (old.key_fingerprint, old.key_since)
        assert new.not_after > old.not_after
        assert clock.now() < old.not_after


def test_a_bound_token_renews_when_the_certificate_is_gone_from_the_proxy(client: EstClient, phone: Device) -> None:
    first_certificate(client, phone)
    assert client.enrol(client.request(phone.public_id, key="next"), "simplereenroll").status_code == 200


def test_there_is_nothing_to_renew(client: EstClient, phone: Device) -> None:
    answer = client.enrol(client.request(phone.public_id), "simplereenroll")
    assert (answer.status_code, answer.content.decode().split(":")[0]) == (409, "no-certificate")


def test_without_a_label_the_only_bank_is_meant(client: EstClient, phone: Device, tmp_path: Path) -> None:
    client.bank = ""
    assert client.get("cacerts").status_code == 200
    make_ca(make_bank("second"))
    assert client.get("cacerts").status_code == 404
    assert client.enrol(client.request(phone.public_id)).status_code == 200
