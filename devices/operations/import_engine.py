"""One run of an import: who has it, its batches, its end. Everybody who imports goes through here."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import batched
from typing import Final

from django.db import models, transaction
from django.db.models import F

from devices.models import ImportRun
from devices.operations.import_batches import BATCH, Rows, Tally, take, write_refusals
from devices.operations.import_rows import BadRow, Row
from devices.operations.imports import record_end
from devices.states import ImportState
from portal.accounts.models import Bank
from portal.core import clock
from portal.core.actor import Actor
from portal.races import retried_on_conflict

CLAIM: Final = timedelta(seconds=60)  # far above the seconds that a batch takes
PROGRESS: Final = ("position", "rows_done", "rows_issued", "rows_unchanged", "rows_refused", "claim_until")


class ClaimLost(Exception):
    """Another worker has the run, or it is over."""


class _RowsRefused(Exception):
    """Takes back what all-or-nothing has issued so far."""

    def __init__(self, bad: list[BadRow]) -> None:
        self.bad = bad


def mine(run: ImportRun) -> models.QuerySet[ImportRun]:
    """The run's row, while nobody else has claimed it and it is not over."""
    return ImportRun.objects.filter(pk=run.pk, state=ImportState.RUNNING, claim_until=run.claim_until)


def advance(actor: Actor, run: ImportRun, rows: Rows, *, position: int, write: bool) -> Tally:
    """One batch, and what is in hand follows it. Raises ClaimLost."""
    tally = _do_batch(actor, run, rows, position=position, write=write)
    run.refresh_from_db(fields=PROGRESS)  # not before it is committed: a second attempt starts from the same claim
    return tally


@retried_on_conflict
def _do_batch(actor: Actor, run: ImportRun, rows: Rows, *, position: int, write: bool) -> Tally:
    """A batch and its progress in one transaction: both stand or neither."""
    hold(run)
    tally = take(actor, run, rows, write=write)
    write_refusals(run, tally.bad)
    _count(run, tally, position, issued=write)
    return tally


def hold(run: ImportRun) -> None:
    """Lock the row until the transaction ends, and see that it is still ours. Raises ClaimLost."""
    if not list(mine(run).select_for_update().values_list("pk")):
        raise ClaimLost


def _count(run: ImportRun, tally: Tally, position: int, *, issued: bool) -> None:
    mine(run).update(
        position=position,
        rows_done=F("rows_done") + tally.rows,
        rows_issued=F("rows_issued") + (tally.issued if issued else 0),
        rows_unchanged=F("rows_unchanged") + (tally.unchanged if issued else 0),
        rows_refused=F("rows_refused") + len(tally.bad),
        claim_until=clock.now() + CLAIM,
        attempts=0,
    )


def close(actor: Actor, run: ImportRun, rows: Callable[[], Iterable[Row | BadRow]]) -> None:
    """After the last row: issue everything where nothing stood in the way, and end the run."""
    if run.all_or_nothing and run.rows_refused:
        end_as_refused(actor, run, [])
    elif run.all_or_nothing:
        try:
            _issue_all(actor, run, rows)
        except _RowsRefused as refused:
            end_as_refused(actor, run, refused.bad)
    else:
        _end(actor, run, ImportState.DONE)


@retried_on_conflict
def _issue_all(actor: Actor, run: ImportRun, rows: Callable[[], Iterable[Row | BadRow]]) -> None:
    """All in one transaction. A row that is refused now, after all, takes everything back."""
    # Two of them at once would lock the same customers, each in the order of its file: the second waits here.
    list(Bank.objects.select_for_update(no_key=True).filter(pk=run.bank_id).values_list("pk"))
    hold(run)
    issued = unchanged = 0
    bad: list[BadRow] = []
    for some in batched(rows(), BATCH):
        tally = take(actor, run, some, write=not bad)
        issued, unchanged = issued + tally.issued, unchanged + tally.unchanged
        bad += tally.bad
    if bad:
        raise _RowsRefused(bad)
    mine(run).update(rows_issued=issued, rows_unchanged=unchanged)
    run.refresh_from_db(fields=PROGRESS)
    _end_now(actor, run, ImportState.DONE)


def end_as_refused(actor: Actor, run: ImportRun, bad: list[BadRow]) -> None:
    """End the run as refused; `bad`: the rows that are still to be told of. Raises ClaimLost."""
    rows = sum(row.line > 0 for row in bad)  # line 0 is no row: it says why the whole import is refused
    with transaction.atomic():
        hold(run)
        write_refusals(run, bad)
        mine(run).update(rows_refused=F("rows_refused") + rows)
        run.refresh_from_db(fields=PROGRESS)
        _end_now(actor, run, ImportState.REFUSED)


@transaction.atomic
def _end(actor: Actor, run: ImportRun, state: ImportState) -> None:
    hold(run)
    _end_now(actor, run, state)


def _end_now(actor: Actor, run: ImportRun, state: ImportState) -> None:
    """In the caller's transaction, with the row held: the file is wiped, the event written."""
    run.refresh_from_db(fields=["state"])  # an attempt that was rolled back has moved it in memory
    run.move_to(state)
    run.ended_at, run.content_sealed = clock.now(), ""
    run.save(update_fields=["state", "ended_at", "content_sealed"])
    record_end(actor, run)


@transaction.atomic
def stop(run: ImportRun) -> None:
    """End what nobody goes on with, unless somebody just did."""
    same = ImportRun.objects.filter(pk=run.pk, state=run.state, claim_until=run.claim_until)
    if list(same.select_for_update().values_list("pk")):
        _end_now(Actor.system("imports.sweep", bank_id=run.bank_id), run, ImportState.STOPPED)
