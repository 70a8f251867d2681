"""Imports cards and tokens from a file of any size."""

import os
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.models import ImportRun
from devices.operations.import_rows import BadRow
from devices.operations.import_work import import_file
from devices.sheets import refused_sheet
from devices.states import ImportState
from portal.accounts.models import Bank
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError

SHOWN: Final = 20  # refused rows on the terminal; the report has all


class Command(BaseCommand):
    help = (
        "Import cards and tokens from a CSV file (docs/issued-devices.md). The same file again issues nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--all-or-nothing", action="store_true", help="one refused row, and nothing is issued")
        parser.add_argument("--report", type=Path, help="write the refused rows to this file, as CSV")

    def handle(self, *args: object, file: Path, bank: str, **options: object) -> None:
        """Progress and refused rows go to standard error. Leaves with 1 when a row was refused."""
        owner = Bank.objects.filter(code=bank).first()
        if owner is None:
            raise CommandError(f"There is no bank with the code {bank}.")
        run = self._import(file, owner, all_or_nothing=bool(options["all_or_nothing"]))
        if isinstance(report := options["report"], Path):
            _write_report(report, run)
        self.stdout.write(
            f"{run.get_state_display()}: {run.rows_issued} issued, {run.rows_unchanged} there already, "
            f"{run.rows_refused} refused."
        )
        if run.state != ImportState.DONE or run.rows_refused:
            sys.exit(1)

    def _import(self, file: Path, bank: Bank, *, all_or_nothing: bool) -> ImportRun:
        shown = _Shown(self)
        with ExitStack() as opened:
            try:
                run = import_file(
                    actor=Actor.system("import_issued_devices", bank_id=bank.pk, channel=Channel.COMMAND),
                    file_name=file.name,
                    open_file=lambda: opened.enter_context(file.open("rb")),
                    all_or_nothing=all_or_nothing,
                    progress=shown.tell,
                )
            except OSError as error:
                raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
            except DomainError as refused:
                raise CommandError(refused.message) from None
        shown.end()
        return run


class _Shown:
    """What the terminal has been told: a running count, and the first refused rows by line."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.refused = 0
        self.tenths: deque[int] = deque(range(1, 11))

    def tell(self, run: ImportRun, bad: list[BadRow]) -> None:
        for row in bad:
            self.refused += 1
            if self.refused <= SHOWN:
                self._tell_row(row)
        self._tell_count(run)

    def _tell_row(self, row: BadRow) -> None:
        begin = "\n" if self.command.stderr.isatty() else ""  # below the count
        for problem in row.problems:
            where = f"{problem.field}: " if problem.field else ""
            self._write(f"{begin}line {row.line}: {where}{problem.message}\n")

    def _tell_count(self, run: ImportRun) -> None:
        """On a terminal one line that changes; elsewhere a line for each tenth."""
        count = f"{run.rows_done:,} of {run.rows_total:,} rows, {run.rows_refused:,} refused"
        if self.command.stderr.isatty():
            self._write(f"\r{count}")
            return
        reached = bool(self.tenths) and run.rows_done * 10 >= self.tenths[0] * run.rows_total
        while self.tenths and run.rows_done * 10 >= self.tenths[0] * run.rows_total:
            self.tenths.popleft()
        if reached:
            self._write(f"{count}\n")

    def end(self) -> None:
        if self.command.stderr.isatty():
            self._write("\n")
        if self.refused > SHOWN:
            self._write(f"{self.refused - SHOWN:,} more rows were refused; --report FILE lists all.\n")

    def _write(self, text: str) -> None:
        self.command.stderr.write(text, str, ending="")


def _write_report(path: Path, run: ImportRun) -> None:
    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
        ) as out:
            out.writelines(refused_sheet(run))
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
