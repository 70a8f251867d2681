"""`manage.py bench NAME`: measure one thing on this machine."""

from argparse import ArgumentParser
from importlib import import_module
from pkgutil import iter_modules

from django.core.management.base import BaseCommand

from portal import bench


class Command(BaseCommand):
    help = "Measure one thing on this machine, in a database of its own that is gone afterwards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        benchmarks = parser.add_subparsers(dest="name", required=True)
        for found in iter_modules(bench.__path__):
            if found.name.startswith("_"):  # what benchmarks share
                continue
            module = import_module(f"{bench.__name__}.{found.name}")
            summary = (module.__doc__ or "").partition("\n")[0]
            module.add_arguments(benchmarks.add_parser(found.name, help=summary))

    def handle(self, *, name: str, **options: object) -> None:
        for line in import_module(f"{bench.__name__}.{name}").run(options):
            self.stdout.write(line)
            self.stdout.flush()
