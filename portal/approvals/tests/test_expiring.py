"""Requests that nobody decided in time."""

from datetime import timedelta

import pytest
import time_machine

from portal.approvals import lapse
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tasks import expire
from portal.approvals.tests.asking import People, asked, reject, told
from portal.audit.models import AuditEvent


def test_the_sweep_closes_them_once_and_says_so_at_the_object(people: People) -> None:
    request = asked(people)
    assert lapse.expire_requests() == 0
    with time_machine.travel(request.expires_at):
        assert lapse.expire_requests() == 1
        assert lapse.expire_requests() == 0
    request.refresh_from_db()
    assert (request.state, request.decided_by) == (RequestState.EXPIRED, None)
    assert request.closed_at is not None
    assert told(people.phone)[-1] == ("approval.expired", "approvals.expire")
    event = AuditEvent.objects.get(event="approval.expired")
    assert (event.bank_id, event.actor_kind) == (people.bank.pk, "system")


def test_decided_ones_stay_as_they_are(people: People) -> None:
    request = reject(people.avi, asked(people))
    with time_machine.travel(request.expires_at + timedelta(days=1)):
        assert lapse.expire_requests() == 0
    assert ApprovalRequest.objects.get().state == RequestState.REJECTED


def test_a_large_number_goes_in_batches(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapse, "BATCH", 2)
    first = asked(people)
    for number in range(4):
        copy = ApprovalRequest.objects.get(pk=first.pk)
        copy.pk, copy.object_id, copy.payload_digest = None, str(number), f"{number:064}"
        copy.id = type(copy)._meta.get_field("id").get_default()
        copy.save(force_insert=True)
    with time_machine.travel(first.expires_at):
        assert [lapse.expire_requests() for _ in range(4)] == [2, 2, 1, 0]


def test_of_two_nodes_one_sweeps(people: People) -> None:
    request = asked(people)
    with time_machine.travel(request.expires_at, tick=False):
        expire()
        expire()
    assert AuditEvent.objects.filter(event="approval.expired").count() == 1
