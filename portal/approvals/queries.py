"""Reads about requests: the inbox, an object's badge, the asker's poll."""

from dataclasses import dataclass
from typing import Final

from django.db import models
from django.db.models import Count, Q

from portal.accounts.models import Bank
from portal.approvals import policies
from portal.approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from portal.approvals.operations import read_id
from portal.approvals.payloads import Payload, PayloadBroken, open_payload
from portal.approvals.registry import Preview, registered
from portal.approvals.states import RequestState
from portal.core.actor import Actor
from portal.core.errors import DomainError, NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25


@dataclass(frozen=True)
class Shown:
    """A request with what a second person has to see. payload: None when it is not the one that was asked for."""

    request: ApprovalRequest
    payload: Payload | None
    preview: Preview


def requests_visible_to(actor: Actor) -> ApprovalRequestQuerySet:
    """The requests an actor may look at, newest first. Raises Forbidden."""
    policies.require_read(actor)
    rows = ApprovalRequest.objects.visible_to(actor).select_related("maker_user", "decided_by")
    return rows.order_by("-created_at", "-id")


def request_page(actor: Actor, *, state: str = "", cursor: str | None = None) -> Page[ApprovalRequest]:
    """25 requests a page, newest first, of one state or all. One query."""
    rows = requests_visible_to(actor)
    if state in RequestState.values:
        rows = rows.filter(state=state)
    return keyset_page(rows, cursor, fields=("created_at", "id"), size=PAGE_SIZE)


def get_request(actor: Actor, request_id: str) -> ApprovalRequest:
    """The request that `APR_…` names. Raises NotFound, Forbidden."""
    key = read_id(request_id)
    request = requests_visible_to(actor).filter(pk=key).first() if key else None
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


def open_about(actor: Actor, obj: models.Model) -> list[ApprovalRequest]:
    """What waits for a second person at one object, for its badge. One query; nothing for who may not look."""
    if not (actor.is_bank or actor.can("approvals.read")):
        return []
    return list(requests_visible_to(actor).open().about(obj))


@dataclass(frozen=True)
class Counts:
    """waiting: open requests of the bank. mine: those of them that the actor asked for and cannot decide."""

    waiting: int
    mine: int

    @property
    def for_others(self) -> int:
        return self.waiting - self.mine


def counts(actor: Actor) -> Counts:
    """How many requests wait, in one query."""
    found = (
        ApprovalRequest.objects.visible_to(actor)
        .open()
        .aggregate(waiting=Count("pk"), mine=Count("pk", filter=Q(maker_user_id=actor.user_id)))
    )
    return Counts(found["waiting"], found["mine"])


def bank_of(actor: Actor) -> Bank:
    """The actor's bank, which the policy page is about."""
    return Bank.objects.visible_to(actor).get()
