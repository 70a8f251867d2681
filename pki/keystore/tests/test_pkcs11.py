"""Keys in a token, tried with SoftHSM: made there, never out of there, and everything is signed by them.

Skipped where SoftHSM is not installed; PORTAL_REQUIRE_SOFTHSM=1 lets the tests fail instead.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from pkcs11 import Attribute, KeyType, ObjectClass

from pki.keystore import KeyExists, KeyMissing, KeyRefused, StoreUnavailable
from pki.keystore.pkcs11 import Token, token
from pki.x509.building import issue, prepare
from pki.x509.crl import RevokedEntry, build_crl
from pki.x509.keys_policy import describe_key
from pki.x509.ocsp import GOOD, Responder, build_answer
from pki.x509.ocsp_requests import certificate_id
from pki.x509.orders import Issuer, Order, Subject, validity
from pki.x509.profiles import ISSUING, RESPONDER, ROOT
from pki.x509.serials import new_serial
from pki.x509.signing import Signer, holds, public_key_of, sign_bytes
from pki.x509.tests import makers
from pki.x509.tests.makers import LATER, NOW

PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)  # fmt: skip
MODULE = next(
    (place for place in (os.environ.get("PORTAL_SOFTHSM", ""), *PLACES) if place and Path(place).exists()), ""
)
ROOT_FOLDER = Path(__file__).resolve().parents[3]
LABEL, PIN = "portal tests", "87654321"

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(
        not (MODULE and shutil.which("softhsm2-util")) and os.environ.get("PORTAL_REQUIRE_SOFTHSM") != "1",
        reason="no SoftHSM on this machine (Debian: apt-get install softhsm2)",
    ),
]


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """A fresh token. The module reads its settings when it is loaded, so there is one for the whole process."""
    assert MODULE, "SoftHSM is required and was not found"
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    yield token(MODULE, LABEL, PIN)
    token.cache_clear()
    pkcs11.unload(MODULE)
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def key_of(signer: Signer) -> Any:
    key = describe_key(public_key_of(signer))
    assert key is not None
    return key


def certificate(profile: Any, name: str, key: Any, parent: Issuer | None, signer: Signer, days: int) -> Any:
    order = Order(profile, key, Subject("NG", "Bank", name), new_serial(), *validity(NOW, days))
    return issue(prepare(order, parent), signer).certificate


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa-2048"])
def test_a_whole_authority_lives_in_the_token(hsm: Token, kind: str) -> None:
    root, issuing, answers = (hsm.make_key(f"{name}-{kind}", kind) for name in ("root", "issuing", "answers"))
    assert key_of(root).kind == kind
    root_certificate = certificate(ROOT, "Root", key_of(root), None, root, 7300)
    address = "http://pki.bank.example/"
    parent = Issuer(root_certificate, "", f"{address}root.cer", f"{address}root.crl")
    ca = certificate(ISSUING, "Issuing", key_of(issuing), parent, root, 3650)
    issuer = Issuer(ca, f"{address}ocsp", f"{address}ca.cer", f"{address}ca.crl")
    leaf = issue(prepare(makers.order(), issuer), issuing).certificate
    leaf.verify_directly_issued_by(ca)
    ca.verify_directly_issued_by(root_certificate)

    data = build_crl(issuer, [RevokedEntry(5, NOW)], number=1, this_update=NOW, next_update=LATER, signer=issuing)
    assert x509.load_der_x509_crl(data).is_signature_valid(ca.public_key())
    responder = Responder.of(certificate(RESPONDER, "OCSP", key_of(answers), issuer, issuing, 30), answers, issuer)
    about = certificate_id(issuer, leaf.serial_number)
    answer = build_answer(about, GOOD, this_update=NOW, next_update=LATER, responder=responder)
    read = ocsp.load_der_ocsp_response(answer)
    assert read.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert holds(public_key_of(answers), read.signature, read.tbs_response_bytes)


def test_no_key_leaves_the_token(hsm: Token) -> None:
    signer = hsm.make_key("kept", "p256")
    with pytest.raises(TypeError):
        signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with hsm._open() as session:
        private = hsm._private(session, "kept")
        for attribute in (Attribute.VALUE,):
            with pytest.raises(pkcs11.AttributeSensitive):
                private[attribute]
        with pytest.raises(pkcs11.PKCS11Error):
            private[Attribute.EXTRACTABLE] = True
        assert [private[a] for a in (Attribute.SENSITIVE, Attribute.NEVER_EXTRACTABLE, Attribute.LOCAL)] == [True] * 3
    with hsm._open(rw=True) as session:
        wrapping = session.generate_key(KeyType.AES, 256, store=False)
        with pytest.raises(pkcs11.PKCS11Error):
            wrapping.wrap_key(hsm._private(session, "kept"))


def test_a_key_that_could_leave_is_refused(hsm: Token) -> None:
    with hsm._open(rw=True) as session:
        session.generate_keypair(
            KeyType.RSA, 2048, label="loose", id=b"loose", store=True,
            private_template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
        )  # fmt: skip
    with pytest.raises(KeyRefused, match="could leave"):
        hsm.signer("loose")


def test_a_key_that_was_put_there_is_refused(hsm: Token) -> None:
    with hsm._open(rw=True) as session:
        session.create_object({
            Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.KEY_TYPE: KeyType.RSA, Attribute.LABEL: "put",
            Attribute.TOKEN: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True,
            **_rsa_numbers(),
        })  # fmt: skip
    with pytest.raises(KeyRefused, match="not made in the token"):
        hsm.signer("put")


def _rsa_numbers() -> dict[Attribute, bytes]:
    numbers: Any = makers.private("rsa-2048").private_numbers()  # type: ignore[union-attr]
    values = {
        Attribute.MODULUS: numbers.public_numbers.n, Attribute.PUBLIC_EXPONENT: numbers.public_numbers.e,
        Attribute.PRIVATE_EXPONENT: numbers.d, Attribute.PRIME_1: numbers.p, Attribute.PRIME_2: numbers.q,
        Attribute.EXPONENT_1: numbers.dmp1, Attribute.EXPONENT_2: numbers.dmq1, Attribute.COEFFICIENT: numbers.iqmp,
    }  # fmt: skip
    return {name: value.to_bytes((value.bit_length() + 7) // 8) for name, value in values.items()}


def test_names_are_taken_once_and_missing_ones_said(hsm: Token) -> None:
    hsm.make_key("once", "p256")
    with pytest.raises(KeyExists):
        hsm.make_key("once", "p256")
    with pytest.raises(KeyMissing):
        hsm.signer("never")
    with pytest.raises(KeyRefused):
        hsm.make_key("edwards", "ed25519")


def test_a_lost_session_is_opened_again(hsm: Token) -> None:
    signer = hsm.make_key("lasting", "p256")
    for _ in range(3):
        hsm._session.close()  # as after a token that was away
        assert holds(public_key_of(signer), sign_bytes(signer, b"x"), b"x")


def test_threads_share_the_session(hsm: Token) -> None:
    signer = hsm.make_key("shared", "p256")
    public, wrong = public_key_of(signer), []

    def work(number: int) -> None:
        for turn in range(20):
            data = b"%d %d" % (number, turn)
            if not holds(public, sign_bytes(signer, data), data):
                wrong.append(data)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []


FORKING = """
import os, sys
from pki.keystore.pkcs11 import token
from pki.x509.signing import holds, public_key_of, sign_bytes
signer = token(*sys.argv[1:]).signer("forked")
public = public_key_of(signer)
child = os.fork()
good = holds(public, sign_bytes(signer, b"x"), b"x")
if child == 0:
    os._exit(0 if good else 1)
print(good, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), holds(public, sign_bytes(signer, b"y"), b"y"))
"""


def test_a_forked_process_opens_its_own(hsm: Token) -> None:
    hsm.make_key("forked", "p256")  # in a program of its own, for this one may have threads
    command = [sys.executable, "-c", FORKING, MODULE, LABEL, PIN]
    done = subprocess.run(command, cwd=ROOT_FOLDER, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True 0 True\n", done.stderr


def test_a_token_or_module_that_is_not_there_is_said_to_be(hsm: Token) -> None:
    with pytest.raises(StoreUnavailable):
        Token(MODULE, "another", PIN).signer("x")
    with pytest.raises(StoreUnavailable):
        Token("/no/such/module.so", LABEL, PIN).signer("x")
