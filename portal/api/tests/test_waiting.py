"""Calls that wait for a second person: 202 with a place to ask, at both doors that have such calls."""

import json
from typing import Any

import pytest
import time_machine
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff, make_token
from portal import metrics
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.registry import mounted_as
from portal.api.schema import document
from portal.api.tests.doors import ADIBA, ASSECO, Caller, at_most, nothing_written, refused_once, registered
from portal.approvals.models import ApprovalRequest
from portal.approvals.tests.asking import NO, WHY, YES, approve, reject
from portal.audit.models import AuditEvent
from portal.core.clock import rfc3339

pytestmark = pytest.mark.django_db

UNBLOCK, UNREGISTER = f"{ASSECO}/{{0}}/unblock", f"{ASSECO}/{{0}}/unregister"
UNREGISTER_OTHER = "/v1/device/devices/{0}/unregister"
ASSECO_CALLS = [UNBLOCK, UNREGISTER, UNREGISTER_OTHER]
MESSAGE = "This device is blocked and held by the bank. It takes a second person. The request waits for one."
UNKNOWN = "APR_00000000000000000000000000"


@pytest.fixture
def held(ada: User) -> Device:
    """A phone that the bank blocked."""
    return make_device(ada, DeviceStatus.BLOCKED)


@pytest.fixture
def avi(ada: User) -> User:
    return make_staff(ada.bank, Role.APPROVER, "Avi")


def activation(device: Device, **values: str) -> dict[str, str]:
    return {"deviceId": device.public_id, "action": "ACTIVATE", "reason": WHY, **values}


def events() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "outcome"))


# Asking.


def test_adiba_answers_202_with_a_place_to_ask(server: Caller, held: Device) -> None:
    before = registered()
    response = server.post(ADIBA, activation(held))
    request = ApprovalRequest.objects.get()
    assert (response.status_code, response["Content-Type"]) == (202, "application/json")
    assert response["Location"] == f"/v1/device/approvals/{request.public_id}"
    assert response.json() == {
        "status": "PENDING_APPROVAL",
        "approvalId": request.public_id,
        "deviceId": held.public_id,
        "message": MESSAGE,
        "expiresAt": rfc3339(request.expires_at),
    }
    assert registered() == before
    assert events() == [("approval.requested", "done")]
    assert (request.channel, request.maker_kind, request.reason) == ("adiba", "bank", WHY)


@pytest.mark.parametrize("path", ASSECO_CALLS)
def test_asseco_answers_202_with_a_place_to_ask(path: str, server: Caller, held: Device) -> None:
    before = registered()
    response = server.post(path.format(held.external_id), {"reason": WHY})
    request = ApprovalRequest.objects.get()
    assert response.status_code == 202
    assert response["Location"] == f"/v1/device/approval-requests/{request.public_id}"
    assert response.json() == {
        "approval-id": request.public_id,
        "status": "pending-approval",
        "message": MESSAGE,
    }
    assert registered() == before
    assert events() == [("approval.requested", "done")]


def test_it_is_no_refusal_in_the_metrics_either(
    server: Caller, held: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "count_refusal", lambda dialect, code: counted.append(code))
    assert server.post(ADIBA, activation(held)).status_code == 202
    assert counted == []


def test_a_preference_for_a_body_changes_nothing(server: Caller, held: Device) -> None:
    response = server.post(UNBLOCK.format(held.pk), {"reason": WHY}, Prefer="return=representation")
    assert (response.status_code, "Preference-Applied" in response) == (202, False)


def test_the_same_again_is_the_same_request_and_quiet(server: Caller, held: Device) -> None:
    first = server.post(ADIBA, activation(held))
    with nothing_written():
        again = server.post(ADIBA, activation(held))
    assert (again.status_code, again.content, again["Location"]) == (202, first.content, first["Location"])


def test_a_repeat_by_its_key_gets_the_202_again_whatever_was_decided_since(
    server: Caller, held: Device, avi: User
) -> None:
    first = server.post(ADIBA, activation(held), **{"Idempotency-Key": "k1"})
    approve(avi, ApprovalRequest.objects.get())
    again = server.post(ADIBA, activation(held), **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, again["Location"]) == (202, first.content, first["Location"])
    assert again["Idempotent-Replayed"] == "true"
    assert server.post(ADIBA, activation(held)).json()["newState"] == "ACTIVE"


def test_another_reason_is_refused_while_the_first_waits(server: Caller, held: Device) -> None:
    server.post(ADIBA, activation(held))
    with refused_once("approval-pending", who="core banking"):
        assert server.post(ADIBA, activation(held, reason="Another")).status_code == 409
    with refused_once("approval-pending", who="core banking"):
        response = server.post(UNBLOCK.format(held.pk), {"reason": "Another"})
    assert (response.status_code, response.json()["details"]) == (440, "approval-pending")


def test_who_may_not_do_it_may_not_ask_for_it(caller: Caller, ada: User, held: Device) -> None:
    with refused_once("customer-cannot-activate", who="Ada"):
        assert caller.post(ADIBA, activation(held)).status_code == 403
    sam = make_staff(ada.bank, Role.SUPPORT, "Sam")
    for device_id in (held.public_id, "DEV_unknown"):
        with refused_once("capability-missing", who=f"Sam ({sam.username})"):
            response = Caller(make_token(user=sam)).post(ADIBA, activation(held) | {"deviceId": device_id})
        assert response.status_code == 403
    assert ApprovalRequest.objects.count() == 0


@pytest.mark.parametrize("name", ["adiba", "asseco"])
def test_every_answer_is_as_the_document_says(name: str, server: Caller, held: Device, avi: User) -> None:
    path, template, body, poll = {
        "adiba": (ADIBA, ADIBA, activation(held), "/v1/device/approvals/{approval_id}"),
        "asseco": (
            UNBLOCK.format(held.pk),
            UNBLOCK.format("{device_id}"),
            {"reason": WHY},
            "/v1/device/approval-requests/{approval_id}",
        ),
    }[name]
    mounted = mounted_as(name)
    assert mounted is not None
    paths = json.loads(json.dumps(document(mounted)))
    waits = server.post(path, body)
    answers = [
        (waits, paths["paths"][template]["post"]),
        (server.get(waits["Location"]), paths["paths"][poll]["get"]),
    ]
    approve(avi, ApprovalRequest.objects.get())
    answers.append((server.get(waits["Location"]), paths["paths"][poll]["get"]))
    assert [answer.status_code for answer, _ in answers] == [202, 200, 200]
    for answer, operation in answers:
        schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": paths["components"]}).validate(answer.json())


# Asking what became of it.


def adiba(caller: Caller, approval_id: str) -> Any:
    return caller.get(f"/v1/device/approvals/{approval_id}")


def asseco(caller: Caller, approval_id: str) -> Any:
    return caller.get(f"/v1/device/approval-requests/{approval_id}")


both = pytest.mark.parametrize("ask_after", [adiba, asseco])


@pytest.fixture
def waiting(server: Caller, held: Device) -> ApprovalRequest:
    assert server.post(ADIBA, activation(held)).status_code == 202
    return ApprovalRequest.objects.get()


def test_while_it_waits(server: Caller, held: Device, waiting: ApprovalRequest) -> None:
    with nothing_written(), at_most(2):
        response = adiba(server, waiting.public_id)
    assert (response.status_code, response.json()) == (
        200,
        {
            "approvalId": waiting.public_id,
            "operation": "DEVICE_ACTIVATE",
            "status": "PENDING_APPROVAL",
            "deviceId": held.public_id,
            "reason": WHY,
            "requestedAt": rfc3339(waiting.created_at),
            "expiresAt": rfc3339(waiting.expires_at),
            "closedAt": None,
            "decisionReason": None,
            "result": None,
            "error": None,
        },
    )
    assert asseco(server, waiting.public_id).json() == {
        "approval-id": waiting.public_id,
        "operation": "device-activate",
        "status": "pending-approval",
        "device-id": str(held.pk),
        "reason": WHY,
        "requested-at": rfc3339(waiting.created_at),
        "expires-at": rfc3339(waiting.expires_at),
        "closed-at": None,
        "decision-reason": None,
        "details": None,
        "message": None,
    }


def test_once_it_is_done(server: Caller, held: Device, waiting: ApprovalRequest, avi: User) -> None:
    closed = approve(avi, waiting)
    assert closed.closed_at is not None
    body = adiba(server, waiting.public_id).json()
    assert (body["status"], body["closedAt"], body["decisionReason"]) == ("DONE", rfc3339(closed.closed_at), YES)
    assert body["result"] == {
        "deviceId": held.public_id,
        "status": "ACTIVE",
        "changed": True,
        "sessionsTerminated": 0,
    }
    assert asseco(server, waiting.public_id).json()["status"] == "done"


def test_once_it_is_rejected_or_its_time_is_over(server: Caller, waiting: ApprovalRequest, avi: User) -> None:
    with time_machine.travel(waiting.expires_at):
        body = adiba(server, waiting.public_id)
        assert body.status_code == 401  # the token's time is over too
        fresh = Caller(make_token(user=make_staff(avi.bank, Role.OPERATOR)))
        body = adiba(fresh, waiting.public_id).json()
        assert (body["status"], body["closedAt"]) == ("EXPIRED", rfc3339(waiting.expires_at))
        assert asseco(fresh, waiting.public_id).json()["status"] == "expired"
    reject(avi, waiting)
    body = adiba(server, waiting.public_id).json()
    assert (body["status"], body["decisionReason"], body["result"]) == ("REJECTED", NO, None)


def test_once_it_was_approved_and_not_carried_out(
    server: Caller, held: Device, waiting: ApprovalRequest, avi: User
) -> None:
    Device.objects.filter(pk=held.pk).update(status="RETIRED", held_by="", retired_at=held.updated_at)
    approve(avi, waiting)
    body = adiba(server, waiting.public_id).json()
    message = "A device that is retired cannot become active."
    assert (body["status"], body["error"]) == ("FAILED", {"code": "device-status-not-valid", "message": message})
    body = asseco(server, waiting.public_id).json()
    assert (body["status"], body["details"], body["message"]) == ("failed", "device-status-not-valid", message)


@both
def test_foreign_and_unknown_requests_are_one_404(ask_after: Any, server: Caller, ada: User) -> None:
    other = make_bank()
    device = make_device(make_customer(other, "Cem"), DeviceStatus.BLOCKED)
    strange = Caller(make_token(application=make_application(other, kind="bank", name="other core")))
    twin = Caller(make_token(application=make_application(ada.bank, kind="bank", name="second core")))
    assert strange.post(ADIBA, activation(device)).status_code == 202
    foreign = ApprovalRequest.objects.get()
    answers = []
    for caller, who in ((server, "core banking"), (twin, "second core")):
        for approval_id in (foreign.public_id, UNKNOWN, "APR_x", "1"):
            with refused_once("not-found", who=who):
                answers.append(ask_after(caller, approval_id))
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert ask_after(strange, foreign.public_id).status_code == 200


@both
def test_customers_ask_nothing_whether_or_not_there_is_a_request(
    ask_after: Any, caller: Caller, waiting: ApprovalRequest
) -> None:
    for approval_id in (waiting.public_id, UNKNOWN):
        with refused_once("insufficient-scope", who="Ada"):
            assert ask_after(caller, approval_id).status_code == 403


@both
def test_staff_without_the_right_ask_nothing_either(ask_after: Any, ada: User, waiting: ApprovalRequest) -> None:
    max_ = make_staff(ada.bank, Role.ADMINISTRATOR, "Max")
    for approval_id in (waiting.public_id, UNKNOWN):
        with refused_once("capability-missing", who=f"Max ({max_.username})"):
            assert ask_after(Caller(make_token(user=max_)), approval_id).status_code == 403
