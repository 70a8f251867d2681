"""The audit log: how fast events are written, sealed and verified, and in how much memory."""

import resource
import shutil
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.test.utils import override_settings

from portal.audit import log, sealing
from portal.audit.events import Event
from portal.audit.verification import verify
from portal.core.actor import Actor, Channel

WRITTEN_AT_ONCE = 1000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=100_000, help="how many events (default: 100,000)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Write, seal and verify `rows` events; a line for each step."""
    rows = int(str(options["rows"]))
    with _own_database():
        yield _line("written", rows, _timed(lambda: _write(rows)))
        yield _line("sealed", rows, _timed(sealing.seal_all))
        memory = _peak_megabytes()
        yield _line("verified", rows, _timed(_verify))
        yield f"memory: {memory} MB before verification, {_peak_megabytes()} MB at most"


def _write(rows: int) -> None:
    actor = Actor.system("bench", channel=Channel.COMMAND)
    for start in range(0, rows, WRITTEN_AT_ONCE):
        with transaction.atomic():
            for number in range(start, min(start + WRITTEN_AT_ONCE, rows)):
                log.record(actor, Event.DEVICE_UPDATED, None, reason="measured", details={"number": number})


def _verify() -> None:
    problem = verify().problem
    if problem:
        raise AssertionError(problem)


def _timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _line(what: str, rows: int, seconds: float) -> str:
    return f"{what}: {rows} events in {seconds:.1f} s, {rows / max(seconds, 1e-9):.0f} a second"


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def _own_database() -> Iterator[None]:
    """A fresh database and folder, as the test suite has."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    name = str(settings.DATABASES["default"]["NAME"])
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": str(folder / "bench.sqlite3")}
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with override_settings(VAR=folder):
            yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        shutil.rmtree(folder, ignore_errors=True)
