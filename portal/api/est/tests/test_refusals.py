"""EST's refusals: who may not, what is wrong with a request, each by its rule and with one event."""

import base64
from typing import Any

import pytest
from django.db import transaction

from devices.models import Device
from devices.operations.activation import deactivate_device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, make_token, staff_actor
from pki.models import Certificate, CertificateRequest
from pki.operations import ending
from pki.states import RevocationReason
from pki.tests.factories import certify, csr_for
from pki.x509.tests import hostile
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.est.client_certificate import der_of
from portal.api.est.tests.client import EstClient, shown
from portal.audit.models import AuditEvent
from portal.core.actor import Actor

pytestmark = pytest.mark.django_db


def refused(answer: Any, status: int, code: str, *, who: str | None = "Ada", events: int = 1) -> None:
    """Refused by a rule, as text, with one event that names the caller; no request and no certificate was made."""
    assert (answer.status_code, answer.content.decode().split(":")[0].strip().split("\n")[0]) == (status, code)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    found = AuditEvent.objects.filter(outcome="refused", channel="est")
    wanted = [(code, who)] * events if who is not None else []
    assert list(found.values_list("code", "actor_label")) == wanted
    assert not CertificateRequest.objects.exists()


def sample(device: Device) -> bytes:
    return base64.b64encode(csr_for(device))


def test_without_anything_shown(client: EstClient, phone: Device) -> None:
    client.token = ""
    answer = client.enrol(sample(phone))
    refused(answer, 401, "unauthorized", who=None)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_token_that_is_bound_to_no_device(client: EstClient, ada: User, phone: Device) -> None:
    client.token = make_token(user=ada)
    refused(client.enrol(sample(phone)), 403, "token-not-bound")


def test_a_token_without_the_scope(client: EstClient, ada: User, phone: Device) -> None:
    client.token = make_token(user=ada, device=phone, scope="devices")
    refused(client.enrol(sample(phone)), 403, "insufficient-scope")


def test_a_token_of_staff(client: EstClient, ada: User, phone: Device) -> None:
    bea = make_staff(ada.bank, Role.SECURITY_OFFICER, "Bea", username="bea")
    client.token = make_token(user=bea)
    refused(client.enrol(sample(phone)), 403, "bearer-not-served", who="Bea (bea)")


def test_another_bank_s_path(client: EstClient, phone: Device) -> None:
    client.bank = make_bank("second").code
    refused(client.enrol(sample(phone)), 404, "not-found")
    client.bank = "unheard-of"
    refused(client.enrol(sample(phone)), 404, "not-found", events=2)
    assert client.get("cacerts").status_code == 404


def test_a_certificate_we_never_issued(client: EstClient, ada: User, phone: Device) -> None:
    foreign = certify(phone)
    der = bytearray(foreign.der or b"")
    der[-1] ^= 1  # the same serial, another signature
    client.token = ""
    client.shown = f":{base64.b64encode(bytes(der)).decode()}:"
    answer = client.enrol(sample(phone), "simplereenroll")
    (event,) = AuditEvent.objects.filter(outcome="refused")
    assert event.actor_label.startswith("unknown certificate ")
    refused(answer, 401, "certificate-not-accepted", who=event.actor_label)


@pytest.mark.parametrize("junk", ["x", "%", ":AAAA:", "-----BEGIN CERTIFICATE-----", "é", "A" * 20_000, "%00%ff"])
def test_junk_in_the_header(client: EstClient, phone: Device, junk: str) -> None:
    certificate = certify(phone)
    client.token, client.shown = "", junk
    answer = client.enrol(sample(phone), "simplereenroll")
    (event,) = AuditEvent.objects.filter(outcome="refused")
    assert event.actor_label.startswith("unknown certificate ")
    refused(answer, 401, "certificate-not-accepted", who=event.actor_label)
    assert list(Certificate.objects.values_list("pk", "state")) == [(certificate.pk, "ACTIVE")]


def test_a_header_that_no_trusted_proxy_sent_is_not_read(client: EstClient, phone: Device) -> None:
    device = EstClient(client.folder, client.bank, certificate=certify(phone), direct=True)
    refused(device.enrol(sample(phone), "simplereenroll"), 401, "unauthorized", who=None)


def test_a_header_of_any_name_is_taken_away(client: EstClient, phone: Device, settings: Any) -> None:
    settings.CLIENT_CERT_HEADER = "HTTP_X_WHOEVER"
    text = shown(certify(phone))
    client.token = ""
    direct, proxied = (
        client.http.generic(
            "POST", f"/.well-known/est/{client.bank}/simplereenroll", sample(phone), "application/pkcs10",
            headers={"X-Whoever": text}, REMOTE_ADDR=address,
        ).status_code
        for address in ("192.0.2.9", "10.1.2.3")
    )  # fmt: skip
    assert (direct, proxied) == (401, 200)


def test_without_the_setting_no_certificate_opens_anything(client: EstClient, phone: Device, settings: Any) -> None:
    settings.CLIENT_CERT_HEADER = ""
    device = EstClient(client.folder, client.bank, certificate=certify(phone))
    refused(device.enrol(sample(phone), "simplereenroll"), 401, "unauthorized", who=None)


def test_a_revoked_certificate(client: EstClient, phone: Device) -> None:
    certificate = certify(phone)
    with transaction.atomic():
        ending.revoke(Actor.system("test"), certificate, RevocationReason.UNSPECIFIED)
    device = EstClient(client.folder, client.bank, certificate=certificate)
    refused(device.enrol(sample(phone), "simplereenroll"), 401, "certificate-not-accepted")


def test_the_certificate_of_a_device_that_is_off(client: EstClient, ada: User, phone: Device) -> None:
    device = EstClient(client.folder, client.bank, certificate=certify(phone))
    deactivate_device(actor=staff_actor(make_staff(ada.bank)), device_id=phone.public_id, reason="Found broken.")
    refused(device.enrol(sample(phone), "simplereenroll"), 401, "certificate-not-accepted")


def test_a_suspended_owner(client: EstClient, ada: User, phone: Device) -> None:
    device = EstClient(client.folder, client.bank, certificate=certify(phone))
    User.objects.filter(pk=ada.pk).update(is_active=False)
    refused(device.enrol(sample(phone), "simplereenroll"), 401, "certificate-not-accepted")


def test_a_token_beside_another_device_s_certificate(client: EstClient, ada: User, phone: Device) -> None:
    client.shown = shown(certify(make_device(ada)))
    refused(client.enrol(sample(phone)), 403, "certificate-of-another-device")


def test_a_dead_certificate_beside_a_good_token_is_in_nobody_s_way(client: EstClient, phone: Device) -> None:
    certificate = certify(phone)
    with transaction.atomic():
        ending.revoke(Actor.system("test"), certificate, RevocationReason.UNSPECIFIED)
    client.shown = shown(certificate)
    refused(client.enrol(sample(phone), "simplereenroll"), 409, "no-certificate")


def test_a_request_that_names_another_device(client: EstClient, ada: User, phone: Device) -> None:
    answer = client.enrol(sample(make_device(ada)))
    refused(answer, 400, "cn-not-device")
    assert len(answer.content.decode().splitlines()) == 2


def test_every_finding_has_a_line(client: EstClient, phone: Device) -> None:
    answer = client.enrol(b"MAA=")
    refused(answer, 400, "csr-refused")
    first, *lines = answer.content.decode().splitlines()
    assert lines
    assert all(": " in line and line.endswith(")") for line in lines)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"not base64!", b"QUJD"])
def test_a_body_that_is_no_request(client: EstClient, phone: Device, body: bytes) -> None:
    for operation in ("simpleenroll", "simplereenroll"):
        certify(phone)
        assert client.enrol(body, operation).status_code == 400
    assert not CertificateRequest.objects.exists()


def test_another_label_on_the_body(client: EstClient, phone: Device) -> None:
    refused(client.enrol(sample(phone), kind="application/json"), 415, "not-pkcs10")


def test_a_body_that_is_too_large(client: EstClient, phone: Device) -> None:
    refused(client.enrol(b"A" * 2_000_000), 413, "too-large")


def test_other_methods_and_other_addresses(client: EstClient) -> None:
    for method, path, status, allow in (
        ("GET", "simpleenroll", 405, "POST"),
        ("PUT", "simplereenroll", 405, "POST"),
        ("POST", "cacerts", 405, "GET, HEAD"),
        ("POST", "serverkeygen", 404, None),
        ("POST", "fullcmc", 404, None),
        ("GET", "/.well-known/est/", 404, None),
        ("GET", "/.well-known/est/a/b/c", 404, None),
    ):
        answer = client.send(method, path)
        assert (answer.status_code, answer.get("Allow")) == (status, allow), path
        assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_a_foreign_customer_s_token_is_no_help(client: EstClient, phone: Device) -> None:
    cem = make_customer(phone.bank, "Cem")
    client.token = make_token(user=cem, device=make_device(cem))
    refused(client.enrol(sample(phone)), 400, "cn-not-device", who="Cem")


def test_spellings_of_a_certificate_in_a_header(phone: Device) -> None:
    certificate = certify(phone)
    der = bytes(certificate.der or b"")
    text = base64.b64encode(der).decode()
    assert der_of(shown(certificate)) == der_of(f":{text}:") == der_of(text) == der
    assert der_of("") is der_of(":") is der_of("::") is None


def test_the_hostile_corpus_is_refused_by_name(client: EstClient, phone: Device) -> None:
    """Each over the wire, one after the other at both doors: never a 5xx, and the rule it breaks has a line."""
    certify(phone)
    for number, (name, data, rules) in enumerate(hostile.corpus()):
        answer = client.enrol(base64.b64encode(data), ("simpleenroll", "simplereenroll")[number % 2])
        if len(data) > 2**15:  # the door itself says no
            assert answer.status_code in {400, 413}, name
            continue
        first, *lines = answer.content.decode().splitlines()
        assert (answer.status_code, first) == (400, "csr-refused"), (name, answer.content)
        assert rules <= {line.split(":")[0] for line in lines}, name
    assert not CertificateRequest.objects.exists()
