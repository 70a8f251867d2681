"""The pages about authorities and the certificate policy, and the authority's certificate for everybody."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from django.test import Client

from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.certificate_policies import policy_of
from pki.models import CertificateAuthority, RollOver
from pki.operations.roll_over_work import sweep
from pki.states import CaRole, CaState
from pki.tests.factories import certify, make_ca
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import approve
from portal.core import clock
from portal.web.tests.approving import page_of, told, url
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)
LIST, POLICY = "/certificates/authorities", "/certificates/policy"


@pytest.fixture
def bank() -> Bank:
    return make_bank("harbour")


@pytest.fixture
def authority(bank: Bank) -> CertificateAuthority:
    return make_ca(bank)


@pytest.fixture
def cleo(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank, Role.SECURITY_OFFICER, "Cleo"))


@pytest.fixture
def bea(bank: Bank) -> Client:
    return signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))


@pytest.fixture
def avi(bank: Bank) -> User:
    return make_staff(bank, Role.APPROVER, "Avi")


def page(authority: CertificateAuthority, step: str = "") -> str:
    return f"{LIST}/{authority.pk}" + (f"/{step}" if step else "")


def root_of(authority: CertificateAuthority) -> CertificateAuthority:
    assert authority.parent is not None
    return authority.parent


def policy_wish(client: Client, **values: Any) -> dict[str, Any]:
    """What the form sends when somebody changes these fields of it."""
    form = client.get(POLICY).context["form"]
    wish = {name: form[name].initial for name in form.fields} | {"reason": "As the regulator asks"} | values
    return {name: value for name, value in wish.items() if value not in (None, False)}


# --- the list and one authority --------------------------------------------------------------------


def test_the_tree_shows_the_root_and_the_banks_own(bank: Bank, authority: CertificateAuthority, bea: Client) -> None:
    make_ca(make_bank("fjord"))
    certify(make_device(make_customer(bank)))
    with at_most(12):
        answer = bea.get(LIST)
    (root,) = answer.context["roots"]
    assert (root["name"], root["is_root"]) == ("Sample Root", True)
    assert [(child["name"], child["live"], child["issued"]) for child in root["children"]] == [("Harbour CA", 1, 1)]
    assert "Fjord" not in page_of(answer)


def test_a_bank_without_an_authority_is_told_how_to_make_one(bea: Client) -> None:
    said = page_of(bea.get(LIST))
    assert "No authority yet" in said
    assert "manage.py init_ca --bank harbour" in said


def test_an_authority_shows_what_stands_in_it(authority: CertificateAuthority, bea: Client) -> None:
    with at_most(16):
        answer = bea.get(page(authority))
    said = page_of(answer)
    assert answer.context["authority"]["inside"].common_name == "Harbour CA"
    assert f"/pki/crl/{authority.key_id[:16]}.crl" in said
    assert "Certificate authority created" in said
    assert answer.context["form"] is None
    assert "Roles that have it: security officer." in said


def test_an_authority_that_ends_too_soon_says_so(bank: Bank, authority: CertificateAuthority, bea: Client) -> None:
    assert bea.get(page(authority)).context["authority"]["warning"] == ""
    CertificateAuthority.objects.filter(pk=authority.pk).update(not_after=clock.now() + timedelta(days=396))
    assert "new certificates are cut short" in page_of(bea.get(page(authority)))
    assert "Ends soon" in page_of(bea.get(LIST))


def test_a_root_is_not_rolled_over_here(authority: CertificateAuthority, cleo: Client) -> None:
    answer = cleo.get(page(root_of(authority)))
    assert (answer.context["can_roll_over"], answer.context["tiles"]) == (False, [])


def test_foreign_and_unknown_look_the_same(authority: CertificateAuthority) -> None:
    cem = signed_in_client(make_staff(make_bank(), Role.SECURITY_OFFICER, "Cem"))
    for path in (page(authority), f"{LIST}/{uuid4()}", page(authority, "chain")):
        assert cem.get(path).status_code == 404
    assert cem.post(page(authority, "roll-over"), {"key": "p256", "keystore": "file"}).status_code == 404
    assert RollOver.objects.count() == ApprovalRequest.objects.count() == 0


def test_the_chain_is_in_pem_with_the_root_last(authority: CertificateAuthority, bea: Client) -> None:
    answer = bea.get(page(authority, "chain"))
    first, last = x509.load_pem_x509_certificates(answer.content)
    first.verify_directly_issued_by(last)
    assert answer["Content-Type"] == "application/x-pem-file"
    assert answer["Content-Disposition"] == f'attachment; filename="chain-{authority.key_id[:16]}.pem"'


@pytest.mark.parametrize("path", [LIST, POLICY])
def test_who_is_not_signed_in_gets_the_sign_in(db: None, path: str) -> None:
    assert Client().get(path).status_code == 302


def test_an_administrator_sees_none_of_it(bank: Bank, authority: CertificateAuthority) -> None:
    max_ = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Max"))
    assert [max_.get(path).status_code for path in (LIST, page(authority), POLICY)] == [403] * 3
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 3


# --- rolling over ----------------------------------------------------------------------------------


def wish(**values: str) -> dict[str, str]:
    return {"name": "", "key": "p384", "keystore": "file", "reason": "Yearly"} | values


def test_a_roll_over_is_asked_for_approved_and_made(
    bank: Bank, authority: CertificateAuthority, cleo: Client, avi: User
) -> None:
    answer = cleo.post(page(authority, "roll-over"), wish(), follow=True)
    request = ApprovalRequest.objects.get()
    assert answer.redirect_chain == [(page(authority), 302)]
    assert "Waiting for a second person: Roll over a certificate authority." in page_of(answer)
    approve(avi, request)
    answer = cleo.get(page(authority))
    assert "Harbour CA 2 takes its place soon." in page_of(answer)
    assert answer.context["can_roll_over"] is False
    sweep()
    answer = cleo.get(page(authority))
    assert answer.context["authority"]["mark"] == "ca-RETIRING"
    new = CertificateAuthority.objects.get(bank=bank, state=CaState.ACTIVE)
    assert f'<a href="{page(new)}">Harbour CA 2</a>' in page_of(answer)
    assert cleo.get(page(new)).context["authority"]["inside"].key == "EC P-384"
    assert [child["name"] for child in cleo.get(LIST).context["roots"][0]["children"]] == [
        "Harbour CA 2",
        "Harbour CA",
    ]


@pytest.mark.parametrize("values", [{"key": "rsa-1024"}, {"keystore": "cloud"}, {"name": "x" * 65}, {"reason": " "}])
def test_a_wrong_wish_stays_on_the_form(
    authority: CertificateAuthority, cleo: Client, values: dict[str, str]
) -> None:
    answer = cleo.post(page(authority, "roll-over"), wish(**values))
    assert (answer.status_code, ApprovalRequest.objects.count()) == (422, 0)


def test_without_the_right_nobody_asks_for_one(authority: CertificateAuthority, bea: Client) -> None:
    assert bea.post(page(authority, "roll-over"), wish()).status_code == 403
    assert bea.post(POLICY, {"organisation": "Mine"}).status_code == 403
    assert ApprovalRequest.objects.count() == 0
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 2


# --- the policy ------------------------------------------------------------------------------------


def test_the_policy_shows_profiles_and_a_change_as_it_would_be(
    bank: Bank, authority: CertificateAuthority, cleo: Client, avi: User
) -> None:
    sent = policy_wish(cleo, unit="Devices", **{"device-days": "90", "device-keys": ["p256", "p384"]})
    answer = cleo.post(POLICY, sent, follow=True)
    request = ApprovalRequest.objects.get()
    assert answer.redirect_chain == [(url(request), 302)]
    assert "Profile device, days: 365 → 90" in page_of(answer)
    answer = cleo.get(POLICY)
    assert answer.context["change"]["after"]["profiles"]["device"]["days"] == 90
    assert "What would change" in page_of(answer)
    approve(avi, request)
    answer = cleo.get(POLICY)
    assert answer.context["change"] is None
    device, terminal, _ = answer.context["profiles"]
    assert (device["days"], device["keys"], device["narrowed"]) == (90, ["EC P-256", "EC P-384"], True)
    assert (terminal["narrowed"], terminal["needs_zone"]) == (False, True)
    assert policy_of(bank.pk).unit == "Devices"


def test_no_change_asks_nobody(authority: CertificateAuthority, cleo: Client) -> None:
    answer = cleo.post(POLICY, policy_wish(cleo), follow=True)
    assert told(answer) == ["Nothing has changed: the policy was so already."]
    assert ApprovalRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"country": "ng"}, "country"),
        ({"zone": "bank"}, "zone"),
        ({"organisation": ""}, "organisation"),
        ({"overlap_days": "91"}, "overlap_days"),
        ({"device-days": "398"}, "device-days"),
        ({"device-keys": []}, "device-keys"),
        ({"terminal-purposes": ["code-signing"]}, "terminal-purposes"),
        ({"device-max_days": "10"}, "__all__"),
    ],
)
def test_a_wrong_policy_stays_on_the_form(
    authority: CertificateAuthority, cleo: Client, values: dict[str, Any], field: str
) -> None:
    answer = cleo.post(POLICY, policy_wish(cleo, **values))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert ApprovalRequest.objects.count() == 0


def test_a_bank_without_an_authority_has_no_policy_page(cleo: Client) -> None:
    assert cleo.get(POLICY).status_code == 404


# --- for everybody ---------------------------------------------------------------------------------


def test_certificates_point_to_where_their_authority_is(bank: Bank, authority: CertificateAuthority) -> None:
    certificate = certify(make_device(make_customer(bank)))
    found = x509.load_der_x509_certificate(bytes(certificate.der or b""))
    access = found.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    address = next(str(each.access_location.value) for each in access if "/ca/" in str(each.access_location.value))
    path = "/" + address.split("/", 3)[3]
    with at_most(1):
        answer = Client().get(path)
    assert answer.content == bytes(authority.der)
    assert answer["Content-Type"] == "application/pkix-cert"
    assert answer["Cache-Control"] == "max-age=604800, public, no-transform, immutable"
    again = Client().get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    assert Client().head(path).status_code == 200
    assert Client().post(path).status_code == 405


def test_a_root_and_an_ended_authority_keep_their_address(authority: CertificateAuthority) -> None:
    CertificateAuthority.objects.filter(pk=authority.pk).update(state=CaState.ENDED)
    for one in (authority, CertificateAuthority.objects.get(role=CaRole.ROOT)):
        assert Client().get(f"/pki/ca/{one.key_id[:16]}.cer").content == bytes(one.der)


@pytest.mark.parametrize("name", ["0" * 16 + ".cer", "nothing.cer", "%2e%2e.cer", ".cer"])
def test_what_is_not_there_is_not_found(authority: CertificateAuthority, name: str) -> None:
    assert Client().get(f"/pki/ca/{name}").status_code == 404
