"""A second opinion on a certificate, by pkilint. It is a development tool: most machines do not have it.

It runs in a process of its own, one at a time and for a bounded time; nothing of it is ever imported here.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from threading import BoundedSemaphore
from typing import Final

from portal.core.errors import Unavailable

SECONDS: Final = 20
MOST: Final = 100  # findings shown
_COMMAND: Final = ("-m", "pkilint.bin.lint_pkix_cert", "lint", "-s", "INFO", "-f", "JSON", "--document-format", "DER")
_one = BoundedSemaphore(1)


@dataclass(frozen=True)
class Word:
    """One finding: how bad it is, its name, and where in the certificate."""

    severity: str
    code: str
    where: str
    message: str


@dataclass(frozen=True)
class Said:
    """What pkilint said of one certificate."""

    findings: tuple[Word, ...]


@cache
def is_installed() -> bool:
    """Whether there is a pkilint to ask."""
    return find_spec("pkilint") is not None


def findings_of(der: bytes) -> Said:
    """What pkilint says, from INFO upwards. Raises Unavailable when it is busy, too slow, or does not answer."""
    if not _one.acquire(blocking=False):
        raise Unavailable("The linter is looking at another certificate. Try again.", code="linter-busy")
    try:
        done = subprocess.run(  # noqa: S603  a fixed command; the certificate goes in by its standard input
            [sys.executable, "-I", *_COMMAND, "-"], input=der, capture_output=True, timeout=SECONDS, check=False
        )
        return Said(tuple(_read(json.loads(done.stdout)))[:MOST])
    except (subprocess.TimeoutExpired, OSError, ValueError, KeyError, TypeError):
        raise Unavailable("The linter did not answer.", code="linter-failed") from None
    finally:
        _one.release()


def _read(said: object) -> list[Word]:
    if not isinstance(said, dict):
        raise TypeError
    return [
        Word(
            severity=str(finding["severity"]),
            code=str(finding["code"]),
            where=str(result["node_path"]).rpartition("certificate.")[2],
            message=str(finding.get("message") or ""),
        )
        for result in said["results"]
        for finding in result["finding_descriptions"]
    ]
