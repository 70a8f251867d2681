"""Authorities: the first ones of a bank, and what is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from pki.models import CertificateAuthority, CertificatePolicy
from pki.operations import authority_making
from pki.operations.authority_making import AuthorityFacts
from pki.operations.hierarchy import (
    BankSetUp,
    Hierarchy,
    create_issuing,
    create_root,
    end_retired,
    set_up_bank,
)
from pki.operations.roll_over import order_roll_over
from pki.operations.roll_over_work import carry_out
from pki.states import CaRole, CaState
from pki.tests.factories import certify
from pki.tests.outside import needs_openssl, openssl
from pki.x509.pem import pem_of
from portal import jobs
from portal.accounts.models import Bank
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, Unavailable
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEM = Actor.system("test")


def wanted(**values: str) -> BankSetUp:
    return BankSetUp(**({"country": "NG", "organisation": "Harbour Bank"} | values))


def set_up(bank: Bank, **values: str) -> Hierarchy:
    return set_up_bank(actor=SYSTEM, bank=bank, wanted=wanted(**values))


def facts(name: str = "Root", key: str = "p256", **values: Any) -> AuthorityFacts:
    return AuthorityFacts(name=name, country="NG", organisation="Harbour Bank", key=key, **values)


def test_a_bank_gets_a_root_an_authority_and_a_policy() -> None:
    bank = make_bank("harbour")
    with jobs.recorded() as rung:
        made = set_up(bank, zone="devices.harbour.example")
        assert [(ring.name, ring.pk) for ring in rung] == [
            ("pki.publish_crl", str(made.root.pk)),
            ("pki.publish_crl", str(made.issuing.pk)),
        ]
    assert made.made == (made.root, made.issuing)
    assert (made.root.name, made.issuing.name) == ("Harbour Bank Root", "Harbour CA 1")
    root, issuing = (x509.load_der_x509_certificate(bytes(each.der)) for each in (made.root, made.issuing))
    issuing.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    policy = CertificatePolicy.objects.get(bank=bank)
    assert (policy.organisation, policy.country, policy.zone) == ("Harbour Bank", "NG", "devices.harbour.example")
    assert list(AuditEvent.objects.order_by("id").values_list("event", "object_id")) == [
        ("ca.started", str(made.root.pk)),
        ("ca.created", str(made.root.pk)),
        ("ca.started", str(made.issuing.pk)),
        ("ca.created", str(made.issuing.pk)),
    ]


def test_a_repeat_makes_nothing_whatever_it_wants() -> None:
    bank = make_bank()
    first = set_up(bank)
    again = set_up(bank, key="rsa-2048", country="??")
    assert (again.root, again.issuing, again.made) == (first.root, first.issuing, ())
    assert AuditEvent.objects.count() == 4


def test_a_serial_is_written_down_before_anything_is_signed_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority_making, "issue", lambda *_: 1 / 0)  # it dies while the key signs
    with pytest.raises(ZeroDivisionError):
        create_root(actor=SYSTEM, facts=facts())
    event = AuditEvent.objects.get()
    assert (event.event, '"serial":"' in event.data, CertificateAuthority.objects.count()) == ("ca.started", True, 0)


def test_a_second_bank_is_under_the_same_root() -> None:
    first, second = set_up(make_bank()), set_up(make_bank())
    assert second.root == first.root
    assert second.made == (second.issuing,)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"country": "ng"}, "country"),
        ({"country": ""}, "country"),
        ({"organisation": "x" * 65}, "organisation"),
        ({"organisation": " Bank"}, "organisation"),
        ({"zone": "harbour"}, "zone"),
        ({"zone": "Devices.harbour.example"}, "zone"),
        ({"zone": "-.example"}, "zone"),
        ({"zone": "10.0.0.1"}, "zone"),
        ({"key": "rsa-1024"}, "key"),
        ({"root_key": "p521"}, "key"),
        ({"keystore": "cloud"}, "keystore"),
    ],
)
def test_what_would_not_lint_is_refused_at_its_field_before_a_key_is_made(
    values: dict[str, str], field: str, settings: Any, tmp_path: Any
) -> None:
    settings.CA_DIR = tmp_path / "ca"
    with pytest.raises(InvalidInput) as refused:
        set_up(make_bank(), **values)
    assert field in [problem.field for problem in refused.value.fields]
    assert CertificateAuthority.objects.count() == AuditEvent.objects.count() == 0
    assert not (tmp_path / "ca").exists()


def test_a_name_that_no_certificate_can_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lint-"):
        create_root(actor=SYSTEM, facts=facts(name="x" * 65))
    assert CertificateAuthority.objects.count() == 0


def test_a_root_whose_key_is_not_there_signs_nothing(settings: Any, tmp_path: Path) -> None:
    root = create_root(actor=SYSTEM, facts=facts())
    settings.CA_DIR = tmp_path  # as on a machine that nobody gave the keys to
    with pytest.raises(Unavailable, match="The key does not sign: there is no key file by this name"):
        create_issuing(actor=SYSTEM, bank=make_bank(), parent=root, facts=facts("Issuing"))
    assert CertificateAuthority.objects.count() == 1


def test_there_is_one_root_that_signs() -> None:
    create_root(actor=SYSTEM, facts=facts())
    with pytest.raises(Conflict) as refused:
        create_root(actor=SYSTEM, facts=facts("Another"))
    assert (refused.value.code, CertificateAuthority.objects.count()) == ("root-exists", 1)


def test_only_an_active_root_signs_authorities() -> None:
    bank = make_bank()
    made = set_up(bank)
    with pytest.raises(InvalidState) as refused:
        create_issuing(actor=SYSTEM, bank=make_bank(), parent=made.issuing, facts=facts("Another"))
    assert refused.value.code == "root-needed"
    with pytest.raises(Conflict) as conflict:
        create_issuing(actor=SYSTEM, bank=bank, parent=made.root, facts=facts("Another"))
    assert conflict.value.code == "authority-exists"


@needs_openssl
@pytest.mark.parametrize(
    ("root_key", "key"), [("ed25519", "ed25519"), ("rsa-2048", "p256"), ("p384", "rsa-2048"), ("p256", "p384")]
)
def test_every_kind_of_key_makes_a_chain_that_openssl_takes(root_key: str, key: str, tmp_path: Path) -> None:
    bank = make_bank()
    made = set_up(bank, root_key=root_key, key=key)
    leaf = certify(make_device(make_customer(bank)))
    for name, der in {"root": made.root.der, "issuing": made.issuing.der, "leaf": leaf.der}.items():
        (tmp_path / f"{name}.pem").write_text(pem_of(bytes(der or b"")))
    files = ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"]
    assert openssl("verify", "-x509_strict", *files, folder=tmp_path) == "leaf.pem: OK\n"


def test_an_authority_does_not_outlive_its_root() -> None:
    root = create_root(actor=SYSTEM, facts=facts(days=100))
    made = create_issuing(actor=SYSTEM, bank=make_bank(), parent=root, facts=facts("Issuing", days=200))
    assert made.not_after == root.not_after


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.APPROVER, Role.ADMINISTRATOR])
def test_staff_without_the_right_make_none(role: Role) -> None:
    bank = make_bank()
    with pytest.raises(Forbidden):
        set_up_bank(actor=staff_actor(make_staff(bank, role)), bank=bank, wanted=wanted())
    assert CertificateAuthority.objects.count() == 0


def test_staff_make_none_for_another_bank() -> None:
    with pytest.raises(Forbidden):
        set_up_bank(
            actor=staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER)), bank=make_bank(), wanted=wanted()
        )
    assert CertificateAuthority.objects.count() == 0


def test_of_many_calls_at_once_one_makes_it() -> None:
    bank = make_bank()
    outcomes = race(8, lambda _: set_up(bank))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert sum(len(outcome.made) for outcome in outcomes if isinstance(outcome, Hierarchy)) == 2
    assert CertificateAuthority.objects.filter(role=CaRole.ROOT).count() == 1
    assert CertificateAuthority.objects.filter(role=CaRole.ISSUING).count() == 1
    assert AuditEvent.objects.filter(event="ca.created").count() == 2


def test_a_retired_authority_ends_when_everything_it_signed_has_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = make_bank()
    old = set_up(bank).issuing
    certificate = certify(make_device(make_customer(bank)), days=10)
    order = order_roll_over(actor=Actor.system("x", bank_id=bank.pk), authority_id=old.public_id, reason="Yearly")
    assert carry_out(order.pk)
    now = clock.now()
    for days, ended in ((0, 0), (11, 0), (39, 0), (41, 1), (42, 0)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        assert end_retired(actor=SYSTEM) == ended
    old.refresh_from_db()
    assert old.state == CaState.ENDED
    assert AuditEvent.objects.filter(event="ca.ended", object_id=str(old.pk)).count() == 1
    assert certificate.authority_id == old.pk
