"""Push messages counted by service and day: what was sent, what failed, and whose recipient was gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, IntegerField, QuerySet, Value

from portal.core import clock, ids
from portal.core.actor import Actor
from portal.outbox.models import Message, MessageState

DAYS: Final = 14


@dataclass(frozen=True)
class PushDay:
    """One day (UTC) of one service. failed: given up, those whose recipient was gone included."""

    day: date
    sent: int
    failed: int
    gone: int


def push_days(actor: Actor, services: Sequence[str]) -> dict[str, tuple[PushDay, ...]]:
    """Each service's last 14 days, oldest first, today included. One query, or none without a service."""
    today = clock.now().date()
    shown = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    # One index range per day, service and outcome: counted from the index alone, as the audit log's days are.
    parts = [part for service in services for day in shown for part in _of_day(actor, service, day, today)]
    if not parts:
        return {}
    rows = parts[0].union(*parts[1:], all=True)
    counts: dict[tuple[str, int, str, bool], int] = {
        (service, ago, state, bool(gone)): n for service, ago, state, gone, n in rows
    }

    def count(service: str, day: date, state: str, gone: bool) -> int:
        return counts.get((service, (today - day).days, state, gone), 0)

    return {
        service: tuple(
            PushDay(
                day,
                sent=count(service, day, MessageState.SENT, False),
                failed=count(service, day, MessageState.FAILED, False)
                + count(service, day, MessageState.FAILED, True),
                gone=count(service, day, MessageState.FAILED, True),
            )
            for day in shown
        )
        for service in services
    }


def _of_day(actor: Actor, service: str, day: date, today: date) -> list["QuerySet[Message, Any]"]:
    rows = Message.objects.visible_to(actor).filter(service=service)
    rows = rows.filter(id__gte=_first_id(day), id__lt=_first_id(day + timedelta(days=1)))
    outcomes = [(MessageState.SENT, False), (MessageState.FAILED, False), (MessageState.FAILED, True)]
    return [
        rows.filter(state=state, gone=gone)
        .annotate(ago=Value((today - day).days, IntegerField()))
        .values_list("service", "ago", "state", "gone")
        .annotate(n=Count("pk"))
        .order_by()
        for state, gone in outcomes
    ]


def _first_id(day: date) -> UUID:
    """The smallest id that a message of this UTC day can have."""
    return ids.uuid7(at_ms=int(datetime.combine(day, time.min, UTC).timestamp() * 1000))
