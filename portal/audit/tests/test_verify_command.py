import gc
import tracemalloc
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from portal.audit import encoding, sealing, verification
from portal.audit.models import AuditCheckpoint, AuditEvent
from portal.audit.testing import without_triggers
from portal.audit.tests.factories import write_events

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("audit_verify", *arguments, stdout=out, stderr=err, no_color=True)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_an_empty_log_is_whole() -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("OK: 0 events, 0 leaves, 0 checkpoints.\nTree: size 0, root e3b0c442")


def test_a_whole_log_is_counted() -> None:
    write_events(5)
    sealing.seal_now()
    write_events(2)
    code, out, err = run()
    first, second, third = out.splitlines()
    assert (code, err) == (0, "")
    assert first == "OK: 7 events, 5 leaves, 1 checkpoints."
    assert second == f"Tree: size 5, root {AuditCheckpoint.objects.get().root}."
    assert third.startswith("Not sealed yet: 2 events, the oldest 0.")


def test_an_edited_row_is_named_and_the_exit_code_is_1() -> None:
    events = write_events(5)
    sealing.seal_now()
    with without_triggers():
        AuditEvent.objects.filter(pk=events[3].pk).update(actor_label="Piotr")
    code, out, err = run("--quiet")
    assert (code, out) == (1, "")
    assert err.startswith(f"FAILED: event {events[3].pk} (position 3) was edited")


def test_quiet_says_nothing_when_all_is_well() -> None:
    write_events(1)
    assert run("--quiet") == (0, "", "")


def test_another_file_can_be_named(tmp_path: Path, audit_checkpoint_file: Path) -> None:
    write_events(1)
    sealing.seal_now()
    copy = tmp_path / "copy"
    copy.write_bytes(audit_checkpoint_file.read_bytes())
    write_events(1)
    sealing.seal_now()
    code, out, _ = run("--file", str(copy))
    assert code == 0
    assert out.splitlines()[-1] == f"The file {copy} is behind by 1; the next sealing writes them."


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code, out, err = run("--file", str(tmp_path / "folder"))
    assert (code, out) == (1, "")
    assert err.startswith("FAILED: the checkpoint file cannot be read: Is a directory")


def test_it_seals_nothing_and_writes_nothing() -> None:
    write_events(3)
    with CaptureQueriesContext(connection) as queries:
        run()
    assert {query["sql"].split()[0] for query in queries} <= {"SELECT", "DECLARE"}
    assert AuditCheckpoint.objects.count() == 0


@pytest.mark.slow
def test_a_log_four_times_as_long_needs_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its peak, with the collector called at each span: its own pace is not what is measured.

    The short log has a hundred spans and more already: psycopg remembers as many statements.
    """
    monkeypatch.setattr(verification, "SPAN", 4)
    spans: list[int] = []
    read_rows = verification._rows

    def collected(events: QuerySet[AuditEvent]) -> Iterator[encoding.Row]:
        spans.append(gc.collect())
        return read_rows(events)

    def peak() -> int:
        """In bytes."""
        spans.clear()
        gc.freeze()  # the rest of the suite need not be looked through each time
        tracemalloc.start()
        try:
            assert verification.verify().problem == ""
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    monkeypatch.setattr(verification, "_rows", collected)
    write_events(440)
    sealing.seal_now()
    verification.verify()  # what is made once
    short = peak()
    assert len(spans) == 111
    write_events(1320)
    sealing.seal_now()
    assert peak() < 1.5 * short
    assert len(spans) == 441
