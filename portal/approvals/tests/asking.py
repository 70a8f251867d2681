"""Ada owns the phone, Bea (an operator) asks, Avi (an approver) decides, Cem is a stranger."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from devices.models import Device
from devices.operations.activation import activate_device
from devices.states import DeviceStatus
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff
from portal.accounts.actors import client_actor
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of, signed_in
from portal.approvals.models import ApprovalRequest
from portal.approvals.operations import approve_request, reject_request, withdraw_request
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Channel
from portal.core.errors import ApprovalRequired, DomainError

WHY = "Found in the branch"
YES, NO = "Spoke to the owner", "The owner did not call"


@dataclass(frozen=True)
class People:
    """One bank's, with a phone of Ada's that the bank blocked."""

    bank: Bank
    ada: User
    bea: User
    avi: User
    phone: Device


def make_people() -> People:
    bank = make_bank()
    ada = make_customer(bank)
    return People(
        bank=bank,
        ada=ada,
        bea=make_staff(bank, Role.OPERATOR, "Bea"),
        avi=make_staff(bank, Role.APPROVER, "Avi"),
        phone=make_device(ada, DeviceStatus.BLOCKED),
    )


def server_of(bank: Bank) -> Actor:
    """A server of the bank's own, with a client's row behind it."""
    return client_actor(make_application(bank, "bank"), channel=Channel.ADIBA)


def ask(actor: Actor, device: Device, reason: str = WHY, operation: Any = activate_device) -> ApprovalRequest:
    """Call an operation that waits for a second person; returns the stored request."""
    try:
        operation(actor=actor, device_id=str(device.pk), reason=reason)
    except ApprovalRequired as waits:
        return stored(waits.request_id)
    raise AssertionError("it was done by one person")


def stored(public_id: str) -> ApprovalRequest:
    return next(request for request in ApprovalRequest.objects.all() if request.public_id == public_id)


def asked(people: People) -> ApprovalRequest:
    """Bea's request to lift the block of Ada's phone."""
    return ask(signed_in(people.bea), people.phone)


def approve(checker: User, request: ApprovalRequest, **values: Any) -> ApprovalRequest:
    """As the portal does it, right after a good code."""
    arguments: dict[str, Any] = {
        "actor": signed_in(checker),
        "request_id": request.public_id,
        "seen": request.payload_digest,
        "reason": YES,
        "proof": proof_of(checker),
    }
    return approve_request(**(arguments | values))


def reject(checker: User, request: ApprovalRequest, **values: Any) -> ApprovalRequest:
    arguments: dict[str, Any] = {
        "actor": signed_in(checker),
        "request_id": request.public_id,
        "reason": NO,
        "proof": proof_of(checker),
    }
    return reject_request(**(arguments | values))


def withdraw(person: User, request: ApprovalRequest) -> ApprovalRequest:
    return withdraw_request(actor=signed_in(person), request_id=request.public_id)


def rows() -> list[dict[str, Any]]:
    """Every device and every request as they stand in the database."""
    devices = Device.objects.order_by("pk").values()
    return [*devices, *ApprovalRequest.objects.order_by("pk").values()]  # type: ignore[list-item]


def told(device: Device | Bank) -> list[tuple[str, str]]:
    """(event, who) of an object's timeline, oldest first."""
    events = AuditEvent.objects.filter(object_type=device._meta.model_name, object_id=str(device.pk))
    return list(events.order_by("id").values_list("event", "actor_label"))


def status_of(device: Device) -> str:
    return Device.objects.values_list("status", flat=True).get(pk=device.pk)


def refused(people: People, kind: type[DomainError], code: str, work: Callable[[], object]) -> None:
    """The work is refused by this rule, changes nothing and writes nothing: the door writes its refusal."""
    before, events = rows(), AuditEvent.objects.count()
    with pytest.raises(kind) as refusal:
        work()
    assert refusal.value.code == code
    assert rows() == before
    assert AuditEvent.objects.count() == events
