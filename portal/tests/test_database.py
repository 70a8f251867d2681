import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from portal.database import OPTIONS, limit_statements
from portal.embedded.sample_production import environment

LIMITED = "-c lock_timeout=10000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000"
WEB = "import portal.wsgi"
WORKER = "import django; django.setup(); from portal.celery import prepare_worker; prepare_worker()"
COMMAND = "import django; django.setup()"
TELL = "from django.db import connections; print(connections['default'].settings_dict['OPTIONS'].get('options'))"


def options_in(process: str, tmp_path: Path, query: str = "") -> str:
    """What a process of production, on PostgreSQL, tells the server for each connection. None is opened."""
    (tmp_path / "static").mkdir()
    url = f"postgresql://portal:p@db.example/portal{query}"
    run = subprocess.run(
        [sys.executable, "-c", f"{process}; {TELL}"],
        env={
            **environment({**os.environ, "PORTAL_VAR": str(tmp_path)}),
            "PORTAL_DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return run.stdout.strip()


@pytest.mark.parametrize(("process", "options"), [(WEB, LIMITED), (WORKER, LIMITED), (COMMAND, "None")])
def test_who_serves_is_limited_and_commands_are_not(process: str, options: str, tmp_path: Path) -> None:
    assert options_in(process, tmp_path) == options


def test_the_last_word_is_that_of_the_databases_address(tmp_path: Path) -> None:
    query = "?options=-c%20lock_timeout%3D2000"
    assert options_in(WEB, tmp_path, query) == f"{LIMITED} -c lock_timeout=2000"


def test_a_repeat_changes_nothing_and_sqlite_has_no_such_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine, options in [("django.db.backends.postgresql", {"options": OPTIONS}), ("portal.sqlite", {})]:
        database: dict[str, object] = {"ENGINE": engine, "OPTIONS": {}}
        monkeypatch.setitem(connections.settings, "default", database)
        limit_statements()
        limit_statements()
        assert database["OPTIONS"] == options


@pytest.mark.django_db
def test_postgresql_takes_the_options_and_ends_a_statement_that_takes_too_long() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no such limits")
    limited = connection.copy()
    limited.settings_dict["OPTIONS"] = {"options": f"{OPTIONS} -c statement_timeout=50"}
    try:
        with limited.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            assert cursor.fetchone() == ("10s", "50ms")
            with pytest.raises(OperationalError):
                cursor.execute("SELECT pg_sleep(5)")
    finally:
        limited.close()
