import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.audit import checkpoint_file, encoding, merkle, notes, sealing
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf, Sealer
from portal.audit.testing import without_triggers
from portal.audit.tests.factories import write_event, write_events
from portal.audit.verification import verify

NOON = datetime(2024, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def test_with_an_empty_log_nothing_is_written(db: None, audit_checkpoint_file: Path) -> None:
    assert sealing.seal_now() == 0
    assert AuditCheckpoint.objects.count() == 0
    assert audit_checkpoint_file.read_bytes() == b""


def test_events_get_their_places_in_the_order_of_their_ids(db: None) -> None:
    written = [event.pk for event in write_events(7)]
    assert sealing.seal_now() == 7
    assert list(AuditLeaf.objects.order_by("position").values_list("position", "event_id")) == list(
        enumerate(written)
    )


def test_a_checkpoint_signs_the_tree_of_all_events(db: None) -> None:
    write_events(3)
    sealing.seal_now()
    write_events(2)
    assert sealing.seal_now() == 2
    tree = merkle.Tree()
    for row in encoding.rows_of(AuditEvent.objects.order_by("id")):
        tree.append(merkle.leaf_hash(encoding.leaf_data(encoding.encode(row), row[-1])))
    first, second = AuditCheckpoint.objects.order_by("size")
    assert (first.size, second.size) == (3, 5)
    assert second.root == tree.root().hex()
    assert (first.previous, second.previous) == (notes.NO_PREVIOUS, notes.digest(first.note))
    notes.check(second.note, sealing.signing_key().public_key())
    assert notes.read(second.note).root == tree.root()


def test_a_second_run_seals_nothing_and_writes_nothing(db: None, audit_checkpoint_file: Path) -> None:
    write_events(3)
    sealing.seal_now()
    before = audit_checkpoint_file.read_bytes()
    assert sealing.seal_now() == 0
    assert AuditCheckpoint.objects.count() == 1
    assert audit_checkpoint_file.read_bytes() == before


@pytest.mark.django_db(transaction=True)
def test_with_nothing_to_seal_nothing_is_locked() -> None:
    write_events(1)
    sealing.seal_now()
    with CaptureQueriesContext(connection) as queries:
        sealing.seal_now()
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * 3


def test_a_long_queue_is_sealed_in_several_transactions(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    write_events(7)
    assert sealing.seal_now() == 7
    assert list(AuditCheckpoint.objects.order_by("size").values_list("size", flat=True)) == [3, 6, 7]
    assert verify().problem == ""


def test_every_checkpoint_is_in_the_file(db: None, audit_checkpoint_file: Path) -> None:
    for _ in range(3):
        write_events(2)
        sealing.seal_now()
    stored = AuditCheckpoint.objects.order_by("size").values_list("note", flat=True)
    assert audit_checkpoint_file.read_text() == "".join(f"{note}\n" for note in stored)


def test_a_run_that_was_killed_in_a_long_queue_goes_on_where_it_stopped(
    db: None, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "BATCH", 2)
    for _ in range(5):
        write_event()
        clock.shift(600)
    assert len(sealing._seal_batch(sealing.unsealed())) == 2
    assert sealing.seal_now() == 3


def test_what_committed_late_is_left_to_the_sweep(db: None, clock: time_machine.Traveller) -> None:
    late = write_event()
    with without_triggers():  # a transaction that has not committed yet
        AuditEvent.objects.all().delete()
    clock.shift(sealing.LATE + timedelta(seconds=1))
    write_event()
    assert sealing.seal_now() == 1
    late.save(force_insert=True)
    assert sealing.seal_now() == 0
    assert sealing.seal_all() == 1
    assert verify().problem == ""
    write_event()
    assert sealing.seal_now() == 1


def test_a_clock_that_ran_ahead_hides_nobody(db: None, clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(days=30))
    write_event()
    sealing.seal_now()
    clock.move_to(NOON + timedelta(minutes=1))
    write_event()
    assert sealing.unsealed_window() == (1, 0.0)
    assert sealing.seal_now() == 1


def test_the_window_is_counted_and_has_an_age(db: None, clock: time_machine.Traveller) -> None:
    assert sealing.unsealed_window() == (0, None)
    write_event()
    clock.shift(2.5)
    write_event()
    clock.shift(1)
    assert sealing.unsealed_window() == (2, 3.5)
    sealing.seal_now()
    assert sealing.unsealed_window() == (0, None)


def test_looking_at_the_window_is_three_queries(db: None) -> None:
    write_events(3)
    sealing.seal_now()
    write_events(2)
    with CaptureQueriesContext(connection) as queries:
        sealing.unsealed_window()
    assert len(queries) == 3


def test_a_checkpoint_that_the_file_missed_is_written_by_the_next_run(db: None, audit_checkpoint_file: Path) -> None:
    write_events(2)
    sealing.seal_now()
    write_events(2)
    sealing._seal_batch(sealing.unsealed())  # killed between the commit and the file
    assert sealing.seal_now() == 0
    stored = AuditCheckpoint.objects.order_by("size").values_list("note", flat=True)
    assert audit_checkpoint_file.read_text() == "".join(f"{note}\n" for note in stored)


def test_another_node_writes_its_file_from_the_table(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for _ in range(3):
        write_events(1)
        sealing.seal_now()
    monkeypatch.setattr(checkpoint_file, "default_path", lambda: tmp_path / "node2" / "checkpoints")
    write_events(1)
    sealing.seal_now()
    assert verify().checkpoints == 4
    assert verify().file_behind == 0


def test_a_disk_that_refuses_costs_no_seal(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(checkpoint_file, "default_path", lambda: tmp_path / "file" / "checkpoints")
    write_events(2)
    assert sealing.seal_now() == 2
    assert caplog.messages == ["the audit checkpoint file could not be written"] * 2


def nothing_sealed_more() -> None:
    write_events(1)
    before = AuditLeaf.objects.count(), AuditCheckpoint.objects.count()
    with pytest.raises(sealing.LogBroken):
        sealing.seal_now()
    assert (AuditLeaf.objects.count(), AuditCheckpoint.objects.count()) == before


def test_nothing_is_sealed_over_a_lost_end(db: None) -> None:
    for _ in range(2):
        write_events(2)
        sealing.seal_now()
    with without_triggers():
        AuditCheckpoint.objects.filter(size=4).delete()
        AuditLeaf.objects.filter(position__gte=2).delete()
    nothing_sealed_more()


def test_nothing_is_sealed_over_a_checkpoint_that_only_the_file_began(db: None, audit_checkpoint_file: Path) -> None:
    write_events(2)
    sealing.seal_now()
    with audit_checkpoint_file.open("ab") as file:
        file.write(b"device-trust")
    nothing_sealed_more()


@pytest.mark.parametrize("change", [{"frontier": "00" * 32}, {"frontier": ""}, {"note": "nothing"}])
def test_nothing_is_sealed_onto_a_changed_checkpoint(db: None, change: dict[str, str]) -> None:
    write_events(2)
    sealing.seal_now()
    with without_triggers():
        AuditCheckpoint.objects.update(**change)
    nothing_sealed_more()


def test_nothing_is_sealed_onto_a_checkpoint_of_another_key(db: None, settings: LazySettings) -> None:
    write_events(2)
    sealing.seal_now()
    settings.AUDIT_SIGNING_KEY = b"another key, of thirty-two bytes"
    nothing_sealed_more()


@pytest.mark.django_db(transaction=True)
def test_on_sqlite_a_sealed_commit_waits_for_the_disk() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL waits at each commit")
    write_events(1)
    with CaptureQueriesContext(connection) as queries:
        sealing.seal_now()
    statements = [query["sql"] for query in queries]
    full, usual = statements.index("PRAGMA synchronous=FULL"), statements.index("PRAGMA synchronous=1")
    assert [sql for sql in statements[full:usual] if sql in ("BEGIN IMMEDIATE", "COMMIT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]


@pytest.mark.django_db(transaction=True)
def test_while_one_process_seals_another_does_not() -> None:
    write_events(2)
    Sealer.objects.create(pk=1)
    held, done = Flag(), Flag()

    def hold() -> None:
        with transaction.atomic():
            Sealer.objects.select_for_update().get()
            held.set()
            done.wait(10)
        connection.close()

    def seal() -> None:
        results.append(sealing.seal_now())
        connection.close()

    results: list[int] = []
    holder = Thread(target=hold)
    holder.start()
    held.wait(10)
    sealer = Thread(target=seal)
    sealer.start()
    time.sleep(0.2)
    if connection.vendor == "postgresql":
        sealer.join(10)
    done.set()
    holder.join(10)
    sealer.join(10)
    assert results == ([0] if connection.vendor == "postgresql" else [2])
    sealing.seal_now()
    assert AuditLeaf.objects.count() == 2
