"""Two-factor requests as staff look at them: the log, one of them, what became of its push messages."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from devices.models import Device
from portal.accounts.models import Application, User
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page
from portal.outbox.models import Message, MessageKind
from twofa.models import TwoFactorRequest
from twofa.models.requests import TwoFactorRequestQuerySet
from twofa.policies import require_read
from twofa.shown_operations import KINDS
from twofa.states import RequestState

PAGE_SIZE: Final = 25
COUNTED_UP_TO: Final = 1000
RELATED: Final = ("account", "application", "source", "destination", "answer", "review")


@dataclass(frozen=True)
class RequestFilter:
    """What a member of staff looks for. Empty texts do not filter.

    q: a request's id, a device's in any spelling, a customer's number or `USR_…`. state: of `RequestState`, or
    "alerted". kind: of what was asked. client: the client id of the application that asked. since, until: days in
    UTC, both included.
    """

    q: str = ""
    state: str = ""
    kind: str = ""
    client: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class CountUpTo:
    """Counted up to 1,000; `more` says that there are more than that."""

    number: int
    more: bool


def request_page(actor: Actor, wanted: RequestFilter, cursor: str | None = None) -> Page[TwoFactorRequest]:
    """25 requests a page, the newest first. A cursor that cannot be read gives the first page. Raises Forbidden.

    One query; with a text to search for, two more; with an application, one more.
    """
    rows = _in_state(_between(readable(actor).select_related(*RELATED), wanted), wanted.state)
    if wanted.kind in KINDS:
        rows = rows.filter(kind=wanted.kind)
    if wanted.client:
        found = Application.objects.visible_to(actor).filter(client_id=wanted.client).values_list("pk", flat=True)
        rows = rows.filter(application_id=found.first() or 0)  # a plain value, so that its index gives the order
    if text := wanted.q.strip():
        rows = rows.filter(_search(actor, text))
    return keyset_page(rows, cursor, fields=("requested_at", "id"), size=PAGE_SIZE)


def get_request(actor: Actor, request_id: UUID) -> TwoFactorRequest:
    """One request with everything that is shown of it, in one query. Raises Forbidden, NotFound."""
    found = (
        readable(actor)
        .whole()
        .select_related("answer__key", "answer__device", "review")
        .filter(pk=request_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such request.")
    return found


def count_by_state(actor: Actor) -> dict[str, CountUpTo]:
    """How many of the bank's requests are in each state, and how many alerted: one query each."""
    rows = readable(actor).order_by()
    names = [*RequestState.values, "alerted"]
    counted = {name: _in_state(rows, name)[: COUNTED_UP_TO + 1].count() for name in names}
    return {name: CountUpTo(min(n, COUNTED_UP_TO), n > COUNTED_UP_TO) for name, n in counted.items()}


def pushes_about(request: TwoFactorRequest) -> list[Message]:
    """The push messages of a request, in the order they were written. The caller may see the request. One query."""
    # Ids begin with the time: a range of one index instead of a walk through all there is about the bank.
    first, last = (_id_at(request, seconds) for seconds in (-60, 60))
    rows = Message.objects.filter(
        bank_id=request.bank_id, kind=MessageKind.PUSH, id__gte=first, id__lt=last, about_id=str(request.pk)
    )
    return list(rows.order_by("id"))


def _id_at(request: TwoFactorRequest, seconds: int) -> UUID:
    moment = request.requested_at if seconds < 0 else max(request.cap_at, request.closed_at or request.cap_at)
    return ids.uuid7(at_ms=int((moment.timestamp() + seconds) * 1000))


def readable(actor: Actor) -> TwoFactorRequestQuerySet:
    """The bank's requests, for who may look at them. Raises Forbidden."""
    require_read(actor)
    return TwoFactorRequest.objects.visible_to(actor)


def _between(rows: TwoFactorRequestQuerySet, wanted: RequestFilter) -> TwoFactorRequestQuerySet:
    if wanted.since is not None:
        rows = rows.filter(requested_at__gte=_midnight(wanted.since))
    if wanted.until is not None and wanted.until < date.max:
        rows = rows.filter(requested_at__lt=_midnight(wanted.until + timedelta(days=1)))
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _in_state(rows: TwoFactorRequestQuerySet, state: str) -> TwoFactorRequestQuerySet:
    """A request whose time is over counts as expired, although the sweep comes a little later."""
    now, waits = clock.now(), Q(state=RequestState.PENDING)
    if state == "alerted":
        return rows.filter(alerted_at__isnull=False)
    if state == RequestState.PENDING:
        return rows.filter(waits, expires_at__gt=now)
    if state == RequestState.EXPIRED:
        return rows.filter(Q(state=RequestState.EXPIRED) | (waits & Q(expires_at__lte=now)))
    return rows.filter(state=state) if state in RequestState.values else rows


def _search(actor: Actor, text: str) -> Q:
    """People and devices first: with plain values on every side the indexes are used together."""
    devices = Device.objects.visible_to(actor).named(text, actor.bank_id).order_by().values_list("pk", flat=True)
    keys = list(devices[:PAGE_SIZE])
    found = Q(destination_id__in=keys) | Q(source_id__in=keys)
    with suppress(NotFound):
        found |= Q(account=User.objects.visible_to(actor).customers().named(text))
    with suppress(ValueError):
        found |= Q(pk=UUID(text))
    return found
