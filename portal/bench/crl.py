"""CRLs: how long a list takes, from the database to the stored list, and in how much memory."""

import resource
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Final

from pki.operations.crls import publish
from portal.bench import own_database
from portal.bench._rows import ACTOR, make_authority, make_certificates

MOST_SECONDS: Final = 1.0  # of processor time, for a hundred thousand entries
MOST_MEGABYTES: Final = 300


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--entries", type=int, default=100_000, help="how many are revoked (default: 100,000)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Publish a list of so many entries twice."""
    entries = int(str(options["entries"]))
    with own_database():
        authority = make_authority()
        make_certificates(authority, entries, revoked=True)
        yield f"memory before: {_peak_megabytes()} MB"
        for _ in range(2):
            wall, processor = time.perf_counter(), time.process_time()
            crl = publish(ACTOR, authority)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            size = len(bytes(crl.der)) / 1_000_000
            taken = f"{wall:.2f} s ({processor:.2f} s of processor time, at most {MOST_SECONDS:.0f})"
            yield f"{crl.entries:,} entries, {size:.1f} MB: {taken}"
        yield f"memory: {_peak_megabytes()} MB (at most {MOST_MEGABYTES})"


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
