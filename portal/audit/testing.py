"""For test suites (a pytest plugin): the append-only triggers step aside while Django empties the database.

Lines of `pytest_plugins` in the root conftest: "portal.audit.testing".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations

from portal.audit import checkpoint_file
from portal.audit.triggers import TABLES, drop_triggers, install_triggers

_numbers = count()


@contextmanager
def without_triggers() -> Iterator[None]:
    """Let the block change and remove audit rows, as somebody who owns the tables could."""
    drop_triggers(connection)
    try:
        yield
    finally:
        install_triggers(connection)


@pytest.fixture(autouse=True, scope="session")
def _flush_passes_the_triggers() -> Iterator[None]:
    """Django flushes after each `transaction=True` test: SQLite by DELETE, PostgreSQL by TRUNCATE."""
    flush: Callable[[BaseDatabaseOperations, list[str]], None] = BaseDatabaseOperations.execute_sql_flush

    def flush_without_triggers(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        if not any(table in sql for sql in sql_list for table in TABLES):
            flush(self, sql_list)
            return
        with transaction.atomic(using=self.connection.alias):
            drop_triggers(self.connection)
            flush(self, sql_list)
            install_triggers(self.connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_without_triggers)
        yield


@pytest.fixture(scope="session")
def _checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(autouse=True)
def audit_checkpoint_file(_checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint file of its own for each test: each starts with an empty log."""
    path = _checkpoint_folder / str(next(_numbers))
    monkeypatch.setattr(checkpoint_file, "default_path", lambda: path)
    return path
