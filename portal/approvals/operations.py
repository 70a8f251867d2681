"""Deciding on requests. The approved one runs in the transaction of the decision: both stand or neither."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from portal.accounts.actors import client_actor, staff_actor
from portal.accounts.models import Application
from portal.accounts.operations.second_factor import Verified, require_fresh
from portal.accounts.policies import require_reason
from portal.approvals import payloads, policies
from portal.approvals.gate import told
from portal.approvals.models import ApprovalRequest
from portal.approvals.registry import registered
from portal.approvals.states import RequestState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor, ActorKind, Approval, Channel
from portal.core.errors import Conflict, DomainError, Expired, Forbidden, InvalidState, NotFound, SecondPersonNeeded
from portal.races import retried_on_conflict


@retried_on_conflict
def approve_request(
    *, actor: Actor, request_id: str, seen: str, reason: str = "", proof: Verified | None
) -> ApprovalRequest:
    """Approve a request and carry it out, in its maker's name and with what the maker may do now.

    request_id: `APR_…`. seen: the payload digest of what the approver was shown. reason: up to 500 characters.
    proof: the approver's second factor of the last five minutes. The operation's own refusal does not undo the
    decision: the request comes back FAILED with its code, and nothing else was changed. Raises NotFound, Forbidden
    (`maker-is-checker`, `capability-missing`, `second-factor-needed`), InvalidInput, Expired, Conflict
    (`already-decided`, `payload-changed`).
    """
    request = _to_decide(actor, request_id, reason, proof)
    if seen != request.payload_digest:
        raise Conflict("This is not what you were shown. Look at the request again.", code="payload-changed")
    state, result, error = _carried_out(actor, request)
    request.result = result
    request.error_code, request.error_message = (error.code[:64], error.message[:300]) if error else ("", "")
    _close(request, state, actor, reason)
    details = told(request) | ({"error": error.code} if error else {})
    event = Event.APPROVAL_FAILED if error else Event.APPROVAL_GRANTED
    audit.record(actor, event, request, reason=reason, details=details)
    return request


@transaction.atomic
def reject_request(*, actor: Actor, request_id: str, reason: str, proof: Verified | None) -> ApprovalRequest:
    """Reject a request; nothing is carried out. reason: 1 to 500 characters. Raises as `approve_request` does."""
    require_reason(reason)
    request = _to_decide(actor, request_id, reason, proof)
    _close(request, RequestState.REJECTED, actor, reason)
    audit.record(actor, Event.APPROVAL_REJECTED, request, reason=reason, details=told(request))
    return request


@transaction.atomic
def withdraw_request(*, actor: Actor, request_id: str) -> ApprovalRequest:
    """Take back what one asked for. One that is withdrawn already stays so. Raises NotFound, Forbidden, Conflict."""
    request = _locked(actor, request_id)
    policies.require_withdraw(actor, request)
    if request.state == RequestState.WITHDRAWN:
        return request
    _require_open(request)
    _close(request, RequestState.WITHDRAWN, None, "")
    audit.record(actor, Event.APPROVAL_WITHDRAWN, request, details=told(request))
    return request


def _to_decide(actor: Actor, request_id: str, reason: str, proof: Verified | None) -> ApprovalRequest:
    request = _locked(actor, request_id)
    policies.require_decide(actor, request)
    require_fresh(actor, proof)
    if reason:
        require_reason(reason)
    _require_open(request)
    return request


def _locked(actor: Actor, request_id: str) -> ApprovalRequest:
    policies.require_read(actor)
    rows = ApprovalRequest.objects.visible_to(actor).select_for_update(of=("self",))
    request = rows.filter(pk=key).first() if (key := read_id(request_id)) else None
    if request is None:
        raise NotFound("There is no such request.")
    return request


def read_id(text: str) -> UUID | None:
    """The id in `APR_…`, or None."""
    try:
        return ids.read("APR", text)
    except ValueError:
        return None


def _require_open(request: ApprovalRequest) -> None:
    if request.state == RequestState.EXPIRED or (request.state == RequestState.PENDING and not request.is_open):
        raise Expired("Nobody decided in time. It has to be asked for anew.", code="request-expired")
    if request.state != RequestState.PENDING:
        raise Conflict("This has been decided already.", code="already-decided", state=request.state)


type _Outcome = tuple[RequestState, dict[str, object], DomainError | None]


def _carried_out(checker: Actor, request: ApprovalRequest) -> _Outcome:
    """Run the stored payload, unchanged or not at all. What it wrote before it refused is rolled back."""
    known = registered(request.operation)
    try:
        payload = payloads.open_payload(request)
        if known is None:
            raise InvalidState("This release does not know the operation.", code="operation-unknown")
        actor = replace(_maker(request), approval=_approval(checker, request, known.entry.good_for))
        with transaction.atomic():
            result: Any = known.operation(actor=actor, **payload.arguments)
    except payloads.PayloadBroken:
        return RequestState.FAILED, {}, InvalidState("The stored request was changed.", code="payload-changed")
    except SecondPersonNeeded as needed:  # the approval does not cover it: never run on half of a yes
        return RequestState.FAILED, {}, needed
    except DomainError as refusal:
        return RequestState.FAILED, {}, refusal
    return RequestState.DONE, known.entry.facts(result), None


def _approval(checker: Actor, request: ApprovalRequest, covers: frozenset[str]) -> Approval:
    return Approval(id=request.public_id, by=checker.label, covers=covers)


def _maker(request: ApprovalRequest) -> Actor:
    """Whoever asked, as they are now: with what the role allows today, and not at all when suspended meanwhile."""
    channel = Channel(request.channel)
    if request.maker_kind == ActorKind.STAFF:
        person = request.maker_user
        if person is not None and person.is_active:
            return staff_actor(person, channel=channel)
    elif request.maker_kind == ActorKind.BANK:
        clients = Application.objects.filter(bank_id=request.bank_id, suspended_at=None)
        client = clients.filter(client_id=request.maker_id).first()
        if client is not None:
            return client_actor(client, channel=channel)
    elif request.maker_kind == ActorKind.SYSTEM:
        return Actor.system(request.maker_id, bank_id=request.bank_id, channel=channel)
    raise Forbidden("Whoever asked may not ask any more.", code="maker-gone")


def _close(request: ApprovalRequest, state: RequestState, checker: Actor | None, reason: str) -> None:
    request.state = state
    request.closed_at = clock.now()
    request.decided_by_id = None if checker is None else checker.user_id
    request.decision_reason = reason.strip()
    request.save()
