"""What a bank decides about its certificates, and that every accepted value lints."""

from typing import Any

import pytest
from django.db import transaction

from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.certificate_policies import policy_of, profile_of
from pki.models import CertificatePolicy
from pki.operations.policy import change_certificate_policy
from pki.policy_values import narrowed, values_of
from pki.tests.factories import certify, make_ca
from pki.x509.profiles import DEVICE
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals.models import ApprovalRequest
from portal.approvals.queries import shown
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import approve, stored
from portal.audit.models import AuditEvent
from portal.core.errors import ApprovalRequired, Forbidden, InvalidInput, InvalidState

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "As the regulator asks"
START: dict[str, Any] = {
    "organisation": "Digital Bank Ltd",
    "unit": "",
    "country": "NG",
    "zone": "",
    "profiles": {},
    "auto_sign": False,
    "sign_needs_two": False,
    "key_lifetime_days": 1095,
    "overlap_days": 14,
    "reason": WHY,
}


@pytest.fixture
def bank() -> Bank:
    bank = make_bank()
    make_ca(bank)
    return bank


@pytest.fixture
def cleo(bank: Bank) -> User:
    return make_staff(bank, Role.SECURITY_OFFICER, "Cleo")


@pytest.fixture
def avi(bank: Bank) -> User:
    return make_staff(bank, Role.APPROVER, "Avi")


def change(person: User, **values: Any) -> CertificatePolicy:
    return change_certificate_policy(actor=signed_in(person), **(START | values))


def asked(cleo: User, **values: Any) -> ApprovalRequest:
    with pytest.raises(ApprovalRequired) as waits:
        change(cleo, **values)
    return stored(waits.value.request_id)


def changed(cleo: User, avi: User, **values: Any) -> CertificatePolicy:
    done = approve(avi, asked(cleo, **values))
    assert done.state == RequestState.DONE, done.error_message
    return policy_of(cleo.bank_id)


def test_a_change_always_takes_two_people(bank: Bank, cleo: User, avi: User) -> None:
    wanted = {"unit": "Devices", "zone": "devices.bank.example", "auto_sign": True}
    request = asked(cleo, **wanted)
    assert values_of(policy_of(bank.pk))["unit"] == ""
    assert shown(signed_in(avi), request).preview == [
        (None, "Unit: none → Devices"),
        (None, "DNS zone: none → devices.bank.example"),
        (None, "Sign devices at once: no → yes"),
    ]
    approve(avi, request)
    policy = policy_of(bank.pk)
    assert (policy.unit, policy.zone, policy.auto_sign) == ("Devices", "devices.bank.example", True)
    event = AuditEvent.objects.get(event="certificate-policy.changed")
    assert '"before":{"auto_sign":false,"unit":"","zone":""}' in event.data
    assert (event.actor_id, event.reason) == (str(cleo.pk), WHY)


def test_whoever_asked_does_not_approve(bank: Bank, cleo: User) -> None:
    request = asked(cleo, unit="Mine")
    with pytest.raises(Forbidden):
        approve(cleo, request)
    assert policy_of(bank.pk).unit == ""


def test_what_is_so_already_asks_nobody(bank: Bank, cleo: User) -> None:
    built_in = {"device": {"days": DEVICE.days, "max_days": DEVICE.max_days, "keys": sorted(DEVICE.keys)}}
    change(cleo)
    change(cleo, profiles=built_in)
    assert ApprovalRequest.objects.count() == 0
    assert not AuditEvent.objects.filter(event="certificate-policy.changed").exists()


def test_without_the_right_nobody_asks(avi: User) -> None:
    with pytest.raises(Forbidden) as refused:
        change(avi, unit="Mine")
    assert (refused.value.code, ApprovalRequest.objects.count()) == ("capability-missing", 0)


def test_a_bank_without_an_authority_has_none_to_change() -> None:
    cem = make_staff(make_bank(), Role.SECURITY_OFFICER, "Cem")
    with pytest.raises(InvalidState) as refused:
        change(cem, unit="x")
    assert refused.value.code == "no-authority"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"organisation": ""}, "organisation"),
        ({"organisation": "x" * 65}, "organisation"),
        ({"organisation": "a\u202eb"}, "organisation"),
        ({"organisation": "Bank "}, "organisation"),
        ({"unit": "x" * 65}, "unit"),
        ({"unit": " "}, "unit"),
        ({"country": "Ng"}, "country"),
        ({"country": "NGA"}, "country"),
        ({"country": "N\u0047\n"}, "country"),
        ({"zone": "bank"}, "zone"),
        ({"zone": "*.bank.example"}, "zone"),
        ({"zone": "bank.example."}, "zone"),
        ({"zone": "bank_.example"}, "zone"),
        ({"zone": ".".join(["a" * 60] * 4)}, "zone"),
        ({"zone": "192.0.2.7"}, "zone"),
        ({"key_lifetime_days": 29}, "key_lifetime_days"),
        ({"key_lifetime_days": 3651}, "key_lifetime_days"),
        ({"overlap_days": 0}, "overlap_days"),
        ({"overlap_days": 91}, "overlap_days"),
        ({"profiles": {"root": {"days": 1}}}, "profiles"),
        ({"profiles": {"device": {"max_days": 398}}}, "profiles"),
        ({"profiles": {"device": {"max_days": 0, "days": 0}}}, "profiles"),
        ({"profiles": {"device": {"max_days": 10, "days": 11}}}, "profiles"),
        ({"profiles": {"device": {"days": True}}}, "profiles"),
        ({"profiles": {"device": {"days": "30"}}}, "profiles"),
        ({"profiles": {"device": {"purposes": []}}}, "profiles"),
        ({"profiles": {"device": {"purposes": ["server-auth"]}}}, "profiles"),
        ({"profiles": {"device": {"keys": []}}}, "profiles"),
        ({"profiles": {"device": {"keys": ["rsa-1024"]}}}, "profiles"),
        ({"profiles": {"device": {"keys": "p256"}}}, "profiles"),
        ({"profiles": {"device": {"ca": True}}}, "profiles"),
    ],
)
def test_what_would_not_lint_or_is_wider_is_refused_at_its_field(
    cleo: User, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        change(cleo, **values)
    assert [problem.field for problem in refused.value.fields] == [field]
    assert ApprovalRequest.objects.count() == 0


def test_a_narrower_profile_is_what_certificates_get(bank: Bank, cleo: User, avi: User) -> None:
    said = {"device": {"max_days": 90, "days": 30, "keys": ["p256", "p384"], "purposes": ["client-auth"]}}
    policy = changed(cleo, avi, profiles=said)
    assert policy.profiles == {"device": {"days": 30, "keys": ["p256", "p384"], "max_days": 90}}
    profile = profile_of(policy, "device")
    assert (profile.days, profile.max_days, profile.keys) == (30, 90, frozenset({"p256", "p384"}))
    certificate = certify(make_device(make_customer(bank)))
    assert (certificate.not_after - certificate.not_before).days == 29  # both ends count


@pytest.mark.parametrize(
    "values",
    [
        {"organisation": "x" * 64, "unit": "y" * 64},
        {"organisation": "Båten & Sønn «Bank»", "unit": "端末"},
        {"zone": "a.b"},
        {"zone": "devices." + ".".join(["a" * 62] * 3)},
        {"country": "ZZ"},
    ],
)
def test_every_accepted_value_lints(bank: Bank, cleo: User, avi: User, values: dict[str, str]) -> None:
    changed(cleo, avi, **values)
    for kind in ("p256", "ed25519"):
        assert certify(make_device(make_customer(bank)), kind=kind).der


def test_a_change_of_one_bank_is_no_other_banks(cleo: User, avi: User) -> None:
    other = make_bank()
    make_ca(other)
    changed(cleo, avi, unit="Ours")
    assert policy_of(other.pk).unit == ""


def test_the_approved_change_is_part_of_the_decision(cleo: User, avi: User, bank: Bank) -> None:
    """It is carried out inside the transaction of the decision: rolled back together, both are gone."""
    request = asked(cleo, unit="Both")
    with transaction.atomic():
        approve(avi, request)
        transaction.set_rollback(True)
    assert policy_of(bank.pk).unit == ""
    request.refresh_from_db()
    assert request.state == RequestState.PENDING


def test_narrowing_has_one_spelling() -> None:
    assert narrowed({}) == {}
    assert narrowed({"device": {"keys": ["p384", "p256"], "days": 365}}) == {"device": {"keys": ["p256", "p384"]}}
