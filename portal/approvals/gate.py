"""The gate that an operation stands behind: its first call stores a request, the approved one runs.

    @four_eyes(FourEyes(name="device.activate", …))
    @transaction.atomic
    def activate_device(*, actor, device_id, reason): …

The operation raises `SecondPersonNeeded` out of its transaction. What is stored are the arguments of that very call,
with the object named by our own id; they have to be plain values.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.db import models

from portal.approvals import payloads
from portal.approvals.lapse import mark_expired
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.registry import FourEyes, register
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, SecondPersonNeeded
from portal.races import retried_on_conflict

LIFETIME: Final = timedelta(hours=48)  # our own policy: over a weekend somebody asks anew


def four_eyes[**P, R](entry: FourEyes) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let an operation ask for a second person. Call the result with keywords only, outside a transaction.

    It raises ApprovalRequired with the stored request's id where the operation raised SecondPersonNeeded; the same
    call again names the same request while that waits. Raises Conflict `approval-pending` when the same is asked of
    the same object with other arguments.
    """

    def decorate(operation: Callable[P, R]) -> Callable[P, R]:
        register(entry, operation)

        @wraps(operation)
        def ask_or_do(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return operation(*args, **kwargs)
            except SecondPersonNeeded as needed:
                arguments = {name: value for name, value in kwargs.items() if name != "actor"}
                actor: Any = kwargs["actor"]
                asked = needed
            raise _ask(actor, entry, asked, arguments)

        return ask_or_do

    return decorate


def is_required(actor: Actor, operation: str) -> bool:
    """Whether the actor's bank wants a second person for this operation each time, and there was none yet.

    Asks for staff and the bank's server only. One query.
    """
    if actor.approved_for(operation) or actor.bank_id is None or not (actor.is_staff or actor.is_bank):
        return False
    required = ApprovalPolicy.objects.filter(bank_id=actor.bank_id).values_list("required", flat=True).first()
    return operation in (required or ())


def require_by_policy(actor: Actor, operation: str, about: models.Model) -> None:
    """Raises SecondPersonNeeded where the bank wants one for this operation each time."""
    if is_required(actor, operation):
        raise SecondPersonNeeded("Your bank wants a second person for this.", about=about)


def _ask(actor: Actor, entry: FourEyes, needed: SecondPersonNeeded, arguments: Mapping[str, Any]) -> ApprovalRequired:
    about = needed.about
    assert isinstance(about, models.Model)  # noqa: S101  for the type checker: every operation names its object
    request = _store(actor, entry, about, {**arguments, **entry.names(about)})
    error = ApprovalRequired(f"{needed.message} The request waits for one.", request_id=request.public_id)
    error.audited = True
    return error


@retried_on_conflict
def _store(actor: Actor, entry: FourEyes, about: models.Model, arguments: Mapping[str, Any]) -> ApprovalRequest:
    bank_id = actor.bank_id
    if bank_id is None:
        raise ValueError("a request for a second person belongs to a bank")
    waiting = ApprovalRequest.objects.filter(bank_id=bank_id)
    digest = payloads.digest_of(bank_id, entry.name, arguments)
    mark_expired(waiting.about(about) | waiting.filter(payload_digest=digest))
    if same := waiting.open().filter(payload_digest=digest).first():
        return same
    if other := waiting.open().about(about).filter(operation=entry.name).first():
        raise Conflict(
            "Somebody has already asked for this, with another reason or other values.",
            code="approval-pending",
            request=other.public_id,
        )
    now = clock.now()
    request = ApprovalRequest(
        bank_id=bank_id,
        operation=entry.name,
        payload_digest=digest,
        object_type=str(about._meta.model_name),
        object_id=str(about.pk),
        object_label=str(about)[:200],
        maker_kind=actor.kind.value,
        maker_id=actor.id,
        maker_user_id=actor.user_id,
        maker_label=actor.label[:200],
        channel=actor.channel.value,
        reason=str(arguments.get("reason", ""))[:500],
        created_at=now,
        expires_at=now + LIFETIME,
    )
    request.payload_sealed = payloads.seal(request, arguments)
    request.save(force_insert=True)
    audit.record(actor, Event.APPROVAL_REQUESTED, about, reason=request.reason, details=told(request))
    return request


def told(request: ApprovalRequest) -> dict[str, object]:
    """What the audit log says of a request; its payload stays sealed."""
    return {"request": request.public_id, "operation": request.operation, "payload": request.payload_digest[:16]}
