"""The inventory: what staff find, see and take along."""

import re
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from cryptography import x509
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.models import BlockedKey, Certificate
from pki.operations import ending
from pki.states import CertificateState, RevocationReason
from pki.tests.factories import certify, make_ca, token_gone
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.core import clock
from portal.core.actor import Actor
from portal.web.tests.helpers import refusals, signed_in_client

NOW = clock.now()
ENDED = {"revoked_at": NOW, "revocation_reason": "certificate-hold"}

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


@pytest.fixture
def bea(ada: User) -> Client:
    return signed_in_client(make_staff(ada.bank, Role.SECURITY_OFFICER, "Bea"))


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return len([query for query in captured.captured_queries if not query["sql"].startswith(frame)])


def found(client: Client, query: str = "") -> list[object]:
    return [row["public_id"] for row in client.get(f"/certificates{query}").context["certificates"]]


def end(certificate: Certificate, reason: RevocationReason = RevocationReason.KEY_COMPROMISE) -> None:
    with transaction.atomic():
        ending.revoke(SYSTEM, certificate, reason, why="It was found on a public server.")


def test_search_by_serial_device_certificate_and_key(bea: Client, phone: Device, ada: User) -> None:
    wanted, other = certify(phone), certify(make_device(ada))
    for text in (
        wanted.serial,
        wanted.serial_colons,
        f"…{wanted.serial[-8:]}",
        wanted.serial.lstrip("0").upper(),
        wanted.public_id,
        wanted.key_fingerprint,
        phone.public_id,
        phone.external_id,
    ):
        assert found(bea, f"?q={text}") == [wanted.public_id], text
    assert found(bea) == [other.public_id, wanted.public_id]
    assert found(bea, "?q=nothing") == found(bea, "?q=00000000") == []


def test_states_are_tabs_with_their_counts(bea: Client, phone: Device) -> None:
    first = certify(phone)
    second = certify(phone)
    end(first, RevocationReason.SUPERSEDED)
    page = bea.get("/certificates")
    counts = {tab["label"]: tab["count"] for tab in page.context["states"]}
    assert counts == {
        "All": None, "Valid": 1, "Overlapping": 0, "On hold": 0, "Revoked": 1, "Expired": 0, "Never issued": None,
    }  # fmt: skip
    assert found(bea, "?state=ACTIVE") == [second.public_id]
    assert found(bea, "?state=REVOKED") == [first.public_id]
    assert found(bea, "?state=unheard-of") == [second.public_id, first.public_id]


def test_a_reserved_serial_shows_only_among_those_never_issued(bea: Client, phone: Device) -> None:
    with patch("pki.operations.issuance.signer_of", token_gone), pytest.raises(Exception, match="right now"):
        certify(phone)
    (aborted,) = Certificate.objects.all()
    assert aborted.state == CertificateState.ABORTED
    assert found(bea) == []
    assert found(bea, "?state=unissued") == [aborted.public_id]
    page = bea.get(f"/certificates/{aborted.pk}")
    assert "nothing was given out under it" in page.content.decode()
    assert bea.get(f"/certificates/{aborted.pk}/pem").status_code == 404


def test_those_that_run_out_in_a_range_come_soonest_first(bea: Client, ada: User) -> None:
    with patch("pki.queries.certificates.PAGE_SIZE", 2):
        made = [certify(make_device(ada), days=days) for days in (30, 10, 20, 300)]
        first, last = clock.now().date(), clock.now().date() + timedelta(days=40)
        query = f"?since={first}&until={last}"
        assert found(bea, query) == [made[1].public_id, made[2].public_id]
        page = bea.get(f"/certificates{query}")
        assert page.context["pager"]["previous_url"] == ""
        later = bea.get(page.context["pager"]["next_url"])
        assert [row["public_id"] for row in later.context["certificates"]] == [made[0].public_id]
        back = bea.get(later.context["pager"]["previous_url"])
        assert [row["public_id"] for row in back.context["certificates"]] == [made[1].public_id, made[2].public_id]


def test_the_curve_counts_valid_certificates_by_week(bea: Client, ada: User) -> None:
    for days in (1, 60, 60, 300):
        certify(make_device(ada), days=days)
    end(certify(make_device(ada), days=61))
    chart = bea.get("/certificates").context["chart"]
    assert len(chart.bars) == 54
    assert (chart.total, chart.soon, max(bar.count for bar in chart.bars)) == (4, 1, 2)
    tallest = max(chart.bars, key=lambda bar: bar.count)
    assert len(bea.get(tallest.url).context["certificates"]) == 2


def test_the_list_costs_the_same_however_long_it_is(bea: Client, ada: User) -> None:
    known = make_device(ada)
    certify(known)
    before = statements(bea, "/certificates")
    for _ in range(5):
        certify(make_device(ada))
    assert statements(bea, "/certificates") == before == 10
    assert statements(bea, f"/certificates?q={known.public_id}") == 12


def test_a_certificate_shows_what_stands_in_it_and_beside_it(bea: Client, phone: Device) -> None:
    first = certify(phone)
    second = certify(phone)
    page = bea.get(f"/certificates/{first.pk}")
    text = re.sub(r"\s+|<wbr>", "", page.content.decode())
    assert first.serial_colons in text
    assert f"CN={phone.public_id}" in text
    assert [one["role"] for one in page.context["chain"]] == ["Root", "Issuing"]
    assert page.context["replaced_by"]["public_id"] == second.public_id
    assert [event["event"] for event in page.context["events"]] == ["certificate.issued", "certificate.started"]
    assert bea.get(f"/certificates/{second.pk}").context["certificate"]["replaces"]["public_id"] == first.public_id


def test_files_to_take_along(bea: Client, phone: Device) -> None:
    certificate = certify(phone)
    pem, der = bea.get(f"/certificates/{certificate.pk}/pem"), bea.get(f"/certificates/{certificate.pk}/der")
    assert der.content == bytes(certificate.der or b"")
    assert der["Content-Type"] == "application/pkix-cert"
    assert x509.load_pem_x509_certificate(pem.content) == x509.load_der_x509_certificate(der.content)
    chain = x509.load_pem_x509_certificates(bea.get(f"/certificates/{certificate.pk}/chain").content)
    assert len(chain) == 3
    for below, above in zip(chain, chain[1:], strict=False):
        below.verify_directly_issued_by(above)
    assert f'filename="certificate-{certificate.serial[-8:]}.pem"' in pem["Content-Disposition"]


def test_another_bank_s_certificate_is_unknown(bea: Client) -> None:
    foreign = make_customer(make_bank(), "Cem")
    make_ca(foreign.bank)
    certificate = certify(make_device(foreign))
    assert found(bea) == found(bea, f"?q={certificate.serial}") == []
    for path in ("", "/pem", "/lint"):
        assert bea.get(f"/certificates/{certificate.pk}{path}").status_code == 404
    assert [refusal[1] for refusal in refusals()] == ["not-found"] * 3


def test_an_administrator_sees_none(ada: User, phone: Device) -> None:
    certificate = certify(phone)
    admin = signed_in_client(make_staff(ada.bank, Role.ADMINISTRATOR, "Bea"))
    for path in ("", f"/{certificate.pk}", f"/{certificate.pk}/der", "/keys"):
        assert admin.get(f"/certificates{path}").status_code == 403
    assert len(refusals()) == 4


def test_steps_are_offered_to_who_may_take_them(ada: User, bea: Client, phone: Device) -> None:
    certificate = certify(phone)
    support = signed_in_client(make_staff(ada.bank, Role.SUPPORT, "Bea"))
    offered = bea.get(f"/certificates/{certificate.pk}").context["actions"]
    barred = support.get(f"/certificates/{certificate.pk}").context["actions"]
    labels = ["Revoke", "Put on hold"]
    assert [(action["label"], action["allowed"]) for action in offered] == [(label, True) for label in labels]
    assert [(action["label"], action["allowed"]) for action in barred] == [(label, False) for label in labels]


@pytest.mark.parametrize(
    ("values", "blocked", "labels"),
    [
        ({}, False, ["Revoke", "Put on hold"]),
        ({"state": "OVERLAP", "overlap_until": NOW}, False, ["Revoke", "Put on hold"]),
        ({"state": "ON_HOLD", **ENDED}, False, ["Revoke", "Hold by itself", "Release"]),
        ({"state": "ON_HOLD", "held_apart": True, **ENDED}, False, ["Revoke", "Release"]),
        ({"state": "ON_HOLD", "held_apart": True, "not_after": NOW, **ENDED}, False, ["Revoke"]),
        ({"state": "REVOKED", **ENDED}, False, ["Block its key"]),
        ({"state": "REVOKED", **ENDED}, True, []),
        ({"state": "EXPIRED"}, False, ["Block its key"]),
        ({"state": "SIGNING", "der": None, "issued_at": None}, False, []),
        ({"state": "ABORTED", "der": None, "issued_at": None}, False, []),
    ],
)
def test_only_steps_that_change_something_are_offered(
    bea: Client, phone: Device, values: dict[str, Any], blocked: bool, labels: list[str]
) -> None:
    certificate = certify(phone)
    Certificate.objects.filter(pk=certificate.pk).update(**values)
    if blocked:
        BlockedKey.objects.create(fingerprint=certificate.key_fingerprint, reason="x", blocked_at=NOW)
    offered = bea.get(f"/certificates/{certificate.pk}").context["actions"]
    assert [action["label"] for action in offered] == labels


def test_blocked_keys_of_this_bank_are_listed_and_foreign_ones_only_named(bea: Client, phone: Device) -> None:
    mine = certify(phone, number=901)
    end(mine)
    foreign = make_customer(make_bank(), "Cem")
    make_ca(foreign.bank)
    theirs = certify(make_device(foreign), number=902)
    end(theirs)
    (row,) = bea.get("/certificates/keys").context["keys"]
    assert (row["fingerprint"], row["reason"]) == (mine.key_fingerprint, "It was found on a public server.")
    assert [one["public_id"] for one in row["certificates"]] == [mine.public_id]
    (row,) = bea.get(f"/certificates/keys?q={theirs.key_fingerprint}").context["keys"]
    assert (row["fingerprint"], row["reason"], row["certificates"]) == (theirs.key_fingerprint, "", [])
    assert bea.get(f"/certificates/keys?q={theirs.key_fingerprint[:20]}").context["keys"] == []
    assert "Its key is blocked" in bea.get(f"/certificates/{mine.pk}").content.decode()


def test_the_audit_browser_finds_a_certificate_by_its_id(bea: Client, phone: Device) -> None:
    certificate = certify(phone)
    certify(phone)
    events = bea.get(f"/audit?object={certificate.public_id}").context["events"]
    assert {event["object_url"] for event in events} == {f"/certificates/{certificate.pk}"}


def test_htmx_gets_only_the_rows(bea: Client, phone: Device) -> None:
    certify(phone)
    page = bea.get("/certificates", headers={"HX-Request": "true"})
    assert "<html" not in page.content.decode()
    assert "chart" not in page.context


def test_the_device_page_has_a_card(bea: Client, phone: Device) -> None:
    certificate = certify(phone)
    card = bea.get(f"/devices/{phone.pk}").context["certificate_card"]
    assert [one["public_id"] for one in card["live"]] == [certificate.public_id]


@pytest.mark.slow
def test_pkilint_says_nothing_of_our_own(bea: Client, phone: Device) -> None:
    pytest.importorskip("pkilint")
    page = bea.get(f"/certificates/{certify(phone).pk}/lint")
    assert [finding for finding in page.context["said"].findings if finding.severity not in ("INFO", "NOTICE")] == []


def test_a_devices_timeline_tells_of_its_certificates(bea: Client, ada: User) -> None:
    device, other = make_device(ada), make_device(ada)
    certify(other)
    assert "Certificate issued" not in bea.get(f"/devices/{device.pk}").content.decode()
    certify(device)
    assert "Certificate issued" in bea.get(f"/devices/{device.pk}").content.decode()
