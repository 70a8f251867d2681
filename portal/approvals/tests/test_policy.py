"""What a bank wants a second person for is changed by two people itself."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.operations.activation import deactivate_device
from devices.tests.factories import bank_actor, make_bank, make_customer, make_device, make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals import payloads
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.policy import Policy, change_policy, policy_of
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import People, approve, ask, reject, stored, told
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput

WISH: dict[str, Any] = {
    "required": ["device.activate", "device.deactivate"],
    "bulk_threshold": 3,
    "reason": "After the audit",
}


@pytest.fixture
def cleo(people: People) -> User:
    """The security officer, who may ask for a change."""
    return make_staff(people.bank, Role.SECURITY_OFFICER, "Cleo")


def wish(person: User, **values: Any) -> ApprovalRequest:
    with pytest.raises(ApprovalRequired) as waits:
        change_policy(actor=signed_in(person), **(WISH | values))
    return stored(waits.value.request_id)


def test_nobody_has_changed_it_yet(people: People) -> None:
    assert policy_of(people.bank.pk) == policy_of(None) == Policy(frozenset(), 10)


def test_a_change_waits_and_then_counts(people: People, cleo: User) -> None:
    request = wish(cleo)
    assert policy_of(people.bank.pk) == Policy()
    assert payloads.open_payload(request).arguments == WISH
    assert approve(people.avi, request).state == RequestState.DONE
    assert policy_of(people.bank.pk) == Policy(frozenset(WISH["required"]), 3)
    assert [event for event, _ in told(people.bank)] == [
        "approval.requested",
        "approval.granted",
        "approval-policy.changed",
    ]
    changed = AuditEvent.objects.get(event="approval-policy.changed")
    assert (changed.actor_id, changed.reason, changed.bank_id) == (str(cleo.pk), "After the audit", people.bank.pk)
    phone = make_device(people.ada)
    assert ask(bank_actor(people.bank), phone, operation=deactivate_device).state == RequestState.PENDING
    cem = make_device(make_customer(make_bank(), "Cem"))
    assert deactivate_device(actor=bank_actor(cem.bank), device_id=str(cem.pk)).changed


def test_loosening_it_waits_too(people: People, cleo: User) -> None:
    approve(people.avi, wish(cleo))
    request = wish(cleo, required=[], bulk_threshold=200)
    assert policy_of(people.bank.pk).required == frozenset(WISH["required"])
    approve(people.avi, request)
    assert policy_of(people.bank.pk) == Policy(frozenset(), 200)


def test_a_no_leaves_it(people: People, cleo: User) -> None:
    reject(people.avi, wish(cleo))
    assert ApprovalPolicy.objects.count() == 0


def test_one_change_at_a_time(people: People, cleo: User) -> None:
    wish(cleo)
    with pytest.raises(Conflict) as refusal:
        change_policy(actor=signed_in(cleo), **(WISH | {"bulk_threshold": 4}))
    assert refusal.value.code == "approval-pending"


def test_what_is_so_already_asks_nobody(people: People, cleo: User) -> None:
    assert change_policy(actor=signed_in(cleo), required=[], bulk_threshold=10, reason="Again") == Policy()
    assert (ApprovalRequest.objects.count(), AuditEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_without_the_right_nobody_asks(people: People, role: str) -> None:
    person = make_staff(people.bank, role, "Dan", is_superuser=True)
    for actor in (signed_in(person), bank_actor(people.bank)):
        with pytest.raises(Forbidden) as refusal:
            change_policy(actor=actor, **WISH)
        assert refusal.value.code == "capability-missing"
    assert ApprovalRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"required": ["approvals.policy"]}, ("required", "unknown-enum")),
        ({"required": ["device.unknown"]}, ("required", "unknown-enum")),
        ({"bulk_threshold": 0}, ("bulk_threshold", "out-of-range")),
        ({"bulk_threshold": 201}, ("bulk_threshold", "out-of-range")),
        ({"reason": " "}, ("reason", "required")),
        ({"reason": "x" * 501}, ("reason", "max-length")),
    ],
)
def test_a_wrong_wish_is_refused_and_not_stored(
    people: People, cleo: User, values: dict[str, Any], problem: tuple[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        change_policy(actor=signed_in(cleo), **(WISH | values))
    assert [(one.field, one.code) for one in refusal.value.fields] == [problem]
    assert ApprovalRequest.objects.count() == 0


def test_a_command_changes_it_with_a_second_person_too(people: People) -> None:
    with pytest.raises(ApprovalRequired):
        change_policy(actor=Actor.system("set-up", bank_id=people.bank.pk), **WISH)
    assert ApprovalPolicy.objects.count() == 0


def test_the_banks_row_stays_free_for_those_who_refer_to_it(people: People, cleo: User) -> None:
    """Whoever registers a device meanwhile does not wait for the change of a policy."""
    with CaptureQueriesContext(connection) as queries:
        wish(cleo)
    locks = [query["sql"] for query in queries if 'FROM "accounts_bank"' in query["sql"] and "FOR " in query["sql"]]
    assert [lock.endswith("FOR NO KEY UPDATE") for lock in locks] == [
        True
    ] * connection.features.has_select_for_update
