"""`manage.py audit_verify`: whether the audit log is whole."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import Error as DatabaseProblem

from portal.audit.verification import Report, verify
from portal.core import clock


class Command(BaseCommand):
    help = "Check the whole audit log; name the first bad row and exit with 1 if there is one. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, help="the checkpoint file (default: this node's)")
        parser.add_argument("--quiet", action="store_true", help="print only what is wrong")

    def handle(self, *, file: Path | None, quiet: bool, **_: object) -> None:
        try:
            report = verify(file)
        except OSError as error:
            self.stderr.write(f"FAILED: the checkpoint file cannot be read: {error.strerror} ({error.filename})")
            sys.exit(1)
        except DatabaseProblem as error:
            self.stderr.write(f"FAILED: the database cannot be read: {error}")
            sys.exit(1)
        if report.problem:
            self.stderr.write(f"FAILED: {report.problem}.")
            sys.exit(1)
        if not quiet:
            self.stdout.write("\n".join(_lines(report)))


def _lines(report: Report) -> list[str]:
    lines = [
        f"OK: {report.events} events, {report.leaves} leaves, {report.checkpoints} checkpoints.",
        f"Tree: size {report.leaves}, root {report.root}.",
    ]
    if report.oldest_unsealed:
        age = (clock.now() - report.oldest_unsealed).total_seconds()
        lines.append(f"Not sealed yet: {report.unsealed} events, the oldest {age:.1f} s old.")
    else:
        lines.append("Not sealed yet: 0 events.")
    if report.file_behind:
        lines.append(f"The file {report.file} is behind by {report.file_behind}; the next sealing writes them.")
    return lines
