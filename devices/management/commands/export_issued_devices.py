"""Writes a bank's cards and tokens as CSV."""

import os
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.sheets import issued_sheet
from portal.accounts.models import Bank
from portal.core.actor import Actor, Channel


class Command(BaseCommand):
    help = "Write a bank's cards and tokens that are in use as CSV, safe for spreadsheets."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--output", type=Path, help="a file, made for its owner only (default: standard output)")

    def handle(self, *args: object, bank: str, output: Path | None, **options: object) -> None:
        owner = Bank.objects.filter(code=bank).first()
        if owner is None:
            raise CommandError(f"There is no bank with the code {bank}.")
        actor = Actor.system("export_issued_devices", bank_id=owner.pk, channel=Channel.COMMAND)
        lines = issued_sheet(actor)
        if output is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(os.open(output, flags, 0o600), "w", encoding="utf-8", newline="") as out:
                out.writelines(lines)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from None
