"""Background work: the row is the queue, the broker is only the doorbell.

Operations write rows in a pending state and ring; a sweep finds what nobody heard. This module knows no broker:
settings.JOB_SENDER names the function that does (`portal.doorbell.send`; in tests `portal.jobs.note`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple, cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.module_loading import import_string

from portal.breaker import Breaker
from portal.core import clock
from portal.core.errors import Unavailable
from portal.models import JobSlot, WorkerBeat

type Sender = Callable[[str, str], None]

REST = 5.0  # seconds without ringing after the broker failed; the sweeps come every ten

log = logging.getLogger(__name__)
breaker = Breaker(REST)


class Ring(NamedTuple):
    """One ring: the task's name and the id of the row that waits."""

    name: str
    pk: str


RUNG: list[Ring] = []
"""What `note` was asked to send."""


def ring(name: str, pk: object) -> None:
    """Tell the workers, once the transaction has committed, that row `pk` waits for the task `name`.

    Rolled back: nothing is sent. Never raises: a broker that is down costs one log line a minute and at most 0.3
    seconds every `REST` seconds. A ring may be lost or doubled, so the task has to look at the row.
    """
    transaction.on_commit(partial(_send, name, str(pk)), robust=True)


def _send(name: str, pk: str) -> None:
    if breaker.is_open():
        return
    try:
        cast(Sender, import_string(settings.JOB_SENDER))(name, pk)
    except Unavailable as error:
        if breaker.failed():
            log.warning("broker unavailable", extra={"task": name, "reason": error.code})
    else:
        breaker.worked()


def note(name: str, pk: str) -> None:
    """A sender that sends nothing: it adds to `RUNG`."""
    RUNG.append(Ring(name, pk))


@contextmanager
def recorded() -> Iterator[list[Ring]]:
    """The rings of a block, for tests (with `portal.jobs.note` as sender). They come at commit, as real ones do."""
    RUNG.clear()
    yield RUNG
    RUNG.clear()


def claim_slot(task: str, seconds: int) -> bool:
    """Whether this call is the first for `task` in the present slot of `seconds` (slots begin at the Unix epoch).

    Beat may run on every node: each sends the task, one run claims the slot, the others do nothing.
    """
    try:
        with transaction.atomic():
            JobSlot.objects.create(task=task, slot=int(clock.now().timestamp()) // seconds)
    except IntegrityError:
        return False
    return True


def note_worker(worker: str) -> None:
    """Write a worker's sign of life. `worker`: the host it runs on."""
    WorkerBeat.objects.update_or_create(worker=worker[:120], defaults={"seen_at": clock.now()})


def worker_seen_at() -> datetime | None:
    """When any worker last gave a sign of life; None: never."""
    last: datetime | None = WorkerBeat.objects.aggregate(last=Max("seen_at"))["last"]
    return last
