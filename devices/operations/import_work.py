"""The work of an import: batch after batch, each in one transaction with its progress.

    WAITING → RUNNING → DONE       a worker claims the run; every batch prolongs the claim
                      → REFUSED    all-or-nothing, and a row was refused
                      → STOPPED    the command that read the file is gone

A worker that is killed leaves a claim behind; once that has run out, the next goes on at the same row. All-or-nothing
looks at every row first, in batches, and then issues all of them in one transaction.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from devices.models import ImportRun
from devices.operations.import_batches import BATCH
from devices.operations.import_engine import CLAIM, ClaimLost, advance, close, end_as_refused, hold, stop
from devices.operations.import_rows import BadRow, Lines, read_rows
from devices.operations.imports import RUN_TASK, bank_of, content_of, kept_rows
from devices.policies import issued as policies
from devices.states import ImportState
from portal import jobs
from portal.accounts.actors import staff_actor
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import FieldProblem

WORK_SECONDS: Final = 20.0  # of one task; then the others have their turn
READY_KEPT: Final = timedelta(days=7)
ATTEMPTS: Final = 5  # without one batch done; our own policy: then a person has to look
FAILED: Final = "The import failed again and again. What was issued stays."
GONE: Final = "Whoever started the import may not issue devices any more."

log = logging.getLogger(__name__)

type Progress = Callable[[ImportRun, list[BadRow]], None]


def run_import(run_id: str) -> None:
    """Go on with an uploaded import for a while. A run that is not due, or in other hands, is left alone."""
    run = _claim(run_id)
    if run is None:
        return
    actor = _in_the_name_of(run)
    try:
        if not policies.issue(actor).allowed:
            end_as_refused(actor, run, [BadRow(0, (FieldProblem("", "starter-gone", GONE),))])
            return
        if run.attempts > ATTEMPTS:
            end_as_refused(actor, run, [BadRow(0, (FieldProblem("", "failed-too-often", FAILED),))])
            return
        content = content_of(run)
        if _work_on(actor, run, content, until=time.monotonic() + WORK_SECONDS):
            close(actor, run, lambda: (row for row, _ in kept_rows(content, 0)))
        else:
            _give_back(run)
    except ClaimLost:
        log.info("import in other hands", extra={"import_id": run_id})


@transaction.atomic
def _claim(run_id: str) -> ImportRun | None:
    """Of any number of workers exactly one gets the run. The end of its claim says whose it is."""
    now = clock.now()
    due = Q(state=ImportState.WAITING) | Q(state=ImportState.RUNNING, claim_until__lte=now)
    runs = ImportRun.objects.select_for_update(of=("self",)).select_related("started_by")
    run = runs.filter(due, pk=run_id).exclude(content_sealed="").first()
    if run is None:
        return None
    run.move_to(ImportState.RUNNING)
    run.claim_until = now + CLAIM
    run.attempts += 1
    run.save(update_fields=["state", "claim_until", "attempts"])
    return run


@transaction.atomic
def _give_back(run: ImportRun) -> None:
    """Let the next task go on: this one has worked long enough. Raises ClaimLost."""
    hold(run)
    run.move_to(ImportState.WAITING)
    run.claim_until = None
    run.save(update_fields=["state", "claim_until"])
    jobs.ring(RUN_TASK, run.pk)


def _in_the_name_of(run: ImportRun) -> Actor:
    """Whoever started it, with what the role allows today; a suspended person may nothing."""
    if run.started_by is None:
        return Actor.system("imports", bank_id=run.bank_id)
    return staff_actor(run.started_by, channel=Channel.TASK)


def _work_on(actor: Actor, run: ImportRun, content: bytes, *, until: float) -> bool:
    """Batch after batch. Returns whether the last row is done."""
    for some in batched(kept_rows(content, run.position), BATCH):
        if time.monotonic() > until:
            return False
        advance(actor, run, [row for row, _ in some], position=some[-1][1], write=not run.all_or_nothing)
    return True


def sweep() -> int:
    """Go on with what waits or was left behind, oldest first; close what nobody goes on with. Returns how many."""
    now = clock.now()
    lapsed = ImportRun.objects.filter(state=ImportState.RUNNING, claim_until__lte=now)
    for run in [
        *lapsed.filter(content_sealed=""),
        *ImportRun.objects.filter(state=ImportState.READY, created_at__lte=now - READY_KEPT),
    ]:
        _try(run.pk, partial(stop, run))
    waiting = ImportRun.objects.filter(state=ImportState.WAITING) | lapsed.exclude(content_sealed="")
    found = list(waiting.order_by("created_at").values_list("pk", flat=True)[:10])
    for run_id in found:
        _try(run_id, partial(run_import, str(run_id)))
    return len(found)


def _try(run_id: UUID, work: Callable[[], None]) -> None:
    """One run that breaks does not keep the others waiting."""
    try:
        work()
    except Exception:  # whatever it was: the row is still there, and the claim runs out
        log.exception("import not carried on", extra={"import_id": str(run_id)})


def import_file(
    *,
    actor: Actor,
    file_name: str,
    open_file: Callable[[], Lines],
    all_or_nothing: bool = False,
    progress: Progress = lambda run, bad: None,
) -> ImportRun:
    """Import a file of any size, as a stream: never more than a batch of rows is held.

    actor: the system in one bank. open_file: gives the file from its start; it is read once to count and check, and
    once or twice to import. progress: called after each batch with the run and the rows refused in it. The same file
    again issues nothing twice: its references are known. Raises Forbidden, and InvalidInput at `file`, before
    anything is written.
    """
    policies.issue(actor).require()
    total = sum(1 for _ in read_rows(open_file()))
    run = _begin(actor, file_name, total, all_or_nothing)
    try:
        for some in batched(read_rows(open_file()), BATCH):
            tally = advance(actor, run, some, position=0, write=not all_or_nothing)
            progress(run, tally.bad)
        close(actor, run, lambda: read_rows(open_file()))
    finally:
        if run.ended_at is None:
            stop(run)
    return run


@transaction.atomic
def _begin(actor: Actor, file_name: str, total: int, all_or_nothing: bool) -> ImportRun:
    now = clock.now()
    run = ImportRun.objects.create(
        bank_id=bank_of(actor),
        file_name=file_name,
        all_or_nothing=all_or_nothing,
        state=ImportState.RUNNING,
        rows_total=total,
        created_at=now,
        claim_until=now + CLAIM,
    )
    told = {"rows": total, "all_or_nothing": all_or_nothing}
    audit.record(actor, Event.DEVICE_IMPORT_STARTED, run, details=told)
    return run
