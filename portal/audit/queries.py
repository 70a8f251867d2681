"""Reading the log: the audit browser, an object's timeline, the activity chart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Count, QuerySet, Value
from django.db.models.fields import IntegerField

from portal.audit.events import Outcome
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Forbidden
from portal.core.pages import Page
from portal.keyset import keyset_page

CAPABILITY = "audit.read"
PAGE_SIZE = 50


@dataclass(frozen=True)
class EventFilter:
    """What to look for; an empty field does not filter. Days are UTC; both ends belong to the range."""

    event: str = ""
    actor_id: str = ""
    object_type: str = ""
    object_id: str = ""
    outcome: str = ""
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class DayOfActivity:
    day: date
    done: int
    refused: int


def events_visible_to(actor: Actor) -> QuerySet[AuditEvent]:
    """The events an actor may browse, newest first: with the capability `audit.read`, those of its own bank.

    The system sees all, or one bank's if it acts for one. Raises Forbidden without the capability.
    """
    if not actor.can(CAPABILITY):
        raise Forbidden(
            "You are not allowed to read the audit log.", code="capability-missing", capability=CAPABILITY
        )
    events = AuditEvent.objects.order_by("-id")
    if actor.is_system and actor.bank_id is None:
        return events
    return events.filter(bank_id=actor.bank_id) if actor.bank_id else events.none()


def matching(events: QuerySet[AuditEvent], wanted: EventFilter) -> QuerySet[AuditEvent]:
    """Those of the events that a filter asks for."""
    exact = {
        "event": wanted.event,
        "actor_id": wanted.actor_id,
        "object_type": wanted.object_type,
        "object_id": wanted.object_id,
        "outcome": wanted.outcome,
    }
    found = events.filter(**{column: value for column, value in exact.items() if value})
    if wanted.first_day:
        found = found.filter(id__gte=_first_id(wanted.first_day))
    if wanted.last_day:
        found = found.filter(id__lt=_first_id(wanted.last_day + timedelta(days=1)))
    return found


def page_of(events: QuerySet[AuditEvent], cursor: str | None = None, *, size: int = PAGE_SIZE) -> Page[AuditEvent]:
    """One page of the events, newest first, in one query. A cursor that cannot be read gives the first page."""
    return keyset_page(events, cursor, fields=("id",), size=size)


def timeline_of(object_type: str, object_id: object) -> QuerySet[AuditEvent]:
    """What happened to one object (`"device"`, its id), newest first. The caller has checked that it may be seen."""
    return AuditEvent.objects.filter(object_type=object_type, object_id=str(object_id)).order_by("-id")


def timeline_of_all(object_types: Sequence[str], object_ids: Iterable[object]) -> QuerySet[AuditEvent]:
    """What happened to several objects of these types, together, newest first. As `timeline_of`."""
    ids = [str(key) for key in object_ids]
    return AuditEvent.objects.filter(object_type__in=object_types, object_id__in=ids).order_by("-id")


def activity_by_day(bank_id: UUID, *, days: int = 14) -> list[DayOfActivity]:
    """How many events were done and refused on each of the last days, oldest first, today included. One query."""
    today = clock.now().date()
    shown = [today - timedelta(days=ago) for ago in reversed(range(days))]
    of_bank = AuditEvent.objects.filter(bank_id=bank_id)
    # One index range per day and outcome: counted from the index alone, where a GROUP BY would read each row.
    counts = [
        of_bank.filter(outcome=outcome, id__gte=_first_id(day), id__lt=_first_id(day + timedelta(days=1)))
        .annotate(ago=Value((today - day).days, IntegerField()))
        .values_list("ago", "outcome")
        .annotate(events=Count("pk"))
        .order_by()
        for day in shown
        for outcome in Outcome
    ]
    found = {(ago, outcome): events for ago, outcome, events in counts[0].union(*counts[1:], all=True)}
    return [
        DayOfActivity(
            day,
            done=found.get(((today - day).days, Outcome.DONE.value), 0),
            refused=found.get(((today - day).days, Outcome.REFUSED.value), 0),
        )
        for day in shown
    ]


def _first_id(day: date) -> UUID:
    """The smallest id that an event of this UTC day can have."""
    midnight = datetime.combine(day, time.min, UTC)
    return ids.uuid7(at_ms=int(midnight.timestamp() * 1000))
