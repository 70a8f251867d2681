"""`manage.py demo_data`: the demo's data, and the file that tells how to use it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.demo import DemoRefused, ensure_demo


class Command(BaseCommand):
    help = "Makes demo data in an empty database, renews the demo's tokens, and writes demo.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=None, help="where to write (default: VAR/demo.json)")

    def handle(self, *args: Any, output: Path | None, **options: Any) -> None:
        target = output or settings.VAR / "demo.json"
        try:
            fresh = ensure_demo(target)
        except DemoRefused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"{'Made' if fresh else 'Renewed'} the demo's data; see {target}")
