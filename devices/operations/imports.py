"""Imports of issued devices by staff: upload a file, look at what was read, start it or discard it.

A worker does the rest: `import_work`. A row with a full card number is refused while the file is read, and is stored
nowhere, not even sealed.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePath
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import ImportRun
from devices.operations.import_batches import write_refusals
from devices.operations.import_rows import COLUMNS, BadRow, Row, read_rows, wanted_of
from devices.operations.issued import ISSUE
from devices.operations.issued_facts import check_reason
from devices.policies import issued as policies
from devices.states import ImportState
from portal import jobs, vault
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.card_numbers import holds_card_number
from portal.core.errors import Conflict, InvalidInput, InvalidState, NotFound

START: Final = "device-import.start"
RUN_TASK: Final = "imports.run"
CONTENT: Final = "import.content"
# Our own policy: what a web thread reads in a second or two, and what a worker may hold whole. The command takes
# files of any size.
UPLOAD_LIMIT: Final = 2 * 1024 * 1024  # bytes
UPLOAD_ROWS: Final = 10_000
TOO_LARGE: Final = "At most 2 MB and 10,000 rows are taken here. Use the command, which takes files of any size."
NO_NAME: Final = "import.csv"


def upload_import(*, actor: Actor, file_name: str, data: bytes, all_or_nothing: bool = False) -> ImportRun:
    """Read a file and keep its rows, sealed, until somebody starts the import; each call keeps another.

    data: as `import_rows` describes it, at most `UPLOAD_LIMIT` bytes and `UPLOAD_ROWS` rows. Rows that cannot be read
    are refused at once; with all_or_nothing one of them ends it (REFUSED, nothing kept). Raises Forbidden, and
    InvalidInput at `file`.
    """
    policies.issue(actor).require()
    if len(data) > UPLOAD_LIMIT:
        raise too_large()
    kept: list[str] = []
    bad: list[BadRow] = []
    for row in read_rows(BytesIO(data)):
        if len(kept) + len(bad) == UPLOAD_ROWS:
            raise too_large()
        refused = row if isinstance(row, BadRow) else _refused(row)
        if refused is not None:
            bad.append(refused)
        elif isinstance(row, Row):
            kept.append(_packed(row))
    if not kept and not bad:
        raise InvalidInput.at("file", "no-rows", "There is no row below the header.")
    return _keep(actor, _short_name(file_name), "".join(kept), len(kept) + len(bad), bad, all_or_nothing)


def too_large() -> InvalidInput:
    """The refusal of a file that is too large, also for a door that does not even read it."""
    return InvalidInput.at("file", "too-large", TOO_LARGE)


def _refused(row: Row) -> BadRow | None:
    """Why a row will be refused whatever the bank's customers and references are."""
    wanted = wanted_of(row)
    return wanted if isinstance(wanted, BadRow) else None


@transaction.atomic
def _keep(
    actor: Actor, file_name: str, content: str, rows: int, bad: list[BadRow], all_or_nothing: bool
) -> ImportRun:
    now = clock.now()
    refused = bool(bad) and (all_or_nothing or not content)
    run = ImportRun(
        bank_id=bank_of(actor),
        uploaded_by_id=actor.user_id,
        file_name=file_name,
        all_or_nothing=all_or_nothing,
        state=ImportState.REFUSED if refused else ImportState.READY,
        rows_total=rows,
        rows_done=len(bad),
        rows_refused=len(bad),
        created_at=now,
        ended_at=now if refused else None,
    )
    run.content_sealed = "" if refused else vault.seal(CONTENT, run.pk, content)
    run.save(force_insert=True)
    write_refusals(run, bad)
    if refused:
        record_end(actor, run)
    return run


def bank_of(actor: Actor) -> UUID:
    """The bank that an import is for. Raises ValueError for an actor without one."""
    if actor.bank_id is None:
        raise ValueError("an import belongs to a bank")
    return actor.bank_id


def _short_name(file_name: str) -> str:
    """The file's own name, where it is one line and holds no card number."""
    name = PurePath(file_name.replace("\\", "/")).name.strip()[-120:]
    return name if name and name.isprintable() and not holds_card_number(name) else NO_NAME


def _named(run: ImportRun) -> dict[str, object]:
    return {"run_id": str(run.pk)}


def _facts(run: ImportRun) -> dict[str, object]:
    return {"run_id": str(run.pk), "state": run.state, "rows": run.rows_total}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    run = _found(actor, arguments["run_id"])
    rows = run.rows_total - run.rows_refused
    return [(rows, f"rows of {run.file_name} are issued as cards and tokens, where their customers are known.")]


@four_eyes(
    FourEyes(
        name=START, label="Import cards and tokens", names=_named, preview=_preview, facts=_facts, covers=(ISSUE,)
    )
)
@transaction.atomic
def start_import(*, actor: Actor, run_id: str, digest: str, reason: str = "") -> ImportRun:
    """Let the workers take an uploaded file. One that was started already stays as it is.

    digest: `content_digest` of what was looked at. reason: up to 500 characters; staff must give one. Raises
    Forbidden, NotFound, InvalidInput, InvalidState `import-over`, Conflict `content-changed`, and ApprovalRequired
    where the bank's policy says so for this or for issuing.
    """
    policies.issue(actor).require()
    reason = check_reason(reason, required=actor.is_staff)
    run = _found(actor, run_id, lock=True)
    if run.state in {ImportState.WAITING, ImportState.RUNNING, ImportState.DONE}:
        return run
    if run.state != ImportState.READY:
        raise InvalidState("This import is over. Upload the file again.", code="import-over")
    if digest != content_digest(run):
        raise Conflict("This is not the file that was looked at.", code="content-changed")
    for operation in (START, ISSUE):
        require_by_policy(actor, operation, run)
    run.move_to(ImportState.WAITING)
    run.started_by_id = actor.user_id
    run.save(update_fields=["state", "started_by"])
    told = {"rows": run.rows_total, "all_or_nothing": run.all_or_nothing}
    audit.record(actor, Event.DEVICE_IMPORT_STARTED, run, reason=reason, details=told)
    jobs.ring(RUN_TASK, run.pk)
    return run


@transaction.atomic
def discard_import(*, actor: Actor, run_id: str) -> ImportRun:
    """Forget an uploaded file that was not started. One that is discarded already stays so.

    Raises Forbidden, NotFound, InvalidState `import-started`.
    """
    policies.issue(actor).require()
    run = _found(actor, run_id, lock=True)
    if run.state == ImportState.STOPPED:
        return run
    if run.state != ImportState.READY:
        raise InvalidState("This import was started already.", code="import-started")
    run.move_to(ImportState.STOPPED)
    run.ended_at, run.content_sealed = clock.now(), ""
    run.save(update_fields=["state", "ended_at", "content_sealed"])
    record_end(actor, run)
    return run


def _found(actor: Actor, run_id: str, *, lock: bool = False) -> ImportRun:
    runs = ImportRun.objects.visible_to(actor)
    try:
        key = UUID(run_id)
    except ValueError:
        raise NotFound("There is no such import.") from None
    run = (runs.select_for_update() if lock else runs).filter(pk=key).first()
    if run is None:
        raise NotFound("There is no such import.")
    return run


def content_of(run: ImportRun) -> bytes:
    """The rows that were kept, one a line."""
    return vault.unseal(CONTENT, run.pk, run.content_sealed).encode()


def content_digest(run: ImportRun) -> str:
    """A keyed name for exactly the rows that were kept."""
    return vault.digest(CONTENT, run.pk, content_of(run).decode())


def _packed(row: Row) -> str:
    return json.dumps([row.line, [row.values.get(column, "") for column in COLUMNS]], separators=(",", ":")) + "\n"


def kept_rows(content: bytes, position: int) -> Iterator[tuple[Row, int]]:
    """The rows of `content` from a position on, each with the position after it."""
    stream = BytesIO(content)
    stream.seek(position)
    for packed in stream:
        position += len(packed)
        line, cells = json.loads(packed)
        yield Row(line, dict(zip(COLUMNS, cells, strict=True))), position


def record_end(actor: Actor, run: ImportRun) -> None:
    """Write that an import is over, with what came of it."""
    counts = {"issued": run.rows_issued, "unchanged": run.rows_unchanged, "refused": run.rows_refused}
    audit.record(
        actor,
        Event.DEVICE_IMPORT_ENDED,
        run,
        after={"state": run.state},
        details={"rows": run.rows_total, "done": run.rows_done, **counts},
    )
