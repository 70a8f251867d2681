"""What we make, judged by another's code: the `openssl` program reads, verifies, and asks."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.tests.outside import needs_openssl, openssl
from pki.x509.building import Issued
from pki.x509.crl import RevokedEntry, build_crl
from pki.x509.ocsp import GOOD, UNKNOWN, Responder, Status, build_answer
from pki.x509.ocsp_requests import parse_request
from pki.x509.orders import Issuer
from pki.x509.requests import check_request
from pki.x509.tests import makers
from pki.x509.tests.makers import LATER, NOW, Authority, authority

pytestmark = needs_openssl

KINDS = ("p256", "p384", "ed25519", "rsa-2048")


def files(folder: Path, made: Authority, leaf: Issued, *revoked: RevokedEntry) -> None:
    root_signer = makers.PlainSigner(makers.private(made.kind, 100))
    root = x509.load_der_x509_certificate(made.root.der)
    lists = [
        build_crl(issuer, entries, number=1, this_update=NOW, next_update=LATER, signer=signer)
        for issuer, entries, signer in (
            (Issuer(root), (), root_signer),
            (made.issuer, revoked, made.signer),
        )
    ]
    crls = "".join(x509.load_der_x509_crl(data).public_bytes(Encoding.PEM).decode() for data in lists)
    for name, text in {
        "root.pem": made.root.pem, "ca.pem": made.issuing.pem, "leaf.pem": leaf.pem, "crls.pem": crls,
        "responder.pem": made.responder.pem,
    }.items():  # fmt: skip
        (folder / name).write_text(text)


def verify(folder: Path, *, expect: int | None = 0) -> str:
    return openssl(
        "verify", "-x509_strict", "-crl_check_all", "-purpose", "sslclient", "-CAfile", folder / "root.pem",
        "-untrusted", folder / "ca.pem", "-CRLfile", folder / "crls.pem", folder / "leaf.pem", expect=expect,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_verifies_until_it_is_revoked(tmp_path: Path, kind: str) -> None:
    made = authority(kind)
    leaf = makers.leaf(made, key=makers.checked(kind, 3))
    files(tmp_path, made, leaf)
    assert verify(tmp_path).endswith("leaf.pem: OK\n")
    entry = RevokedEntry(leaf.certificate.serial_number, NOW - timedelta(hours=1), "key-compromise")
    files(tmp_path, made, leaf, entry)
    assert "certificate revoked" in verify(tmp_path, expect=2)


def ask(folder: Path, made: Authority, status: Status, *, nonce: bool) -> str:
    """Let openssl write a request, answer it, and let openssl judge the answer."""
    request, answer = folder / "request.der", folder / "answer.der"
    common = ("-issuer", folder / "ca.pem", "-cert", folder / "leaf.pem")
    openssl("ocsp", *common, *([] if nonce else ["-no_nonce"]), "-reqout", request)
    asked = parse_request(request.read_bytes())
    assert asked.certificate.is_of(made.issuer)
    assert (asked.nonce is not None) == nonce
    responder = Responder.of(made.responder.certificate, made.responder_signer, made.issuer)
    answer.write_bytes(
        build_answer(
            asked.certificate, status, this_update=NOW, next_update=LATER, responder=responder, nonce=asked.nonce
        )
    )
    return openssl(
        "ocsp", "-reqin", request, "-respin", answer, "-CAfile", folder / "root.pem",
        "-verify_other", folder / "ca.pem", "-resp_text",
    )  # fmt: skip


@pytest.mark.parametrize("nonce", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_believed(tmp_path: Path, kind: str, nonce: bool) -> None:
    made = authority(kind)
    files(tmp_path, made, makers.leaf(made, key=makers.checked(kind, 3)))
    good = ask(tmp_path, made, GOOD, nonce=nonce)
    assert "Response verify OK" in good
    assert "Cert Status: good" in good
    assert ("Nonce Verify" in good, "WARNING: no nonce" in good) == (False, False)
    revoked = ask(tmp_path, made, Status("revoked", NOW - timedelta(hours=1), "superseded"), nonce=nonce)
    assert "Response verify OK" in revoked
    assert "Cert Status: revoked" in revoked
    assert "Revocation Reason: superseded" in revoked
    assert "Cert Status: unknown" in ask(tmp_path, made, UNKNOWN, nonce=nonce)


def test_another_authoritys_answer_is_not_believed(tmp_path: Path) -> None:
    made, other = authority("p256"), authority("p384")
    files(tmp_path, made, makers.leaf(made))
    openssl("ocsp", "-issuer", tmp_path / "ca.pem", "-cert", tmp_path / "leaf.pem", "-reqout", tmp_path / "r")
    asked = parse_request((tmp_path / "r").read_bytes())
    responder = Responder.of(other.responder.certificate, other.responder_signer, other.issuer)
    answer = build_answer(asked.certificate, GOOD, this_update=NOW, next_update=LATER, responder=responder)
    (tmp_path / "a").write_bytes(answer)
    said = openssl(
        "ocsp", "-issuer", tmp_path / "ca.pem", "-cert", tmp_path / "leaf.pem", "-reqin", tmp_path / "r",
        "-respin", tmp_path / "a", "-CAfile", tmp_path / "root.pem", expect=None,
    )  # fmt: skip
    assert "Response Verify Failure" in said


KEY_OPTIONS = {
    "rsa": ["-newkey", "rsa:2048"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-newkey", "ed25519"],
}


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize("options", KEY_OPTIONS.values(), ids=KEY_OPTIONS)
def test_requests_of_openssl_pass_the_gate(tmp_path: Path, options: list[str], form: str) -> None:
    openssl(
        "req", "-new", *options, "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "csr", "-outform", form,
        "-subj", f"/C=NG/O=Bank/CN={makers.NAME}", "-addext", "subjectAltName=DNS:a.example,IP:10.0.0.1,IP:::1",
        "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=clientAuth",
    )  # fmt: skip
    checked = check_request((tmp_path / "csr").read_bytes())
    assert checked.common_name == makers.NAME
    assert checked.names == (("dns", "a.example"), ("ip", "10.0.0.1"), ("ip", "::1"))
    assert checked.asked.purposes == ("client-auth",)
