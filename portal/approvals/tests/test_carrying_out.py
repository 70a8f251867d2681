"""What happens when an approved request is carried out: the maker as they are then, and the operation's own no."""

from dataclasses import replace
from functools import partial

import pytest

from devices.models import Device
from devices.operations.activation import activate_device, unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import make_application
from portal.accounts.actors import client_actor
from portal.accounts.models import Application, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in, suspend
from portal.approvals.models import ApprovalRequest
from portal.approvals.registry import _OPERATIONS, registered
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import (
    WHY,
    People,
    approve,
    ask,
    asked,
    refused,
    status_of,
    told,
)
from portal.audit.models import AuditEvent
from portal.core.actor import Channel
from portal.core.errors import (
    Conflict,
    SecondPersonNeeded,
    Unavailable,
)

# The maker, as they are when it runs.


def fails(people: People, request: ApprovalRequest, code: str) -> None:
    """Approved, the request ends as FAILED by this rule; the device stays as it is."""
    before = Device.objects.values().get(pk=people.phone.pk)
    closed = approve(people.avi, request)
    assert (closed.state, closed.error_code, closed.result) == (RequestState.FAILED, code, {})
    assert closed.error_message
    assert Device.objects.values().get(pk=people.phone.pk) == before
    failed = AuditEvent.objects.get(event="approval.failed")
    assert (failed.actor_id, failed.object_id) == (str(people.avi.pk), str(people.phone.pk))
    assert f'"error":"{code}"' in failed.data


def test_a_maker_who_was_suspended_meanwhile(people: People) -> None:
    request = asked(people)
    User.objects.filter(pk=people.bea.pk).update(is_active=False)
    fails(people, request, "maker-gone")
    assert [event for event, _ in told(people.phone)][-2:] == ["approval.granted", "approval.failed"]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.ADMINISTRATOR, Role.APPROVER])
def test_a_maker_who_lost_the_right_meanwhile(people: People, role: str) -> None:
    request = asked(people)
    User.objects.filter(pk=people.bea.pk).update(role=role)
    fails(people, request, "capability-missing")


def test_a_banks_server_that_was_suspended_meanwhile(people: People) -> None:
    application = make_application(people.bank, "bank")
    request = ask(client_actor(application, channel=Channel.ASSECO), people.phone, operation=unregister_device)
    suspend(application)
    fails(people, request, "maker-gone")


@pytest.mark.parametrize("left", [{"allowed_scopes": []}, {"dialects": ["adiba"]}])
def test_a_banks_server_that_lost_its_scope_or_dialect_meanwhile(people: People, left: dict[str, list[str]]) -> None:
    application = make_application(people.bank, "bank")
    request = ask(client_actor(application, channel=Channel.ASSECO), people.phone, operation=unregister_device)
    Application.objects.filter(pk=application.pk).update(**left)
    fails(people, request, "maker-gone")


# The operation's own no.


def test_the_operation_refuses_when_it_runs_and_nothing_of_it_stays(people: People) -> None:
    request = asked(people)
    Device.objects.filter(pk=people.phone.pk).update(
        status=DeviceStatus.RETIRED, held_by="", retired_at=people.phone.updated_at
    )
    fails(people, request, "device-status-not-valid")


def test_what_it_wrote_before_it_refused_is_rolled_back(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(people)
    monkeypatch.setattr("devices.operations.activation.tell_owner", _late_no)
    fails(people, request, "late")
    assert not AuditEvent.objects.filter(event="device.unblocked").exists()


def _late_no(*args: object) -> None:
    raise Conflict("Too late.", code="late")


def test_a_yes_that_does_not_cover_all_of_it_is_no_half_yes(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(people)
    known = registered("device.activate")
    assert known is not None

    def asks_again(**arguments: object) -> None:
        raise SecondPersonNeeded("Another step takes one too.", about=people.phone)

    monkeypatch.setitem(_OPERATIONS, "device.activate", replace(known, operation=asks_again))
    fails(people, request, "needs-second-person")
    assert ApprovalRequest.objects.count() == 1


def test_an_operation_that_this_release_does_not_know(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(people)
    monkeypatch.delitem(_OPERATIONS, "device.activate")
    fails(people, request, "operation-unknown")


def test_arguments_that_the_operation_no_longer_takes(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(people)
    known = registered("device.activate")
    assert known is not None

    def takes_other(*, actor: object, device: str) -> None:
        raise AssertionError("it ran")

    monkeypatch.setitem(_OPERATIONS, "device.activate", replace(known, operation=takes_other))
    fails(people, request, "payload-outdated")


def test_when_something_does_not_answer_nothing_is_decided(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: object) -> None:
        raise Unavailable

    request = asked(people)
    with monkeypatch.context() as broken:
        broken.setattr("devices.operations.activation.tell_owner", gone)
        refused(people, Unavailable, "unavailable", partial(approve, people.avi, request))
    assert approve(people.avi, request).state == RequestState.DONE


def test_an_approval_is_good_for_that_one_run(people: People) -> None:
    approve(people.avi, asked(people))
    Device.objects.filter(pk=people.phone.pk).update(status="BLOCKED", held_by="bank")
    again = asked(people)
    assert (again.state, status_of(people.phone)) == (RequestState.PENDING, DeviceStatus.BLOCKED)


def test_done_by_somebody_meanwhile_it_is_quiet(people: People) -> None:
    """The device is active already when the yes comes: what was asked for is so."""
    request = asked(people)
    Device.objects.filter(pk=people.phone.pk).update(status=DeviceStatus.ACTIVE, held_by="")
    closed = approve(people.avi, request)
    assert (closed.state, closed.result["changed"]) == (RequestState.DONE, False)
    assert not activate_device(actor=signed_in(people.bea), device_id=str(people.phone.pk), reason=WHY).changed
