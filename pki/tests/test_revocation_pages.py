"""The pages that revoke, hold and release, and the one that shows how lists and answers are doing."""

import pytest
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.models import BlockedKey, Certificate, CertificateAuthority, PublishedCrl
from pki.operations.crls import publish_due
from pki.tests.factories import hang_certificate, make_ca
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    return make_device(make_customer(make_bank()))


@pytest.fixture
def bea(phone: Device) -> Client:
    return signed_in_client(make_staff(phone.bank, Role.SECURITY_OFFICER))


def url(certificate: Certificate, step: str = "") -> str:
    return f"/certificates/{certificate.pk}" + (f"/{step}" if step else "")


def state(certificate: Certificate) -> str:
    certificate.refresh_from_db()
    return certificate.state


def test_the_page_says_what_it_does_and_then_does_it(bea: Client, phone: Device) -> None:
    certificate = hang_certificate(phone)
    page = bea.get(url(certificate, "revoke"))
    assert page.context["preview"] == [{"count": 1, "text": "certificate is revoked"}]
    assert page.context["compromise"] == [{"count": 1, "text": "certificate is revoked"}]
    answer = bea.post(url(certificate, "revoke"), {"cause": "superseded", "reason": "Replaced"})
    assert (answer.status_code, answer["Location"], state(certificate)) == (302, url(certificate), "REVOKED")
    event = AuditEvent.objects.get(event="certificate.revoked")
    assert event.reason == "Replaced"


def test_of_one_that_is_over_only_the_key_is_left_to_block(bea: Client, phone: Device) -> None:
    certificate = hang_certificate(phone)
    assert bea.get(url(certificate, "revoke")).context["form"]["cause"].value() == ""
    Certificate.objects.filter(pk=certificate.pk).update(state="EXPIRED")
    assert bea.get(url(certificate, "revoke")).context["form"]["cause"].value() == "key-compromise"
    late = bea.post(url(certificate, "revoke"), {"cause": "superseded", "reason": "Replaced"})
    assert (late.status_code, state(certificate), BlockedKey.objects.count()) == (409, "EXPIRED", 0)
    done = bea.post(url(certificate, "revoke"), {"cause": "key-compromise", "reason": "Found on a forum"})
    assert (done.status_code, state(certificate), BlockedKey.objects.count()) == (302, "EXPIRED", 1)
    assert [code for _, code, *_ in refusals()] == ["certificate-state-not-valid"]


def test_a_compromised_key_is_told_with_everything_that_ended(bea: Client, phone: Device) -> None:
    certificate = hang_certificate(phone)
    bea.post(url(certificate, "revoke"), {"cause": "key-compromise", "reason": "Found on a forum"})
    [told] = [str(message) for message in bea.get("/certificates/health").context["messages"]]
    assert told == (
        "The key is blocked everywhere. Certificates revoked: 1, requests rejected: 0, approval keys retired: 0, "
        "sessions ended: 0."
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [({"cause": "superseded"}, 422), ({"reason": "Replaced"}, 422), ({"cause": "odd", "reason": "x"}, 422)],
)
def test_what_is_missing_is_asked_for_again(bea: Client, phone: Device, data: dict[str, str], status: int) -> None:
    certificate = hang_certificate(phone)
    assert bea.post(url(certificate, "revoke"), data).status_code == status
    assert state(certificate) == "ACTIVE"


def test_hold_and_release(bea: Client, phone: Device) -> None:
    certificate = hang_certificate(phone)
    for step, after in (("hold", "ON_HOLD"), ("release", "ACTIVE")):
        assert bea.get(url(certificate, step)).status_code == 200
        answer = bea.post(url(certificate, step), {"reason": "Odd"})
        assert (answer.status_code, state(certificate)) == (302, after)


def test_a_step_that_is_late_is_told_and_written_down_once(bea: Client, phone: Device) -> None:
    certificate = hang_certificate(phone)
    Certificate.objects.filter(pk=certificate.pk).update(
        state="REVOKED", revoked_at=clock.now(), revocation_reason="superseded"
    )
    answer = bea.post(url(certificate, "release"), {"reason": "Odd"})
    assert (answer.status_code, "This certificate is “revoked”." in answer.text) == (409, True)
    [refusal] = refusals()
    assert (refusal[1], refusal[3]) == ("certificate-state-not-valid", str(certificate.pk))


@pytest.mark.parametrize("step", ["revoke", "hold", "release"])
def test_who_may_not_is_refused_and_foreign_is_unknown(phone: Device, step: str) -> None:
    certificate = hang_certificate(phone)
    support = signed_in_client(make_staff(phone.bank, Role.OPERATOR))
    stranger = signed_in_client(make_staff(make_bank(), Role.SECURITY_OFFICER))
    data = {"cause": "superseded", "reason": "x"}
    for client, status in ((support, 403), (stranger, 404)):
        assert client.get(url(certificate, step)).status_code == status
        assert client.post(url(certificate, step), data).status_code == status
    assert Client().get(url(certificate, step)).status_code == 302
    assert state(certificate) == "ACTIVE"


def test_two_people_where_the_bank_says_so(bea: Client, phone: Device) -> None:
    ApprovalPolicy.objects.create(bank=phone.bank, required=["pki.revoke"], bulk_threshold=10, updated_at=clock.now())
    certificate = hang_certificate(phone)
    assert "Ask to revoke" in bea.get(url(certificate, "revoke")).text
    answer = bea.post(url(certificate, "revoke"), {"cause": "superseded", "reason": "Replaced"})
    assert (answer.status_code, state(certificate)) == (302, "ACTIVE")
    assert ApprovalRequest.objects.open().count() == 1


# Health


@pytest.mark.parametrize("more", [0, 5])
def test_health_takes_the_same_queries_however_many_authorities(bea: Client, phone: Device, more: int) -> None:
    make_ca(phone.bank)
    root = CertificateAuthority.objects.get(role="root")
    for number in range(more):
        CertificateAuthority.objects.create(
            bank=phone.bank, role="issuing", state="RETIRING", parent=root, name=f"Old {number}", keystore="file",
            key_name="none", key_id=f"{number:040x}", serial=f"{number:040x}", der=b"0", not_before=clock.now(),
            not_after=root.not_after, created_at=clock.now(),
        )  # fmt: skip
    bea.get("/certificates/health")
    with at_most(12):
        page = bea.get("/certificates/health")
    names = [one["name"] for one in page.context["authorities"]]
    assert len(names) == 2 + more
    assert {f"Old {number}" for number in range(more)} < set(names)


def test_health_shows_lists_and_publishes(bea: Client, phone: Device) -> None:
    authority = make_ca(phone.bank)
    assert "None was published yet" in bea.get("/certificates/health").text
    publish_due()
    page = bea.get("/certificates/health")
    assert [one["list"]["state"] for one in page.context["authorities"]] == ["ok", "ok"]
    answer = bea.post(f"/certificates/authorities/{authority.pk}/publish")
    assert (answer.status_code, answer["Location"]) == (302, "/certificates/health")
    assert PublishedCrl.objects.filter(authority=authority).count() == 2
    assert bea.get(f"/certificates/authorities/{authority.pk}/publish").status_code == 405


def test_who_only_looks_publishes_nothing(phone: Device) -> None:
    authority = make_ca(phone.bank)
    auditor = signed_in_client(make_staff(phone.bank, Role.AUDITOR))
    assert "Publish now" not in auditor.get("/certificates/health").text
    assert auditor.post(f"/certificates/authorities/{authority.pk}/publish").status_code == 403
    assert signed_in_client(make_staff(phone.bank, Role.ADMINISTRATOR)).get("/certificates/health").status_code == 403
    assert not PublishedCrl.objects.exists()


def test_a_bank_without_an_authority_sees_that(bea: Client) -> None:
    assert "No authority yet" in bea.get("/certificates/health").text
