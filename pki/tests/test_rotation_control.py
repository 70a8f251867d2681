"""Pausing, resuming and slowing down an authority's rotations."""

from typing import Any

import pytest

from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from pki.models import Certificate, CertificateAuthority
from pki.operations.rotation_control import pause_rotations, resume_rotations, set_rotation_rate
from pki.operations.rotation_sweeps import plan_rotations
from pki.tests.factories import certify, make_ca
from pki.tests.rotating import due, events, later, worked
from portal import jobs
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def authority() -> CertificateAuthority:
    return make_ca(make_bank())


@pytest.fixture
def officer(authority: CertificateAuthority) -> Actor:
    assert authority.bank is not None
    return staff_actor(make_staff(authority.bank, Role.SECURITY_OFFICER))


def old_one(authority: CertificateAuthority) -> Certificate:
    assert authority.bank is not None
    return certify(make_device(make_customer(authority.bank)))


def test_while_they_are_paused_nothing_is_renewed_and_nothing_is_lost(
    authority: CertificateAuthority, officer: Actor
) -> None:
    old = old_one(authority)
    pause_rotations(actor=officer, authority_id=authority.pk, reason="the token is being moved")
    pause_rotations(actor=officer, authority_id=authority.pk, reason="again")
    with later(due(old)):
        assert plan_rotations() == 1
        assert worked() == 0
        with jobs.recorded() as rings:
            resume_rotations(actor=officer, authority_id=authority.pk, reason="moved")
            resume_rotations(actor=officer, authority_id=authority.pk, reason="again")
            assert [ring.name for ring in rings] == ["pki.rotate_batch"]
        assert worked() == 1
    said = AuditEvent.objects.filter(event__in=["rotation.paused", "rotation.resumed"]).order_by("id")
    assert list(said.values_list("event", "reason")) == [
        ("rotation.paused", "the token is being moved"),
        ("rotation.resumed", "moved"),
    ]


def test_the_rate_is_changed_with_its_reason(authority: CertificateAuthority, officer: Actor) -> None:
    for _ in range(2):
        set_rotation_rate(actor=officer, authority_id=authority.pk, rate=30, reason="a slow token")
    authority.refresh_from_db()
    assert authority.rotation_rate == 30
    assert events("rotation-rate.") == ["rotation-rate.changed"]


@pytest.mark.parametrize(
    ("operation", "values"),
    [(pause_rotations, {}), (resume_rotations, {}), (set_rotation_rate, {"rate": 5})],
)
def test_who_may_not(authority: CertificateAuthority, officer: Actor, operation: Any, values: dict[str, int]) -> None:
    assert authority.bank is not None
    bea = staff_actor(make_staff(authority.bank, Role.OPERATOR))
    stranger = staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER))

    def code(actor: Actor, **changed: Any) -> str:
        with pytest.raises(DomainError) as error:
            operation(**{"actor": actor, "authority_id": authority.pk, "reason": "so", **values, **changed})
        return error.value.code

    assert code(bea) == "capability-missing"
    assert code(stranger) == "not-found"
    assert code(officer, authority_id=authority.parent_id) == "not-found"
    assert code(officer, reason=" ") == "invalid-input"
    if values:
        assert code(officer, rate=0) == "invalid-input"
        assert code(officer, rate=60_001) == "invalid-input"
    CertificateAuthority.objects.filter(pk=authority.pk).update(state="RETIRING")
    assert code(officer) == "authority-not-active"
    assert events("rotation") == []
