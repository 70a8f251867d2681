"""Deciding on requests. The approved one runs in the transaction of the decision: both stand or neither."""

from dataclasses import replace
from inspect import signature
from typing import Any
from uuid import UUID

from django.db import transaction

from portal.accounts.actors import client_actor, staff_actor
from portal.accounts.models import Application
from portal.accounts.operations.second_factor import Verified, require_fresh
from portal.accounts.policies import require_reason
from portal.approvals import payloads, policies, trail
from portal.approvals.models import ApprovalRequest
from portal.approvals.payloads import Payload
from portal.approvals.registry import Registered, registered
from portal.approvals.states import RequestState
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor, ActorKind, Approval, Channel
from portal.core.errors import Conflict, DomainError, Expired, Forbidden, InvalidState, NotFound, Unavailable
from portal.crypto.codes import same
from portal.races import retried_on_conflict


@retried_on_conflict
def approve_request(
    *, actor: Actor, request_id: str, seen: str, reason: str, proof: Verified | None
) -> ApprovalRequest:
    """Approve a request and carry it out, in its maker's name and with what the maker may do now.

    request_id: `APR_…`. seen: the payload digest of what the approver was shown. reason: 1 to 500 characters.
    proof: the approver's second factor of the last five minutes. The operation's own refusal does not undo the
    decision: the request comes back FAILED with its code, and nothing else was changed; so does one whose stored row
    was tampered with (`payload-changed`). Raises NotFound, Forbidden (`capability-missing`, `maker-is-checker`,
    `second-factor-needed`), InvalidInput, Expired `request-expired`, Conflict (`already-decided`, `payload-changed`),
    and Unavailable when what the operation needs does not answer: then nothing is decided.
    """
    request = _to_decide(actor, request_id, reason, proof)
    if not same(seen, request.payload_digest):
        raise Conflict("This is not what you were shown. Look at the request again.", code="payload-changed")
    try:
        payload = payloads.open_payload(request)
    except payloads.PayloadBroken:
        changed = InvalidState("The stored request is not the one that was asked for.", code="payload-changed")
        return _failed(request, actor, reason, changed)
    trail.write(actor, Event.APPROVAL_GRANTED, request, reason=reason)
    try:
        result = _carried_out(actor, request, payload)
    except Unavailable:
        raise
    except DomainError as refusal:
        return _failed(request, actor, reason, refusal)
    return _close(request, RequestState.DONE, actor, reason, result=result)


@transaction.atomic
def reject_request(*, actor: Actor, request_id: str, reason: str, proof: Verified | None) -> ApprovalRequest:
    """Reject a request; nothing is carried out. Arguments and refusals as in `approve_request`."""
    request = _close(_to_decide(actor, request_id, reason, proof), RequestState.REJECTED, actor, reason)
    trail.write(actor, Event.APPROVAL_REJECTED, request, reason=reason)
    return request


@transaction.atomic
def withdraw_request(*, actor: Actor, request_id: str) -> ApprovalRequest:
    """Take back what one asked for. One that is withdrawn already stays so.

    Raises NotFound, Forbidden `not-the-maker`, Expired `request-expired`, Conflict `already-decided`.
    """
    policies.require_read(actor)
    request = _locked(actor, request_id)
    policies.require_withdraw(actor, request)
    if request.state == RequestState.WITHDRAWN:
        return request
    _require_open(request)
    _close(request, RequestState.WITHDRAWN)
    trail.write(actor, Event.APPROVAL_WITHDRAWN, request)
    return request


def read_id(text: str) -> UUID | None:
    """The id in `APR_…`, or None."""
    try:
        return ids.read("APR", text)
    except ValueError:
        return None


def _to_decide(actor: Actor, request_id: str, reason: str, proof: Verified | None) -> ApprovalRequest:
    policies.require_decider(actor)
    require_reason(reason)
    request = _locked(actor, request_id)
    policies.require_decide(actor, request)
    require_fresh(actor, proof)
    _require_open(request)
    return request


def _locked(actor: Actor, request_id: str) -> ApprovalRequest:
    rows = ApprovalRequest.objects.visible_to(actor).select_for_update(of=("self",))
    request = rows.filter(pk=key).first() if (key := read_id(request_id)) else None
    if request is None:
        raise NotFound("There is no such request.")
    return request


def _require_open(request: ApprovalRequest) -> None:
    if request.standing == RequestState.EXPIRED:
        raise Expired("Nobody decided in time. It has to be asked for anew.", code="request-expired")
    if request.standing != RequestState.PENDING:
        raise _decided(request)


def _decided(request: ApprovalRequest) -> Conflict:
    return Conflict("This has been decided already.", code="already-decided", state=request.state)


def _carried_out(checker: Actor, request: ApprovalRequest, payload: Payload) -> dict[str, object]:
    """Run the payload, unchanged or not at all. What it wrote before it refused is rolled back. Returns its facts.

    The plain operation runs, not the gate: where the approval does not cover all of it, that is its refusal.
    """
    known = registered(request.operation)
    if known is None:
        raise InvalidState("This release does not know the operation.", code="operation-unknown")
    approval = Approval(
        id=request.public_id,
        by=checker.label,
        by_id=checker.user_id,
        covers=known.entry.good_for,
        asked_at=request.created_at,
    )
    actor = replace(_maker(request), approval=approval, request_id=checker.request_id)
    _require_fit(known, payload)
    with transaction.atomic():
        result: Any = known.operation(actor=actor, **payload.arguments)
    return known.entry.facts(result)


def _require_fit(known: Registered, payload: Payload) -> None:
    """A release between the request and the yes may have changed what the operation takes."""
    try:
        signature(known.operation).bind(actor=None, **payload.arguments)
    except TypeError:
        raise InvalidState(
            "The operation has changed since. It has to be asked for anew.", code="payload-outdated"
        ) from None


def _maker(request: ApprovalRequest) -> Actor:
    """Whoever asked, as they are now: with what the role allows today, and not at all when suspended meanwhile.

    A bank's server also needs the scope and the dialect it asked with: no token is there to bring them.
    """
    channel = Channel(request.channel)
    if request.maker_kind == ActorKind.STAFF:
        person = request.maker_user
        if person is not None and person.is_active:
            return staff_actor(person, channel=channel)
    elif request.maker_kind == ActorKind.BANK:
        clients = Application.objects.filter(bank_id=request.bank_id, suspended_at=None)
        client = clients.filter(client_id=request.maker_id).first()
        known = registered(request.operation)
        scope = known.entry.client_scope if known else ""
        if client is not None and scope in client.allowed_scopes and channel.value in client.dialects:
            return client_actor(client, channel=channel)
    elif request.maker_kind == ActorKind.SYSTEM:
        return Actor.system(request.maker_id, bank_id=request.bank_id, channel=channel)
    raise Forbidden("Whoever asked may not ask any more.", code="maker-gone")


def _failed(request: ApprovalRequest, checker: Actor, reason: str, error: DomainError) -> ApprovalRequest:
    trail.write(checker, Event.APPROVAL_FAILED, request, reason=reason, error=error.code)
    return _close(request, RequestState.FAILED, checker, reason, error=error)


def _close(
    request: ApprovalRequest,
    state: RequestState,
    checker: Actor | None = None,
    reason: str = "",
    *,
    result: dict[str, object] | None = None,
    error: DomainError | None = None,
) -> ApprovalRequest:
    """Write the end, once: the conditional UPDATE decides. Raises Conflict `already-decided`."""
    closed = ApprovalRequest.objects.filter(pk=request.pk, state=RequestState.PENDING).update(
        state=state,
        payload_sealed=payloads.sealed_as(request, state),
        closed_at=clock.now(),
        decided_by_id=checker.user_id if checker else None,
        decision_reason=reason.strip(),
        result=result or {},
        error_code=error.code[:64] if error else "",
        error_message=error.message[:300] if error else "",
    )
    if not closed:
        raise _decided(request)
    request.refresh_from_db()
    return request
