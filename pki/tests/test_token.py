"""An authority whose keys were made in a PKCS #11 token and never leave it, through the whole product.

Skipped where SoftHSM is not installed; PORTAL_REQUIRE_SOFTHSM=1 lets the tests fail instead.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from django.core.management import call_command
from django.test import Client
from pkcs11 import Attribute

from devices.tests.factories import make_bank, make_customer, make_device
from pki.authority import signer_of
from pki.keystore.pkcs11 import Token
from pki.keystore.tests.test_pkcs11 import LABEL, MODULE, PIN, ROOT_FOLDER, hsm, pytestmark  # noqa: F401
from pki.models import Certificate, CertificateAuthority
from pki.operations.crls import publish
from pki.operations.hierarchy import BankSetUp, set_up_bank
from pki.states import CaState
from pki.tests.factories import certify
from pki.tests.outside import needs_openssl, openssl
from pki.x509.keys_policy import describe_key
from pki.x509.pem import pem_of
from pki.x509.signing import holds
from portal.accounts.models import Bank
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, Unavailable
from portal.tests.threads import race

pytestmark = [*pytestmark, needs_openssl, pytest.mark.django_db(transaction=True)]
SYSTEM = Actor.system("test")


@pytest.fixture
def token(hsm: Token, settings: Any) -> Token:  # noqa: F811
    """The token of these tests, as the settings name it."""
    settings.PKCS11_TOKEN, settings.PKCS11_PIN = LABEL, PIN
    settings.PKCS11_MODULE = MODULE
    return hsm


def set_up(bank: Bank, **values: str) -> CertificateAuthority:
    wanted = BankSetUp(**({"country": "NG", "organisation": "Bank", "keystore": "pkcs11"} | values))
    return set_up_bank(actor=SYSTEM, bank=bank, wanted=wanted).issuing


def verify(folder: Path, root: bytes, issuing: bytes, crls: list[bytes], leaf: bytes) -> str:
    """What openssl says of a certificate, with the whole chain's CRLs looked at."""
    for name, ders in {"root": [root], "issuing": [issuing], "leaf": [leaf]}.items():
        (folder / f"{name}.pem").write_text("".join(map(pem_of, ders)))
    (folder / "crls.pem").write_bytes(
        b"".join(x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM) for crl in crls)
    )
    return openssl(
        "verify", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-crl_check_all", "-CRLfile", "crls.pem",
        "leaf.pem", expect=None, folder=folder,
    ).strip()  # fmt: skip


def ocsp_status(leaf: bytes, authority: CertificateAuthority) -> ocsp.OCSPCertStatus:
    """What the portal answers about a certificate."""
    issuer = x509.load_der_x509_certificate(bytes(authority.der))
    asked = ocsp.OCSPRequestBuilder().add_certificate(x509.load_der_x509_certificate(leaf), issuer, SHA1())  # noqa: S303
    answer = Client().post(
        f"/pki/ocsp/{authority.key_id[:16]}",
        asked.build().public_bytes(Encoding.DER),
        content_type="application/ocsp-request",
    )
    read = ocsp.load_der_ocsp_response(answer.content)
    (responder,) = read.certificates
    responder.verify_directly_issued_by(issuer)
    key = describe_key(responder.public_key())
    assert key is not None
    assert holds(key.key, read.signature, read.tbs_response_bytes)
    return read.certificate_status


def test_ocsp_answers_are_signed_by_a_key_in_the_token(token: Token) -> None:
    bank = make_bank()
    authority = set_up(bank)
    certificate = certify(make_device(make_customer(bank)))
    status = ocsp_status(bytes(certificate.der or b""), authority)
    assert status is ocsp.OCSPCertStatus.GOOD
    assert authority.responders.get().keystore == "pkcs11"


def test_leaves_and_lists_are_signed_in_the_token(token: Token, tmp_path: Path) -> None:
    bank = make_bank("harbour")
    authority = set_up(bank)
    assert authority.parent is not None
    assert (authority.keystore, authority.parent.keystore) == ("pkcs11", "pkcs11")
    certificate = certify(make_device(make_customer(bank)))
    lists = [publish(SYSTEM, one) for one in (authority, authority.parent)]
    said = verify(
        tmp_path,
        bytes(authority.parent.der),
        bytes(authority.der),
        [bytes(found.der) for found in lists],
        bytes(certificate.der or b""),
    )
    assert said == "leaf.pem: OK"


def test_no_key_of_an_authority_leaves_the_token(token: Token) -> None:
    authority = set_up(make_bank())
    signer = signer_of(authority)
    with pytest.raises(TypeError):
        signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with token._open() as session, pytest.raises(pkcs11.AttributeSensitive):
        token._private(session, authority.key_name)[Attribute.VALUE]


def test_an_authority_in_files_rolls_over_into_the_token(token: Token) -> None:
    bank = make_bank("harbour")
    old = set_up(bank, keystore="file")
    call_command("roll_over_ca", "--bank", "harbour", "--reason", "Into the token", "--keystore", "pkcs11")
    new = CertificateAuthority.objects.get(bank=bank, state=CaState.ACTIVE)
    assert (old.keystore, new.keystore) == ("file", "pkcs11")
    assert certify(make_device(make_customer(bank))).authority_id == new.pk


def test_threads_sign_at_once(token: Token) -> None:
    bank = make_bank()
    authority = set_up(bank)
    devices = [make_device(make_customer(bank)) for _ in range(4)]
    certificates = race(4, lambda number: certify(devices[number]))
    issuer = x509.load_der_x509_certificate(bytes(authority.der))
    for certificate in certificates:
        assert isinstance(certificate, Certificate), certificate
        x509.load_der_x509_certificate(bytes(certificate.der or b"")).verify_directly_issued_by(issuer)


def test_a_token_makes_no_edwards_key(token: Token) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_up(make_bank(), key="ed25519")
    assert [problem.field for problem in refused.value.fields] == ["key"]


def test_a_token_that_is_not_there_is_said_to_be(token: Token, settings: Any) -> None:
    settings.PKCS11_TOKEN = "another"
    with pytest.raises(Unavailable, match="no token by this label"):
        set_up(make_bank())
    assert CertificateAuthority.objects.count() == 0


FORKED = """
import os, sys, threading
from pki.keystore.pkcs11 import token
from pki.x509.signing import holds, public_key_of, sign_bytes
one = token(*sys.argv[1:])
signer = one.signer("at the fork")
held, over = threading.Event(), threading.Event()
def keep():
    with one._lock:
        held.set()
        over.wait()
threading.Thread(target=keep, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if holds(public_key_of(signer), sign_bytes(signer, b"x"), b"x") else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
"""


def test_a_child_signs_though_a_thread_held_the_token_at_the_fork(token: Token) -> None:
    token.make_key("at the fork", "p256")
    command = [sys.executable, "-W", "ignore", "-c", FORKED, MODULE, LABEL, PIN]
    done = subprocess.run(command, cwd=ROOT_FOLDER, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n", done.stderr
