"""The audit log: how fast events are written, sealed and verified, and in how much memory."""

import resource
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping

from django.db import transaction

from portal.audit import log, sealing
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.audit.verification import verify
from portal.bench import own_database
from portal.core.actor import Actor, Channel

SAMPLE = 5000  # events written one by one, as operations do; the others are loaded in bulk
LOADED_AT_ONCE = 2000
ACTOR = Actor.system("bench", channel=Channel.COMMAND)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=100_000, help="how many events (default: 100,000)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Write, seal and verify `rows` events; a line for each step."""
    rows = int(str(options["rows"]))
    with own_database():
        sample = min(rows, SAMPLE)
        yield _timed("written", sample, lambda: _write(sample))
        yield _timed("loaded", rows - sample, lambda: _load(rows - sample))
        yield _timed("sealed", rows, sealing.seal_all)
        memory = _peak_megabytes()
        yield _timed("verified", rows, _verify)
        yield f"memory: {memory} MB before verification, {_peak_megabytes()} MB at most"


def _write(rows: int) -> None:
    for number in range(rows):
        with transaction.atomic():
            log.record(ACTOR, Event.DEVICE_UPDATED, None, reason="measured", details={"number": number})


def _load(rows: int) -> None:
    for start in range(0, rows, LOADED_AT_ONCE):
        AuditEvent.objects.bulk_create(
            log.prepared(ACTOR, Event.DEVICE_UPDATED, None, reason="loaded", details={"number": number})
            for number in range(start, min(start + LOADED_AT_ONCE, rows))
        )


def _verify() -> None:
    problem = verify().problem
    if problem:
        raise AssertionError(problem)


def _timed(what: str, rows: int, step: Callable[[], object]) -> str:
    wall, processor = time.perf_counter(), time.process_time()
    step()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return f"{what}: {rows} events in {wall:.1f} s ({processor:.1f} s of processor time)"


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
