"""The work of an import: batch after batch, each in one transaction with its progress.

    WAITING → RUNNING → DONE       a worker claims the run; every batch prolongs the claim
                      → REFUSED    all-or-nothing, and a row was refused
                      → STOPPED    the command that read the file is gone

A worker that is killed leaves a claim behind; once that has run out, the next goes on at the same row. All-or-nothing
looks at every row first, in batches, and then issues all of them in one transaction.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import batched
from typing import Final

from django.db import models, transaction
from django.db.models import F, Q

from devices.models import ImportRun
from devices.operations.import_batches import BATCH, Rows, Tally, take, write_refusals
from devices.operations.import_rows import BadRow, Lines, Row, read_rows
from devices.operations.imports import RUN_TASK, bank_of, content_of, kept_rows, record_end
from devices.policies import issued as policies
from devices.states import ImportState
from portal import jobs
from portal.accounts.actors import staff_actor
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.core.errors import FieldProblem
from portal.races import retried_on_conflict

CLAIM: Final = timedelta(seconds=60)  # far above the seconds that a batch takes
WORK_SECONDS: Final = 20.0  # of one task; then the others have their turn
READY_KEPT: Final = timedelta(days=7)
PROGRESS: Final = ("position", "rows_done", "rows_issued", "rows_unchanged", "rows_refused", "claim_until")
GONE: Final = "Whoever started the import may not issue devices any more."

log = logging.getLogger(__name__)

type Progress = Callable[[ImportRun, list[BadRow]], None]


class ClaimLost(Exception):
    """Another worker has the run, or it is over."""


class _RowsRefused(Exception):
    """Takes back what all-or-nothing has issued so far."""

    def __init__(self, bad: list[BadRow]) -> None:
        self.bad = bad


def run_import(run_id: str) -> None:
    """Go on with an uploaded import for a while. A run that is not due, or in other hands, is left alone."""
    run = _claim(run_id)
    if run is None:
        return
    actor = _in_the_name_of(run)
    try:
        if not policies.issue(actor).allowed:
            _end_as_refused(actor, run, [BadRow(0, (FieldProblem("", "starter-gone", GONE),))])
            return
        content = content_of(run)
        if _work_on(actor, run, content, until=time.monotonic() + WORK_SECONDS):
            _close(actor, run, lambda: (row for row, _ in kept_rows(content, 0)))
        else:
            _give_back(run)
    except ClaimLost:
        log.info("import in other hands", extra={"import_id": run_id})


def _claim(run_id: str) -> ImportRun | None:
    """Of any number of workers exactly one gets the run. The end of its claim says whose it is."""
    now = clock.now()
    due = Q(state=ImportState.WAITING) | Q(state=ImportState.RUNNING, claim_until__lte=now)
    claimed = (
        ImportRun.objects.filter(due, pk=run_id)
        .exclude(content_sealed="")
        .update(state=ImportState.RUNNING, claim_until=now + CLAIM)
    )
    return ImportRun.objects.select_related("started_by").get(pk=run_id) if claimed else None


def _give_back(run: ImportRun) -> None:
    """Let the next task go on: this one has worked long enough."""
    _mine(run).update(state=ImportState.WAITING, claim_until=None)
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
        _advance(actor, run, [row for row, _ in some], position=some[-1][1], write=not run.all_or_nothing)
    return True


def _mine(run: ImportRun) -> models.QuerySet[ImportRun]:
    return ImportRun.objects.filter(pk=run.pk, state=ImportState.RUNNING, claim_until=run.claim_until)


def _advance(actor: Actor, run: ImportRun, rows: Rows, *, position: int, write: bool) -> Tally:
    """One batch, and what is in hand follows it. Raises ClaimLost."""
    tally = _do_batch(actor, run, rows, position=position, write=write)
    run.refresh_from_db(fields=PROGRESS)  # not before it is committed: a second attempt starts from the same claim
    return tally


@retried_on_conflict
def _do_batch(actor: Actor, run: ImportRun, rows: Rows, *, position: int, write: bool) -> Tally:
    """A batch and its progress in one transaction: both stand or neither."""
    _hold(run)
    tally = take(actor, run, rows, write=write)
    write_refusals(run, tally.bad)
    _count(run, tally, position, issued=write)
    return tally


def _hold(run: ImportRun) -> None:
    """Lock the row, and see that it is still ours."""
    if not list(_mine(run).select_for_update().values_list("pk")):
        raise ClaimLost


def _count(run: ImportRun, tally: Tally, position: int, *, issued: bool) -> None:
    _mine(run).update(
        position=position,
        rows_done=F("rows_done") + tally.rows,
        rows_issued=F("rows_issued") + (tally.issued if issued else 0),
        rows_unchanged=F("rows_unchanged") + (tally.unchanged if issued else 0),
        rows_refused=F("rows_refused") + len(tally.bad),
        claim_until=clock.now() + CLAIM,
    )


def _close(actor: Actor, run: ImportRun, rows: Callable[[], Iterable[Row | BadRow]]) -> None:
    """After the last row: issue everything where nothing stood in the way, and end the run."""
    if run.all_or_nothing and run.rows_refused:
        _end_as_refused(actor, run, [])
    elif run.all_or_nothing:
        try:
            _issue_all(actor, run, rows)
        except _RowsRefused as refused:
            _end_as_refused(actor, run, refused.bad)
    else:
        _end(actor, run, ImportState.DONE)


@retried_on_conflict
def _issue_all(actor: Actor, run: ImportRun, rows: Callable[[], Iterable[Row | BadRow]]) -> None:
    """All in one transaction. A row that is refused now, after all, takes everything back."""
    _hold(run)
    issued = unchanged = 0
    bad: list[BadRow] = []
    for some in batched(rows(), BATCH):
        tally = take(actor, run, some, write=not bad)
        issued, unchanged = issued + tally.issued, unchanged + tally.unchanged
        bad += tally.bad
    if bad:
        raise _RowsRefused(bad)
    _mine(run).update(rows_issued=issued, rows_unchanged=unchanged)
    run.refresh_from_db(fields=PROGRESS)
    _end_now(actor, run, ImportState.DONE)


def _end_as_refused(actor: Actor, run: ImportRun, bad: list[BadRow]) -> None:
    with transaction.atomic():
        _hold(run)
        write_refusals(run, bad)
        _mine(run).update(rows_refused=F("rows_refused") + len(bad))
        run.refresh_from_db(fields=PROGRESS)
        _end_now(actor, run, ImportState.REFUSED)


@transaction.atomic
def _end(actor: Actor, run: ImportRun, state: ImportState) -> None:
    _hold(run)
    _end_now(actor, run, state)


def _end_now(actor: Actor, run: ImportRun, state: ImportState) -> None:
    """In the caller's transaction, with the row held: the file is wiped, the event written."""
    run.state, run.ended_at, run.content_sealed = state, clock.now(), ""
    run.save(update_fields=["state", "ended_at", "content_sealed"])
    record_end(actor, run)


def sweep() -> int:
    """Go on with what waits or was left behind, oldest first; close what nobody goes on with. Returns how many."""
    now = clock.now()
    lapsed = ImportRun.objects.filter(state=ImportState.RUNNING, claim_until__lte=now)
    for run in [
        *lapsed.filter(content_sealed=""),
        *ImportRun.objects.filter(state=ImportState.READY, created_at__lte=now - READY_KEPT),
    ]:
        _stop(run)
    waiting = ImportRun.objects.filter(state=ImportState.WAITING) | lapsed.exclude(content_sealed="")
    found = list(waiting.order_by("created_at").values_list("pk", flat=True)[:10])
    for run_id in found:
        try:
            run_import(str(run_id))
        except Exception:  # whatever it was: the row is still there, and the claim runs out
            log.exception("import not carried on", extra={"import_id": str(run_id)})
    return len(found)


@transaction.atomic
def _stop(run: ImportRun) -> None:
    """End what nobody goes on with, unless somebody just did."""
    same = ImportRun.objects.filter(pk=run.pk, state=run.state, claim_until=run.claim_until)
    if list(same.select_for_update().values_list("pk")):
        _end_now(Actor.system("imports.sweep", bank_id=run.bank_id), run, ImportState.STOPPED)


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
            tally = _advance(actor, run, some, position=0, write=not all_or_nothing)
            progress(run, tally.bad)
        _close(actor, run, lambda: read_rows(open_file()))
    finally:
        if run.ended_at is None:
            _stop(run)
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
