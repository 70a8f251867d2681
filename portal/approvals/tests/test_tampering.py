"""Rows that somebody changes in the database: a request is carried out as it was asked for, or not at all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, models

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_device, make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals import queries
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import People, approve, ask, asked, reject, stored, withdraw
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict


def in_sql(request: ApprovalRequest, **values: Any) -> None:
    """Change columns past every rule of ours."""
    table = ApprovalRequest._meta.db_table
    fields = {name: ApprovalRequest._meta.get_field(name) for name in values}
    assert all(isinstance(field, models.Field) for field in fields.values())
    sets = ", ".join(f'"{field.column}" = %s' for field in fields.values())  # type: ignore[union-attr]
    key = ApprovalRequest._meta.pk
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table}" SET {sets} WHERE "id" = %s',
            [
                *(fields[name].get_db_prep_value(value, connection) for name, value in values.items()),  # type: ignore[union-attr]
                key.get_db_prep_value(request.pk, connection),
            ],
        )


type Other = Callable[[People, ApprovalRequest], Any]
# What each column that is set when a request is made might be changed to.
OTHERS: dict[str, Other] = {
    "operation": lambda people, request: "device.unregister",
    "payload_sealed": lambda people, request: request.payload_sealed[:-4] + "AAAA",
    "payload_digest": lambda people, request: "0" * 64,
    "object_type": lambda people, request: "user",
    "object_id": lambda people, request: str(uuid4()),
    "object_label": lambda people, request: "Somebody's watch",
    "exclusive": lambda people, request: False,
    "maker_kind": lambda people, request: "system",
    "maker_id": lambda people, request: str(uuid4()),
    "maker_user": lambda people, request: make_staff(people.bank, Role.OPERATOR, "Dan").pk,
    "maker_label": lambda people, request: "Dan",
    "channel": lambda people, request: "command",
    "reason": lambda people, request: "Because",
    "created_at": lambda people, request: request.created_at - timedelta(hours=1),
    "expires_at": lambda people, request: request.expires_at + timedelta(hours=1),
}
# Columns of the end, and the two that decide who finds the row at all; each has a test of its own below.
ENDS = {"state", "closed_at", "decided_by", "decision_reason", "result", "error_code", "error_message"}
KEYS = {"id", "bank"}


def test_every_column_is_looked_at() -> None:
    assert {field.name for field in ApprovalRequest._meta.fields} == {*OTHERS, *ENDS, *KEYS}


def not_carried_out(people: People, request: ApprovalRequest, checker: User | None = None) -> None:
    """Approved as its page shows it, it fails as changed, and the device stays blocked."""
    shown = queries.shown(signed_in(checker or people.avi), request)
    assert (shown.payload, shown.preview) == (None, [])
    closed = approve(checker or people.avi, request)
    assert (closed.state, closed.error_code) == (RequestState.FAILED, "payload-changed")
    assert Device.objects.get(pk=people.phone.pk).status == DeviceStatus.BLOCKED
    assert [event.event for event in AuditEvent.objects.filter(event__startswith="device.")] == []
    assert AuditEvent.objects.filter(event="approval.failed").count() == 1


@pytest.mark.parametrize("column", OTHERS)
def test_a_changed_column_stops_it(people: People, column: str) -> None:
    request = asked(people)
    in_sql(request, **{column: OTHERS[column](people, request)})
    not_carried_out(people, stored(request.public_id))


def test_the_digest_that_was_shown_does_not_fit_a_payload_exchanged_since(people: People) -> None:
    """Both sealed texts are ours, and their digests: put together anew they are still refused."""
    request = asked(people)
    seen = request.payload_digest
    retire = ask(signed_in(people.bea), make_device(people.ada, DeviceStatus.BLOCKED))
    in_sql(retire, payload_digest="1" * 64)
    in_sql(request, payload_sealed=retire.payload_sealed, payload_digest=retire.payload_digest)
    with pytest.raises(Conflict) as refusal:
        approve(people.avi, request, seen=seen)
    assert refusal.value.code == "payload-changed"
    not_carried_out(people, stored(request.public_id))


def test_who_asked_does_not_become_somebody_else(people: People) -> None:
    """Bea writes Dan over herself, so that she may approve: the seal remembers her."""
    request = asked(people)
    dan = make_staff(people.bank, Role.OPERATOR, "Dan")
    in_sql(request, maker_user=dan.pk, maker_id=str(dan.pk), maker_label="Dan")
    User.objects.filter(pk=people.bea.pk).update(role=Role.APPROVER)
    people.bea.refresh_from_db()
    not_carried_out(people, stored(request.public_id), people.bea)


def test_another_id_opens_nothing(people: People) -> None:
    request = asked(people)
    in_sql(request, id=UUID(int=7))
    not_carried_out(people, ApprovalRequest.objects.get())


def test_another_bank_opens_nothing(people: People) -> None:
    request = asked(people)
    cem = make_staff(make_bank(), Role.APPROVER, "Cem")
    in_sql(request, bank=cem.bank_id)
    not_carried_out(people, stored(request.public_id), cem)


@pytest.mark.parametrize("end", [approve, reject, withdraw])
def test_what_has_ended_does_not_open_again(people: People, end: Callable[..., ApprovalRequest]) -> None:
    request = asked(people)
    end(people.bea if end is withdraw else people.avi, request)
    Device.objects.filter(pk=people.phone.pk).update(status="BLOCKED", held_by="bank")
    in_sql(request, state="PENDING", closed_at=None, decided_by=None)
    again = stored(request.public_id)
    assert again.is_open
    assert queries.shown(signed_in(people.avi), again).payload is None
    closed = approve(people.avi, again)
    assert (closed.state, closed.error_code) == (RequestState.FAILED, "payload-changed")
    assert Device.objects.get(pk=people.phone.pk).status == DeviceStatus.BLOCKED


@pytest.mark.parametrize("state", ["DONE", "FAILED", "REJECTED", "EXPIRED", "WITHDRAWN"])
def test_a_state_written_by_hand_runs_nothing(people: People, state: str) -> None:
    request = asked(people)
    decided = state in {"DONE", "FAILED", "REJECTED"}
    in_sql(
        request,
        state=state,
        closed_at=request.created_at,
        decided_by=people.avi.pk if decided else None,
        decision_reason="Forged" if decided else "",
    )
    assert stored(request.public_id).standing == state
    with pytest.raises(Exception, match="decided"):
        approve(people.avi, request)
    assert Device.objects.get(pk=people.phone.pk).status == DeviceStatus.BLOCKED


def test_results_written_before_the_decision_are_written_over(people: People) -> None:
    request = asked(people)
    in_sql(
        request, result={"status": "forged"}, error_code="forged", error_message="forged", decision_reason="forged"
    )
    closed = approve(people.avi, stored(request.public_id))
    assert (closed.state, closed.error_code, closed.error_message) == (RequestState.DONE, "", "")
    assert closed.result["status"] == "ACTIVE"
    assert closed.decision_reason != "forged"


def test_a_seal_of_another_request_does_not_fit(people: People) -> None:
    request = asked(people)
    other = ask(signed_in(people.bea), make_device(people.ada, DeviceStatus.BLOCKED))
    in_sql(request, payload_sealed=other.payload_sealed)
    not_carried_out(people, stored(request.public_id))
