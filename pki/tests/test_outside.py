"""Revocation as the world sees it: openssl fetches, asks and judges."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from devices.tests.factories import make_device
from pki.models import Certificate, CertificateAuthority
from pki.operations import crls, ocsp
from pki.operations.revocation import hold_certificate, release_certificate, revoke_certificate
from pki.tests.factories import certify
from pki.tests.outside import fetched_crl, is_listed, needs_openssl, ocsp_path, openssl, pem
from pki.x509.tests.test_pkilint import findings
from portal.core.actor import Actor

pytestmark = [pytest.mark.django_db(transaction=True), needs_openssl]

SYSTEM = Actor.system("test")


@pytest.fixture
def folder(tmp_path: Path, phone: Device) -> Path:
    authority = CertificateAuthority.objects.issuing_for(phone.bank_id).get()
    assert authority.parent is not None
    (tmp_path / "root.pem").write_text(pem(authority.parent.der))
    (tmp_path / "ca.pem").write_text(pem(authority.der))
    return tmp_path


def verify(folder: Path, certificate: Certificate, *, expect: int) -> str:
    """`openssl verify` with the lists that the certificates name."""
    (folder / "leaf.pem").write_text(pem(certificate.der))
    lists = [fetched_crl(certificate), fetched_crl(certificate.authority)]
    (folder / "crls.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in lists))
    return openssl(
        "verify", "-x509_strict", "-crl_check_all", "-purpose", "sslclient", "-CAfile", folder / "root.pem",
        "-untrusted", folder / "ca.pem", "-CRLfile", folder / "crls.pem", folder / "leaf.pem", expect=expect,
    )  # fmt: skip


def test_a_chain_verifies_until_it_is_revoked(phone: Device, bea: Actor, folder: Path) -> None:
    certificate = certify(phone)
    crls.publish_due()
    assert verify(folder, certificate, expect=0).endswith("leaf.pem: OK\n")
    revoke_certificate(actor=bea, certificate_id=certificate.public_id, cause="superseded", reason="Old")
    crls.publish_due()
    assert "certificate revoked" in verify(folder, certificate, expect=2)


def test_openssl_asks_over_http_and_believes(
    phone: Device, bea: Actor, folder: Path, live_server: LiveServer
) -> None:
    certificate = certify(phone)
    ocsp.presign([certificate.pk])
    (folder / "leaf.pem").write_text(pem(certificate.der))

    def ask(*options: str | Path) -> str:
        about = options or ("-cert", folder / "leaf.pem")
        return openssl(
            "ocsp", "-issuer", folder / "ca.pem", *about, "-url", f"{live_server.url}{ocsp_path(certificate)}",
            "-CAfile", folder / "root.pem", "-verify_other", folder / "ca.pem", "-resp_text",
        )  # fmt: skip

    def good(text: str, status: str) -> bool:
        return "Response verify OK" in text and f"Cert Status: {status}" in text and "WARNING: no nonce" not in text

    assert good(ask(), "good")
    assert good(ask("-serial", "0x1234567890"), "unknown")
    without = ask("-no_nonce", "-cert", folder / "leaf.pem")
    assert "Response verify OK" in without
    assert "Cert Status: good" in without
    hold_certificate(actor=bea, certificate_id=certificate.public_id, reason="Looks odd")
    assert "Revocation Reason: certificateHold" in ask()
    assert good(ask(), "revoked")
    release_certificate(actor=bea, certificate_id=certificate.public_id, reason="It was fine")
    assert good(ask(), "good")
    revoke_certificate(actor=bea, certificate_id=certificate.public_id, cause="key-compromise", reason="Stolen")
    assert good(ask(), "revoked")
    assert good(ask("-no_nonce", "-cert", folder / "leaf.pem"), "revoked")
    assert "Revocation Reason: keyCompromise" in ask()


def test_the_authority_itself_is_answered_for(phone: Device, folder: Path, live_server: LiveServer) -> None:
    authority = CertificateAuthority.objects.issuing_for(phone.bank_id).get()
    said = openssl(
        "ocsp", "-issuer", folder / "root.pem", "-cert", folder / "ca.pem", "-CAfile", folder / "root.pem",
        "-url", f"{live_server.url}{ocsp_path(authority)}", "-resp_text",
    )  # fmt: skip
    assert "Response verify OK" in said
    assert "Cert Status: good" in said


def test_lists_and_answers_lint(phone: Device, bea: Actor, tmp_path: Path) -> None:
    from pki.models import OcspAnswer, OcspResponder, PublishedCrl

    kept, ended, held = certify(phone), certify(make_device(phone.owner)), certify(make_device(phone.owner))
    revoke_certificate(actor=bea, certificate_id=ended.public_id, cause="affiliation-changed", reason="Moved")
    hold_certificate(actor=bea, certificate_id=held.public_id, reason="Odd")
    crls.publish_due()
    assert ocsp.presign([kept.pk, ended.pk, held.pk]) == 3
    for crl in PublishedCrl.objects.all():
        text = x509.load_der_x509_crl(bytes(crl.der)).public_bytes(Encoding.PEM)
        (tmp_path / f"{crl.pk}.crl").write_bytes(text)
    for number, answer in enumerate(OcspAnswer.objects.all()):
        (tmp_path / f"{number}.ocsp").write_bytes(bytes(answer.der))
    for responder in OcspResponder.objects.all():
        (tmp_path / f"{responder.serial}.cert").write_text(pem(responder.der))
    assert len(list(tmp_path.iterdir())) == 2 + 3 + 1
    assert findings(tmp_path) == {}
    assert is_listed(held)
    assert not is_listed(kept)
