"""Reads about requests: the inbox, an object's badge, the asker's poll."""

from dataclasses import dataclass
from typing import Final

from django.db import models
from django.db.models import Case, Count, F, Value, When

from portal.accounts.models import Bank
from portal.accounts.roles import Capability
from portal.approvals import policies
from portal.approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from portal.approvals.operations import read_id
from portal.approvals.payloads import Payload, PayloadBroken, open_payload
from portal.approvals.registry import Preview, registered
from portal.approvals.states import RequestState
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import DomainError, NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25


@dataclass(frozen=True)
class Shown:
    """A request with what a second person has to see.

    payload: None when the stored row is not what was asked for. preview: what would happen now, in lines.
    """

    request: ApprovalRequest
    payload: Payload | None
    preview: Preview


def requests_visible_to(actor: Actor) -> ApprovalRequestQuerySet:
    """The requests an actor may look at, newest first. Raises Forbidden."""
    policies.require_read(actor)
    rows = ApprovalRequest.objects.visible_to(actor).select_related("decided_by")
    return rows.order_by("-created_at", "-id")


def request_page(actor: Actor, *, state: str = "", cursor: str | None = None) -> Page[ApprovalRequest]:
    """25 requests a page, newest first, of one state or all. One query. Raises Forbidden."""
    rows = requests_visible_to(actor)
    if state in RequestState.values:
        rows = rows.in_state(RequestState(state))
    return keyset_page(rows, cursor, fields=("created_at", "id"), size=PAGE_SIZE)


def count_by_state(actor: Actor) -> dict[RequestState, int]:
    """How many requests there are in each state, in one query. Raises Forbidden."""
    policies.require_read(actor)
    lapsed = When(state=RequestState.PENDING, expires_at__lte=clock.now(), then=Value(RequestState.EXPIRED.value))
    rows = ApprovalRequest.objects.visible_to(actor).annotate(seen_as=Case(lapsed, default=F("state")))
    found = dict(rows.values_list("seen_as").annotate(Count("pk")).order_by())
    return {state: found.get(state.value, 0) for state in RequestState}


def get_request(actor: Actor, request_id: str) -> ApprovalRequest:
    """The request that `APR_…` names. Raises NotFound, Forbidden."""
    rows = requests_visible_to(actor)
    request = rows.filter(pk=key).first() if (key := read_id(request_id)) else None
    if request is None:
        raise NotFound("There is no such request.")
    return request


def shown(actor: Actor, request: ApprovalRequest) -> Shown:
    """A request with its payload, and while it is open what would happen now."""
    try:
        payload = open_payload(request)
    except PayloadBroken:
        return Shown(request, None, [])
    known = registered(request.operation)
    if known is None or not request.is_open:
        return Shown(request, payload, [])
    try:
        return Shown(request, payload, known.entry.preview(actor, payload.arguments))
    except DomainError as error:  # the object is gone meanwhile: carried out, it would be refused
        return Shown(request, payload, [(None, error.message)])
    except (KeyError, TypeError, ValueError):  # stored by a release whose operation took other arguments
        return Shown(request, payload, [(None, "What it would do cannot be shown.")])


def open_about(actor: Actor, obj: models.Model) -> list[ApprovalRequest]:
    """What waits for a second person at one object, for its badge. One query; nothing for who may not look."""
    if not (actor.is_bank or actor.can(Capability.APPROVALS_READ)):
        return []
    return list(requests_visible_to(actor).open().about(obj))


def waiting_for(actor: Actor) -> int:
    """How many requests this person can decide on: open ones that somebody else asked for. One query at most."""
    if not policies.may_decide(actor):
        return 0
    rows = ApprovalRequest.objects.visible_to(actor).open()
    return rows.exclude(maker_kind=actor.kind.value, maker_id=actor.id).count()


def count_open(actor: Actor) -> int:
    """How many requests of the bank wait for a second person. One query. Raises Forbidden."""
    policies.require_read(actor)
    return ApprovalRequest.objects.visible_to(actor).open().count()


def bank_of(actor: Actor) -> Bank:
    """The actor's bank, which the policy page is about."""
    return Bank.objects.visible_to(actor).get()
