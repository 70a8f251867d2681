"""Benchmarks, one module each, run by `manage.py bench NAME`.

A module has `add_arguments(parser)` and `run(options)`, which yields lines to print. It measures in a database of
its own and leaves nothing behind.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings


@contextmanager
def own_database() -> Iterator[None]:
    """A fresh database and folder, as the test suite has; keys of authorities are made in that folder."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    name = str(settings.DATABASES["default"]["NAME"])
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": str(folder / "bench.sqlite3")}
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with override_settings(VAR=folder, CA_DIR=folder / "ca"):
            yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        shutil.rmtree(folder, ignore_errors=True)
