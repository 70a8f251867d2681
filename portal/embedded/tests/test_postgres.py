import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from portal.embedded import postgres

pytestmark = pytest.mark.machine

REPORT = """
import os, psycopg

with psycopg.connect(os.environ["PORTAL_TEST_DATABASE_URL"]) as connection:
    for question in ("current_setting('max_connections')", "lower('ÄÉ')", "current_setting('data_directory')"):
        print(connection.execute(f"select {question}").fetchone()[0])
raise SystemExit(5)
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    values = {name: value for name, value in os.environ.items() if name != "PORTAL_TEST_DATABASE_URL"}
    line = [sys.executable, "-m", "portal.embedded.postgres", *command]
    return subprocess.run(
        line, env={**values, **environment}, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_command_gets_a_server_of_its_own_which_is_gone_afterwards() -> None:
    done = run(sys.executable, "-c", REPORT)
    assert (done.returncode, done.stderr) == (5, "")
    connections, lower, folder = done.stdout.splitlines()
    assert (connections, lower) == ("300", "äé")
    assert not Path(folder).parent.exists()


def test_a_server_that_is_given_is_used_as_it_is() -> None:
    show = "import os; print(os.environ['PORTAL_TEST_DATABASE_URL'])"
    done = run(sys.executable, "-c", show, PORTAL_TEST_DATABASE_URL="postgresql://given/one")
    assert (done.returncode, done.stdout) == (0, "postgresql://given/one\n")


def test_nobody_gets_in_without_the_password() -> None:
    with postgres.server() as url:
        host = url.rpartition("@")[2]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://portal:guess@{host}", connect_timeout=5)
        psycopg.connect(url, connect_timeout=5).close()


def test_the_folder_of_a_killed_run_is_swept_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, living, other = (tmp_path / f"{postgres.PREFIX}{n}-x" for n in (ended.pid, os.getpid(), "strange"))
    for path in (left, living, other):
        path.mkdir()
    postgres._sweep()
    assert [path.exists() for path in (left, living, other)] == [False, True, True]
