"""What the database itself refuses, whoever writes."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from devices.tests.factories import make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import People, asked
from portal.approvals.tests.test_tampering import in_sql
from portal.core import clock


def refused(request: ApprovalRequest, constraint: str, **values: Any) -> None:
    before = ApprovalRequest.objects.values().get(pk=request.pk)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        in_sql(request, **values)
    assert ApprovalRequest.objects.values().get(pk=request.pk) == before


@pytest.mark.parametrize("state", ["DONE", "FAILED", "REJECTED"])
@pytest.mark.parametrize("superuser", [False, True])
def test_who_asked_is_never_who_decided(people: People, state: str, superuser: bool) -> None:
    request = asked(people)
    User.objects.filter(pk=people.bea.pk).update(is_superuser=superuser)
    values = {"state": state, "closed_at": clock.now(), "decision_reason": "Yes"}
    refused(request, "approval_maker_is_not_checker", decided_by=people.bea.pk, **values)
    in_sql(request, decided_by=make_staff(people.bank, Role.APPROVER, "Dan").pk, **values)


def test_a_decision_has_a_person_a_time_and_a_reason(people: People) -> None:
    request = asked(people)
    decided = {"state": "REJECTED", "closed_at": clock.now(), "decided_by": people.avi.pk, "decision_reason": "No"}
    refused(request, "approval_decided_by_somebody", **(decided | {"decided_by": None}))
    refused(request, "approval_closed_has_time", **(decided | {"closed_at": None}))
    refused(request, "approval_decision_has_reason", **(decided | {"decision_reason": ""}))
    in_sql(request, **decided)


@pytest.mark.parametrize("state", ["PENDING", "EXPIRED", "WITHDRAWN"])
def test_nobody_decided_what_was_not_decided(people: People, state: str) -> None:
    closed_at = None if state == "PENDING" else clock.now()
    values = {"state": state, "closed_at": closed_at, "decision_reason": "Yes"}
    refused(asked(people), "approval_decided_by_somebody", decided_by=people.avi.pk, **values)


def test_states_are_known_and_an_open_request_has_no_end(people: People) -> None:
    request = asked(people)
    refused(request, "approval_state_known", state="APPROVED", closed_at=clock.now())
    refused(request, "approval_closed_has_time", closed_at=clock.now())
    refused(request, "approval_ends_after_it_began", expires_at=request.created_at)


@pytest.mark.parametrize("kind", ["customer", "merchant", "anonymous"])
def test_only_some_may_ask(people: People, kind: str) -> None:
    refused(asked(people), "approval_maker_may_ask", maker_kind=kind)


def test_staff_who_ask_are_people(people: People) -> None:
    refused(asked(people), "approval_staff_maker_is_a_person", maker_user=None)


def test_one_open_request_per_payload_and_per_object(people: People) -> None:
    first = asked(people)
    # PostgreSQL names the constraint, SQLite the columns.
    for values, says in (
        ({"object_id": "other"}, "approval_one_open_per_payload|payload_digest"),
        ({"payload_digest": "0" * 64}, "approval_one_open_per_object|object_id"),
    ):
        twin = ApprovalRequest.objects.get(pk=first.pk)
        twin.id = ApprovalRequest._meta.get_field("id").get_default()
        for name, value in values.items():
            setattr(twin, name, value)
        with pytest.raises(IntegrityError, match=says), transaction.atomic():
            twin.save(force_insert=True)
        twin.state, twin.closed_at = RequestState.WITHDRAWN, clock.now()
        twin.save(force_insert=True)
    assert ApprovalRequest.objects.open().count() == 1


@pytest.mark.parametrize("threshold", [0, 201])
def test_a_threshold_is_sane(people: People, threshold: int) -> None:
    with pytest.raises(IntegrityError, match="approval_policy_threshold_sane"), transaction.atomic():
        ApprovalPolicy.objects.create(bank=people.bank, bulk_threshold=threshold, updated_at=clock.now())
