"""Many writers while the sealer runs: nothing is missing, nothing is there twice, the tree has one line."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import pytest
from django.db import connection

from portal.audit import notes, sealing
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.tests.factories import make_actor, write_event
from portal.audit.verification import verify

pytestmark = pytest.mark.django_db(transaction=True)


def write(writer: int, number: int) -> list[UUID]:
    try:
        actor = make_actor(name=f"writer{writer}")
        return [write_event(actor, reason=f"{count}").pk for count in range(number)]
    finally:
        connection.close()


def seal_until(done: Flag, failures: list[Exception]) -> None:
    try:
        while not done.wait(0.02):
            sealing.seal_now()
    except Exception as failure:  # noqa: BLE001  told to the test
        failures.append(failure)
    finally:
        connection.close()


def write_while_sealing(writers: int, number: int, sealers: int) -> list[UUID]:
    done, failures = Flag(), list[Exception]()
    threads = [Thread(target=seal_until, args=(done, failures)) for _ in range(sealers)]
    for thread in threads:
        thread.start()
    try:
        with ThreadPoolExecutor(writers) as pool:
            written = list(pool.map(write, range(writers), [number] * writers))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    return [event for events in written for event in events]


def whole(written: list[UUID], file: Path) -> None:
    sealing.seal_all()
    assert len(set(written)) == len(written)
    assert set(AuditEvent.objects.values_list("pk", flat=True)) == set(written)
    assert set(AuditLeaf.objects.values_list("event_id", flat=True)) == set(written)
    stored = list(AuditCheckpoint.objects.order_by("size").values_list("note", flat=True))
    assert file.read_text() == "".join(f"{note}\n" for note in stored)
    previous = [notes.NO_PREVIOUS, *map(notes.digest, stored[:-1])]
    assert [notes.read(note).previous for note in stored] == previous
    report = verify()
    assert (report.problem, report.leaves, report.unsealed) == ("", len(written), 0)
    assert report.checkpoints == len(stored) > 1


def test_sixteen_writers_and_two_sealers(audit_checkpoint_file: Path) -> None:
    whole(write_while_sealing(16, 100, 2), audit_checkpoint_file)


@pytest.mark.slow
def test_sixty_four_writers_of_a_thousand(audit_checkpoint_file: Path) -> None:
    whole(write_while_sealing(64, 1000, 2), audit_checkpoint_file)


def test_verification_beside_writers_and_sealers_finds_nothing_wrong() -> None:
    done, problems = Flag(), list[str]()

    def verify_until() -> None:
        try:
            while not done.wait(0.01):
                problems.append(verify().problem)
        finally:
            connection.close()

    thread = Thread(target=verify_until)
    thread.start()
    try:
        write_while_sealing(4, 100, 2)
    finally:
        done.set()
        thread.join()
    assert set(problems) == {""}
