"""Certificates at Adiba's door: who gets in, what is refused and how, what answers say."""

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from devices.models import Device
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff, make_token
from pki.models import Certificate, CertificateAuthority, CertificatePolicy, CertificateRequest
from pki.operations.signing_work import issue_ready
from pki.tests.factories import csr_for, make_ca
from pki.tests.outside import needs_openssl, openssl
from pki.x509.pem import pem_of
from pki.x509.tests import hostile
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most, nothing_written, refused_once
from portal.core import ids

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = "/v1/device/cert"
PHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def authority(ada: User) -> CertificateAuthority:
    return make_ca(ada.bank)


@pytest.fixture
def cem(ada: User) -> User:
    return make_customer(ada.bank, "Cem")


def asking(device: Device | str, **fields: Any) -> dict[str, Any]:
    return {"deviceId": device if isinstance(device, str) else device.public_id, **fields}


def with_csr(device: Device, **values: Any) -> dict[str, Any]:
    return asking(device, csr=base64.b64encode(csr_for(device, **values)).decode())


def asked(caller: Caller, device: Device, **values: Any) -> str:
    response = caller.post(f"{ROOT}/request", with_csr(device, **values))
    assert response.status_code == 200, response.content
    return str(response.json()["csrId"])


def problem(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.status_code, response.json()["code"]


# Who gets in.


@pytest.mark.parametrize(("step", "opens"), [("request", "certificates"), ("bundle", "certificates")])
def test_customers_need_the_scope(step: str, opens: str, ada: User, phone: Device) -> None:
    caller = Caller(make_token(user=ada, scope="devices pin transfers"))
    for body in (asking(phone), asking("unknown"), {}):
        with refused_once("insufficient-scope", who="Ada"):
            assert problem(caller.post(f"{ROOT}/{step}", body)) == (403, "insufficient-scope")
    with nothing_written():
        assert Caller().post(f"{ROOT}/{step}", {}).status_code == 401


def test_a_customer_signs_nothing_and_a_server_asks_for_nothing(caller: Caller, server: Caller) -> None:
    with refused_once("insufficient-scope", who="Ada"):
        assert problem(caller.post(f"{ROOT}/sign", {"csrId": "CSR_1"})) == (403, "insufficient-scope")
    for step in ("request", "bundle"):
        with refused_once("insufficient-scope", who="core banking"):
            assert server.post(f"{ROOT}/{step}", {}).status_code == 403


def test_a_server_signs_by_its_own_scope(ada: User) -> None:
    other = Caller(make_token(application=make_application(ada.bank, kind="bank", allowed_scopes=["devices:admin"])))
    assert problem(other.post(f"{ROOT}/sign", {"csrId": "CSR_1"})) == (403, "insufficient-scope")


def test_a_role_without_the_right_is_refused_whatever_is_there(ada: User, phone: Device, caller: Caller) -> None:
    staff = make_staff(ada.bank, Role.APPROVER)
    weak, name = Caller(make_token(user=staff)), f"Bea ({staff.username})"
    calls = [("request", with_csr(phone)), ("request", asking("unknown", keyAlgorithm="EC"))]
    calls += [("sign", {"csrId": asked(caller, phone)}), ("sign", {"csrId": "CSR_1"})]
    for step, body in calls:
        with refused_once("capability-missing", who=name):
            assert problem(weak.post(f"{ROOT}/{step}", body)) == (403, "capability-missing")


def test_a_bound_token_cannot_ask_for_others(ada: User, phone: Device) -> None:
    bound = Caller(make_token(user=ada, device=phone))
    bound.get("/v1/device/status")  # its activity is noted once a minute
    for device in (make_device(ada), "unknown"):
        with refused_once("token-bound-elsewhere", who="Ada"):
            assert problem(bound.post(f"{ROOT}/request", asking(device, keyAlgorithm="EC"))) == (
                403,
                "token-bound-elsewhere",
            )


# What is refused.


def test_foreign_and_unknown_are_one_404(caller: Caller, server: Caller, ada: User, cem: User) -> None:
    stranger = make_device(make_customer(make_bank(), "Eve"))
    make_ca(stranger.bank)
    answers = set()
    for device in (make_device(cem), stranger, "unknown"):
        with refused_once("not-found", who="Ada"):
            answers.add(caller.post(f"{ROOT}/request", asking(device, keyAlgorithm="EC")).content)
    assert len(answers) == 1
    foreign = asked(Caller(make_token(user=stranger.owner)), stranger)
    for name in (foreign, ids.spell("CSR", ids.new_id()), "CSR_1", "x"):
        with refused_once("not-found", who="core banking"):
            assert problem(server.post(f"{ROOT}/sign", {"csrId": name})) == (404, "not-found")
        with refused_once("not-found", who="Ada"):
            body = {"csrId": name, "passphrase": PHRASE}
            assert problem(caller.post(f"{ROOT}/bundle", body)) == (404, "not-found")
        with refused_once("not-found", who="Ada"):
            assert caller.get(f"{ROOT}/request/{name}").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"keyAlgorithm": "DSA"}, "keyAlgorithm"),
        ({"keyAlgorithm": "RSA", "keySize": 1024}, "keySize"),
        ({"keyAlgorithm": "RSA", "keySize": "2048"}, "keySize"),
        ({"keyAlgorithm": "RSA", "keySize": True}, "keySize"),
        ({}, "csr"),
        ({"csr": ""}, "csr"),
        ({"csr": 5}, "csr"),
        ({"keyAlgorithm": "EC", "subjectDN": {"DC": "x"}}, "DC"),
        ({"keyAlgorithm": "EC", "san": "device.example"}, "san"),
        ({"keyAlgorithm": "EC", "san": [5]}, "san.0"),
        ({"keyAlgorithm": "EC", "colour": "red"}, "colour"),
        ({"keyAlgorithm": "EC", "profile": "root"}, "profile"),
    ],
)
def test_a_wrong_body_names_the_field(change: dict[str, Any], field: str, caller: Caller, phone: Device) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.post(f"{ROOT}/request", asking(phone, **change))
    assert problem(response) == (400, "invalid-input")
    assert [one["field"] for one in response.json()["errors"]] == [field]
    assert not CertificateRequest.objects.exists()


def test_a_key_of_another_device_is_a_conflict(caller: Caller, ada: User, phone: Device) -> None:
    asked(caller, phone, number=51)
    other = make_device(ada)
    with refused_once("key-of-another-device", who="Ada"):
        response = caller.post(f"{ROOT}/request", with_csr(other, number=51))
    assert problem(response) == (409, "key-of-another-device")


def test_every_finding_is_told_with_its_source(caller: Caller, phone: Device) -> None:
    with refused_once("csr-refused", who="Ada"):
        response = caller.post(f"{ROOT}/request", asking(phone, csr="bm90aGluZw=="))
    assert problem(response) == (422, "csr-refused")
    [finding] = response.json()["findings"]
    assert set(finding) == {"rule", "message", "source"}
    assert finding["rule"] == "request-pem"


def test_the_hostile_corpus_is_refused_by_name(ada: User, phone: Device) -> None:
    """Each over the wire, as base64 of the bytes: never a 5xx, and the rule it breaks is named."""
    caller = Caller(make_token(user=ada))
    for name, data, rules in hostile.corpus():
        response = caller.post(f"{ROOT}/request", asking(phone, csr=base64.b64encode(data).decode()))
        if not data or len(data) > 2**15:  # the door itself says no
            assert response.status_code in {400, 413}, name
            continue
        assert (response.status_code, response.json()["code"]) == (422, "csr-refused"), (name, response.content)
        assert rules <= {one["rule"] for one in response.json()["findings"]}, name
    assert not CertificateRequest.objects.exists()


# What answers say.


def test_the_same_request_again_is_the_same_answer(caller: Caller, phone: Device) -> None:
    body = with_csr(phone)
    first, again = (caller.post(f"{ROOT}/request", body) for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert first["Location"] == f"{ROOT}/request/{first.json()['csrId']}"
    assert CertificateRequest.objects.count() == 1


@needs_openssl
def test_the_way_to_a_certificate_that_openssl_trusts(
    caller: Caller, server: Caller, phone: Device, authority: CertificateAuthority, tmp_path: Path
) -> None:
    csr_id = asked(caller, phone)
    waiting = caller.get(f"{ROOT}/request/{csr_id}").json()
    assert (waiting["status"], waiting["certificate"], waiting["bundleReady"]) == ("PENDING", None, False)
    signed = server.post(f"{ROOT}/sign", {"csrId": csr_id, "validityDays": 90}).json()
    shown = caller.get(f"{ROOT}/request/{csr_id}").json()
    assert (shown["status"], shown["certificate"]) == ("SIGNED", signed)
    with refused_once("already-decided", who="core banking"):
        assert problem(server.post(f"{ROOT}/sign", {"csrId": csr_id})) == (409, "already-decided")

    root = authority.parent
    assert root is not None
    (tmp_path / "leaf.pem").write_bytes(base64.b64decode(signed["certificateContent"]))
    for name, row in (("root", root), ("issuing", authority)):
        (tmp_path / f"{name}.pem").write_text(pem_of(bytes(row.der)))
    files = ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"]
    assert openssl("verify", "-x509_strict", "-purpose", "sslclient", *files, folder=tmp_path) == "leaf.pem: OK\n"


def test_where_two_people_sign_the_call_waits(caller: Caller, server: Caller, phone: Device) -> None:
    CertificatePolicy.objects.update(sign_needs_two=True)
    csr_id = asked(caller, phone)
    response = server.post(f"{ROOT}/sign", {"csrId": csr_id})
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["csrId"]) == ("PENDING_APPROVAL", csr_id)
    polled = server.get(response["Location"])
    assert (polled.status_code, polled.json()["operation"]) == (200, "PKI_SIGN")
    assert issue_ready(str(CertificateRequest.objects.get().pk)) is None
    assert not Certificate.objects.exists()


def test_a_bundle_is_given_once_and_kept_nowhere(caller: Caller, server: Caller, phone: Device) -> None:
    made = caller.post(f"{ROOT}/request", asking(phone, keyAlgorithm="EC", keySize=256)).json()
    server.post(f"{ROOT}/sign", {"csrId": made["csrId"]})
    assert caller.get(f"{ROOT}/request/{made['csrId']}").json()["bundleReady"] is True
    body = {"csrId": made["csrId"], "passphrase": PHRASE}
    once = {"Idempotency-Key": "bundle-1"}
    response = caller.post(f"{ROOT}/bundle", body, **once)
    assert (response.status_code, response.json()["status"]) == (200, "DELIVERED")
    key, leaf, _ = load_key_and_certificates(base64.b64decode(response.json()["bundleContent"]), PHRASE.encode())
    assert key is not None
    assert leaf is not None
    assert problem(caller.post(f"{ROOT}/bundle", body, **once)) == (409, "answer-not-kept")
    with refused_once("bundle-taken", who="Ada"):
        assert problem(caller.post(f"{ROOT}/bundle", body)) == (409, "bundle-taken")
    assert caller.get(f"{ROOT}/request/{made['csrId']}").json()["bundleReady"] is False


@pytest.mark.parametrize("phrase", ["short", "x" * 12, "a\nb" * 8])
def test_a_weak_passphrase_is_refused_and_not_repeated(phrase: str, caller: Caller) -> None:
    response = caller.post(f"{ROOT}/bundle", {"csrId": "CSR_1", "passphrase": phrase})
    assert problem(response) == (400, "invalid-input")
    assert phrase not in response.content.decode()


def test_calls_cost_few_queries(caller: Caller, server: Caller, phone: Device) -> None:
    body = with_csr(phone)
    with at_most(16):
        csr_id = caller.post(f"{ROOT}/request", body).json()["csrId"]
    with at_most(4):
        caller.get(f"{ROOT}/request/{csr_id}")
    with at_most(30):
        server.post(f"{ROOT}/sign", {"csrId": csr_id})
