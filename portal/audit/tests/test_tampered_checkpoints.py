"""Somebody changes the checkpoints, in the table or in the file. Verification names the first bad one."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection

from portal.audit import notes, sealing
from portal.audit.models import AuditCheckpoint, AuditEvent
from portal.audit.tests.factories import write_events
from portal.audit.tests.tampering import cut_to, found, records
from portal.audit.verification import verify
from portal.core import clock


@pytest.mark.parametrize(
    "change",
    [
        {"root": "0" * 64},
        {"previous": "0" * 64},
        {"key_id": "00000000"},
        {"at": clock.parse_rfc3339("2020-01-01T00:00:00Z")},
    ],
)
def test_an_edited_checkpoint(ten: list[AuditEvent], change: dict[str, object]) -> None:
    AuditCheckpoint.objects.filter(size=8).update(**change)
    assert found() == "checkpoint 8 was edited: its columns do not say what its signed text says"


@pytest.mark.parametrize("change", ["note = x'00'", "note = 7", "at = 'soon'", "size = 'x'", "frontier = x'00'"])
def test_a_column_with_what_no_database_of_ours_writes(ten: list[AuditEvent], change: str) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL keeps to the column's type")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditcheckpoint SET {change} WHERE size = 8")
    assert found() != ""


def test_an_edited_frontier(ten: list[AuditEvent]) -> None:
    AuditCheckpoint.objects.filter(size=8).update(frontier="00" * 32)
    assert found() == "checkpoint 8 was edited: its frontier is not the tree's"


def test_a_checkpoint_moved_to_another_size(ten: list[AuditEvent]) -> None:
    AuditCheckpoint.objects.filter(size=8).update(size=7)
    assert found() == "checkpoint 7 was edited: its columns do not say what its signed text says"


def test_a_removed_checkpoint(ten: list[AuditEvent]) -> None:
    AuditCheckpoint.objects.filter(size=8).delete()
    assert found().startswith("checkpoint 10 does not follow the one before it")


def forge(size: int, sign: Callable[[notes.Checkpoint], str]) -> None:
    checkpoint = AuditCheckpoint.objects.get(size=size)
    AuditCheckpoint.objects.filter(size=size).update(note=sign(notes.read(checkpoint.note)))


def test_a_forged_checkpoint(ten: list[AuditEvent], settings: LazySettings) -> None:
    ours = settings.AUDIT_SIGNING_KEY
    settings.AUDIT_SIGNING_KEY = b"f" * 32
    forge(8, lambda checkpoint: notes.sign(checkpoint, sealing.signing_key()))
    settings.AUDIT_SIGNING_KEY = ours
    assert found() == "checkpoint 8 is forged: signed with a key that is not ours"


def test_a_whole_log_forged_without_the_signing_key(ten: list[AuditEvent], settings: LazySettings) -> None:
    ours = settings.AUDIT_SIGNING_KEY
    cut_to(ten, 0)
    settings.AUDIT_SIGNING_KEY = b"f" * 32
    write_events(4)
    sealing._seal_batch(sealing.unsealed())
    settings.AUDIT_SIGNING_KEY = ours
    assert found() == "checkpoint 4 is forged: signed with a key that is not ours"


def test_the_file_is_another_logs(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    record = audit_checkpoint_file.read_text().replace("at 20", "at 19", 1)
    audit_checkpoint_file.write_text(record)
    assert found() == "checkpoint 4 is not the next one in the file, which has 4"


def test_a_record_removed_from_the_file(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    first, _, third = records(audit_checkpoint_file)
    audit_checkpoint_file.write_text(first + third)
    assert found() == "checkpoint 8 is not the next one in the file, which has 10"


def test_a_file_that_only_missed_the_last_checkpoint_is_late(
    ten: list[AuditEvent], audit_checkpoint_file: Path
) -> None:
    audit_checkpoint_file.write_text("".join(records(audit_checkpoint_file)[:-1]))
    report = verify()
    assert (report.problem, report.file_behind) == ("", 1)


def test_a_file_whose_last_record_was_cut_short_is_late(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    audit_checkpoint_file.write_bytes(audit_checkpoint_file.read_bytes()[:-40])
    report = verify()
    assert (report.problem, report.file_behind) == ("", 1)


def test_an_end_cut_off_from_the_file(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    audit_checkpoint_file.write_text(records(audit_checkpoint_file)[0])
    assert found() == ""  # a full disk looks the same for a while
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert found() == "the file's end was cut off: 2 checkpoints are missing there"


def test_a_removed_file(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    audit_checkpoint_file.unlink()
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert found() == "the file's end was cut off: 3 checkpoints are missing there"


def test_something_else_written_into_the_file(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    with audit_checkpoint_file.open("a") as file:
        file.write("x")
    assert found() == "the log's end was cut off: the file begins a checkpoint that the database does not hold"
    audit_checkpoint_file.write_text("".join(records(audit_checkpoint_file)[:-1]) + "x")
    assert found() == "the file does not go on with checkpoint 10 but with something else"
