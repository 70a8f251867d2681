"""How the queues are: messages that wait, audit events without a checkpoint, revocations
without a list, and whether a worker works."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min

from pki.queries import health as status_health
from portal import jobs
from portal.audit.sealing import unsealed_window
from portal.core import clock
from portal.outbox.models import Message, MessageState

OUTBOX_LIMIT = 300.0  # seconds a message may wait before somebody should look
FAILED_SHOWN = timedelta(hours=24)
WORKER_LIMIT = 60.0  # seconds since a worker was last seen; it shows itself every 15
AUDIT_LIMIT = 30.0  # seconds an audit event may wait for its checkpoint; they are sealed every second


@dataclass(frozen=True)
class QueueHealth:
    """How one queue is. `oldest_age_seconds`: of what waits longest; None when nothing does.

    name: outbox, outbox-failed, audit, worker (there: the seconds since one was last seen) or crl. note: why it is
    not ok.
    """

    name: str
    waiting: int
    oldest_age_seconds: float | None
    ok: bool
    note: str = ""


def queue_health() -> list[QueueHealth]:
    """How the outbox, the audit log's sealing, the workers and the CRLs are, in the order a screen shows them."""
    return [*outbox_health(), audit_health(), worker_health(), lists_health()]


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


def lists_health() -> QueueHealth:
    """Revocations that no CRL says yet; not well either when a list is over or was never made."""
    standing = status_health.standing()
    age = _age(standing.waits_since, clock.now())
    if standing.overdue:
        return QueueHealth("crl", standing.waiting, age, False, "a revocation list is over")
    late = age is not None and age > status_health.CHANGE_LIMIT.total_seconds()
    return QueueHealth("crl", standing.waiting, age, not late, "revocations wait for their list" if late else "")


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())
