"""The gate that an operation stands behind: its first call stores a request, the approved one runs.

    @four_eyes(FourEyes(name="device.activate", …))
    @transaction.atomic
    def activate_device(*, actor, device_id, reason): …

The operation raises `SecondPersonNeeded` out of its transaction. What is stored are the arguments of that very call,
defaults included, with the object named by our own id; they have to be plain values. The approved run is part of the
decision's transaction, so an operation behind the gate has no durable block.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from inspect import Signature, signature
from typing import Any, Final

from django.db import connection, models

from portal.approvals import payloads, policies, trail
from portal.approvals.lapse import mark_expired
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.registry import FourEyes, register
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, SecondPersonNeeded
from portal.races import retried_on_conflict

LIFETIME: Final = timedelta(hours=48)  # our own policy: over a weekend somebody asks anew


def four_eyes[**P, R](entry: FourEyes) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let an operation ask for a second person.

    The call raises ApprovalRequired with the stored request's id where the operation raised SecondPersonNeeded; the
    same call again by the same actor names the same request while that waits. It raises Conflict `approval-pending`
    when somebody else asked for it, or when the same is asked of the same object with other arguments (not where the
    entry allows `several`).

    Inside a transaction nothing is stored, because the refusal would undo it: there SecondPersonNeeded goes on to the
    operation that holds the transaction. So it does for who cannot ask (`policies.may_ask`).
    """

    def decorate(operation: Callable[P, R]) -> Callable[P, R]:
        register(entry, operation)
        parameters = signature(operation)

        @wraps(operation)
        def ask_or_do(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return operation(*args, **kwargs)
            except SecondPersonNeeded as needed:
                actor, arguments = _split(parameters, kwargs)
                if _in_transaction() or not policies.may_ask(actor):
                    raise
                asked = needed
            raise _ask(actor, entry, asked, arguments)

        return ask_or_do

    return decorate


def _split(parameters: Signature, kwargs: Mapping[str, Any]) -> tuple[Actor, dict[str, Any]]:
    """The actor, and all other arguments as the operation got them."""
    bound = parameters.bind(**kwargs)
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    return arguments.pop("actor"), arguments


def _in_transaction() -> bool:
    """Whether somebody further up could still undo what is written here. A test's own transaction does not count,
    as in Django's durable blocks."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase  # type: ignore[attr-defined]  # not in the stubs


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


def _ask(actor: Actor, entry: FourEyes, needed: SecondPersonNeeded, arguments: dict[str, Any]) -> ApprovalRequired:
    about = needed.about
    assert isinstance(about, models.Model)  # noqa: S101  for the type checker: every operation names its object
    names: dict[str, Any] = entry.names(about)
    request = _store(actor, entry, about, arguments | names)
    message = f"{needed.message} The request waits for one."
    error = ApprovalRequired(message, request_id=request.public_id, expires_at=request.expires_at, **names)
    error.audited = True
    return error


@retried_on_conflict
def _store(actor: Actor, entry: FourEyes, about: models.Model, arguments: Mapping[str, Any]) -> ApprovalRequest:
    """The request for exactly this; stored anew unless it waits already."""
    request = _made(actor, entry, about, arguments)
    of_bank = ApprovalRequest.objects.filter(bank_id=request.bank_id)
    alike = of_bank.filter(payload_digest=request.payload_digest)
    if request.exclusive:
        alike |= of_bank.about(about).filter(operation=entry.name)
    mark_expired(alike)  # they would still stand in the way
    if earlier := alike.open().first():
        if earlier.payload_digest == request.payload_digest and policies.is_maker(actor, earlier):
            return earlier
        raise _pending(actor, earlier)
    request.payload_sealed = payloads.seal(request, arguments)
    request.save(force_insert=True)
    trail.write(actor, Event.APPROVAL_REQUESTED, request, reason=request.reason)
    return request


def _pending(actor: Actor, earlier: ApprovalRequest) -> Conflict:
    if policies.is_maker(actor, earlier):
        says = "You have asked for this already, with another reason or other values. Withdraw that request first."
    else:
        says = "Somebody else has asked for this already. That request waits for a second person."
    return Conflict(says, code="approval-pending", request=earlier.public_id)


def _made(actor: Actor, entry: FourEyes, about: models.Model, arguments: Mapping[str, Any]) -> ApprovalRequest:
    bank_id = actor.bank_id
    assert bank_id is not None  # noqa: S101  `policies.may_ask` has looked
    now = clock.now()
    return ApprovalRequest(
        bank_id=bank_id,
        operation=entry.name,
        payload_digest=payloads.digest_of(bank_id, entry.name, arguments),
        object_type=str(about._meta.model_name),
        object_id=str(about.pk),
        object_label=str(about)[:200],
        exclusive=not entry.several,
        maker_kind=actor.kind.value,
        maker_id=actor.id,
        maker_user_id=actor.user_id,
        maker_label=actor.label[:200],
        channel=actor.channel.value,
        reason=str(arguments.get("reason") or "").strip()[:500],
        created_at=now,
        expires_at=now + LIFETIME,
    )
