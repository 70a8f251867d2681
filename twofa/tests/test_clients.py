"""What a client's approvals rest on: changed by two people where it gets weaker."""

import pytest

from devices.tests.factories import bank_actor, make_application, make_bank, make_staff, staff_actor
from portal.accounts.models import Application
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import approve
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, DomainError, InvalidInput
from twofa.operations.clients import set_approval_proof, set_request_rules
from twofa.tests.asking import events

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Application:
    return make_application(make_bank(), kind="bank")


@pytest.fixture
def admin(client: Application) -> Actor:
    return staff_actor(make_staff(client.bank, Role.ADMINISTRATOR))


def proof_of(client: Application) -> str:
    client.refresh_from_db()
    return client.approval_proof


def test_to_approve_unsigned_takes_two_people(client: Application, admin: Actor) -> None:
    with pytest.raises(ApprovalRequired):
        set_approval_proof(actor=admin, client_id=client.client_id, proof="transaction-id", reason="Old app")
    assert proof_of(client) == "signature"
    waiting = ApprovalRequest.objects.get()
    assert waiting.operation == "client.approval-proof"
    approve(make_staff(client.bank, Role.APPROVER, "Avi"), waiting)
    assert proof_of(client) == "transaction-id"
    before = len(events())
    set_approval_proof(actor=admin, client_id=client.client_id, proof="transaction-id", reason="Again")
    assert len(events()) == before
    set_approval_proof(actor=admin, client_id=client.client_id, proof="signature", reason="New app")
    assert proof_of(client) == "signature"
    assert events()[before:] == [("client.changed", "done", "")]


def test_no_command_does_it_alone(client: Application) -> None:
    with pytest.raises(Conflict):
        set_approval_proof(
            actor=Actor.system("tests"), client_id=client.client_id, proof="transaction-id", reason="Quick"
        )
    assert (proof_of(client), events()) == ("signature", [])


@pytest.mark.parametrize(("proof", "reason"), [("none", "Why not"), ("transaction-id", "")])
def test_a_proof_is_one_of_two_and_has_a_reason(proof: str, reason: str, client: Application, admin: Actor) -> None:
    with pytest.raises(InvalidInput):
        set_approval_proof(actor=admin, client_id=client.client_id, proof=proof, reason=reason)
    assert (proof_of(client), ApprovalRequest.objects.count()) == ("signature", 0)


def test_only_who_manages_the_banks_clients(client: Application) -> None:
    strangers = [
        staff_actor(make_staff(client.bank, Role.OPERATOR)),
        staff_actor(make_staff(make_bank(), Role.ADMINISTRATOR)),
        bank_actor(client.bank),
    ]
    for actor in strangers:
        with pytest.raises(DomainError):
            set_approval_proof(actor=actor, client_id=client.client_id, proof="transaction-id", reason="Mine")
        with pytest.raises(DomainError):
            set_request_rules(
                actor=actor, client_id=client.client_id, number_matching=True, request_seconds=60, reason="Mine"
            )
    assert (proof_of(client), client.number_matching, ApprovalRequest.objects.count()) == ("signature", False, 0)


def test_numbers_and_lifetimes_are_set_by_one_person(client: Application, admin: Actor) -> None:
    rules = {"client_id": client.client_id, "number_matching": True, "request_seconds": 60, "reason": "Safer"}
    for _ in range(2):  # the repeat is quiet
        changed = set_request_rules(actor=admin, **rules)
        assert (changed.number_matching, changed.request_seconds) == (True, 60)
    assert events() == [("client.changed", "done", "")]
    for seconds in (29, 601, -1):
        with pytest.raises(InvalidInput):
            set_request_rules(actor=admin, **{**rules, "request_seconds": seconds})
