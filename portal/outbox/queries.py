"""Reads of the outbox: the demo's sink page, and how the queues are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Min

from portal import jobs, vault
from portal.audit.sealing import unsealed_window
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page
from portal.outbox.gateways.sink import PURPOSE
from portal.outbox.models import Message, MessageState
from portal.outbox.operations import RECIPIENT

PAGE_SIZE = 50
OUTBOX_LIMIT = 300.0  # seconds a message may wait before somebody should look
FAILED_SHOWN = timedelta(hours=24)
WORKER_LIMIT = 60.0  # seconds since a worker was last seen; it shows itself every 15
AUDIT_LIMIT = 30.0  # seconds an audit event may wait for its checkpoint; they are sealed every second


@dataclass(frozen=True)
class SinkMessage:
    """A message as its reader would have seen it."""

    id: UUID
    kind: str
    template: str
    recipient: str
    text: str
    about_type: str
    about_id: str
    delivered_at: datetime


def sink_messages_visible_to(actor: Actor, *, cursor: str | None = None) -> Page[SinkMessage]:
    """What the demo's sink received for the actor's bank, newest first, 50 a page. One query.

    Raises NotFound outside the demo and Forbidden without the capability `outbox.read`.
    """
    if not settings.DEMO:
        raise NotFound("The sink exists in the demo only.")
    if not actor.can("outbox.read"):
        raise Forbidden("Your role does not read the outbox.", code="capability-missing", capability="outbox.read")
    rows = Message.objects.filter(sink__isnull=False).select_related("sink")
    if actor.bank_id is not None:
        rows = rows.filter(bank_id=actor.bank_id)
    page = keyset_page(rows, cursor, fields=("id",), size=PAGE_SIZE)
    return Page(tuple(_opened(message) for message in page.items), page.next_cursor, page.previous_cursor)


def _opened(message: Message) -> SinkMessage:
    return SinkMessage(
        id=message.pk,
        kind=message.kind,
        template=message.template,
        recipient=vault.unseal(RECIPIENT, message.pk, message.recipient_sealed),
        text=vault.unseal(PURPOSE, message.pk, message.sink.text_sealed),
        about_type=message.about_type,
        about_id=message.about_id,
        delivered_at=message.sink.delivered_at,
    )


@dataclass(frozen=True)
class QueueHealth:
    """How one queue is. `oldest_age_seconds`: of what waits longest; None when nothing does.

    name: outbox, outbox-failed, audit or worker (there: the seconds since one was last seen). note: why it is not ok.
    """

    name: str
    waiting: int
    oldest_age_seconds: float | None
    ok: bool
    note: str = ""


def queue_health() -> list[QueueHealth]:
    """How the outbox, the audit log's sealing and the workers are, in the order a screen shows them."""
    return [*outbox_health(), audit_health(), worker_health()]


def outbox_health() -> list[QueueHealth]:
    """Messages that wait, and those given up in the last day."""
    now = clock.now()
    open_states = [MessageState.PENDING, MessageState.SENDING]
    open_messages = Message.objects.filter(state__in=open_states)
    waiting = open_messages.aggregate(count=Count("pk"), oldest=Min("created_at"))
    failed = Message.objects.filter(state=MessageState.FAILED, next_try_at__gt=now - FAILED_SHOWN).count()
    age = _age(waiting["oldest"], now)
    late = age is not None and age > OUTBOX_LIMIT
    complaints = open_messages.exclude(last_error="").order_by("created_at").values_list("last_error", flat=True)
    return [
        QueueHealth("outbox", waiting["count"], age, not late, (late and complaints.first()) or ""),
        QueueHealth("outbox-failed", failed, None, not failed),
    ]


def audit_health() -> QueueHealth:
    """Audit events that no signed checkpoint covers yet."""
    count, age = unsealed_window()
    late = age is not None and age >= AUDIT_LIMIT
    return QueueHealth("audit", count, age, not late, "events wait for their checkpoint" if late else "")


def worker_health() -> QueueHealth:
    """The background worker that was seen last."""
    age = _age(jobs.worker_seen_at(), clock.now())
    seen = age is not None and age < WORKER_LIMIT
    return QueueHealth("worker", 0, age, seen, "" if seen else "no worker was seen")


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())
