"""`manage.py up` as a person meets it: one line when it cannot start; everything up, and everything gone."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.embedded import postgres, sample_production
from portal.embedded.waiting import wait_until

pytestmark = pytest.mark.machine

ROOT = Path(__file__).resolve().parents[2]
OWN = ("PORTAL_", "DJANGO_", "PORT", "PYTHONDONTWRITEBYTECODE")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def environment(var: Path, **values: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return {**own, "PORTAL_VAR": str(var), **values}


def refused(var: Path, **values: str) -> str:
    """What `up` says when it does not start."""
    line = [sys.executable, "manage.py", "up"]
    done = subprocess.run(
        line, cwd=ROOT, env=environment(var, **values), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


class Portal:
    """A portal that runs in a folder of its own."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.port = free_port()
        self.log = var.parent / "log"
        self.environment = environment(var, **settings) | {"PORT": str(self.port)}

    def start(self, seconds: float = 300) -> float:
        """Seconds until the greeting; on a busy machine that takes a while. Without it nothing is left running."""
        began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self.greeted() or self.process.poll() is not None, seconds=seconds)
        if not self.greeted():
            self.stop()
            raise AssertionError(self.log.read_text())
        return time.monotonic() - began

    def greeted(self) -> bool:
        return "The portal is ready" in self.log.read_text()

    def get(self, path: str, host: str = "127.0.0.1") -> int:
        return self.read(path, host)[0]

    def read(self, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """Every process that runs for this portal, found by its environment or its socket."""
        marks = (f"PORTAL_VAR={self.var}".encode(), str(self.var).encode())
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _mentions(path, marks)]

    def stop(self, signum: int = signal.SIGTERM) -> float:
        """Seconds until it is gone."""
        began = time.monotonic()
        self.process.send_signal(signum)
        self.process.wait(timeout=30)
        return time.monotonic() - began


def _mentions(process: Path, marks: tuple[bytes, ...]) -> bool:
    try:
        words = (process / "environ").read_bytes().split(b"\0") + (process / "cmdline").read_bytes().split(b"\0")
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and any(mark in word for word in words for mark in marks)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    portal = Portal(tmp_path / "var")
    portal.start()
    yield portal
    if portal.process.poll() is None:
        portal.stop()


def test_a_broken_setting_is_one_line_with_its_id(tmp_path: Path) -> None:
    said = refused(tmp_path / "var", PORT="eighty")
    assert said == "portal.E002: PORT is not a number from 1 to 65535. Example: PORT=8000\n"


def test_production_without_settings_names_each_of_them_on_a_line(tmp_path: Path) -> None:
    said = refused(tmp_path / "var", PORTAL_MODE="production").splitlines()
    assert all(line.startswith("portal.E0") for line in said)
    assert len([line for line in said if "is not set" in line]) == 10


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = refused(tmp_path / "var", PORT=str(port))
    assert said == (
        f"portal: cannot listen at 127.0.0.1:{port} (Address already in use); choose another port with PORT=8001\n"
    )


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(tmp_path / "file")
    assert said.count("\n") == 1
    assert "cannot be written (Not a directory); set PORTAL_VAR to another folder" in said


def test_a_database_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "portal.sqlite3").write_text("not a database" * 100)
    said = refused(tmp_path, PORT=str(free_port()))
    assert said == "portal: the database cannot be used: file is not a database\n"


@pytest.mark.slow
def test_it_starts_answers_and_stops_without_a_trace(portal: Portal) -> None:
    assert portal.get("/healthz") == 200
    assert len(portal.processes()) >= 6  # supervisor, Valkey, web server and workers, worker and its clock
    demo = portal.var / "demo.json"
    assert demo.stat().st_mode & 0o777 == 0o600
    person = next(one for one in json.loads(demo.read_text())["staff"] if one["role"] == "operator")
    assert person["password"] in portal.log.read_text()
    assert portal.stop() < 10
    assert portal.process.returncode == 0
    assert portal.processes() == []
    assert "Traceback" not in portal.log.read_text()


@pytest.mark.slow
def test_metrics_add_up_what_all_web_processes_counted(portal: Portal) -> None:
    told = [portal.read("/metrics")[1] for _ in range(12)]
    line = 'portal_requests_total{method="GET",route="metrics",status="200"} '
    counts = [float(text.partition(line)[2].partition("\n")[0] or 0) for text in told]
    assert counts == [float(number) for number in range(12)]  # each is counted after it was answered


@pytest.mark.slow
def test_a_second_one_in_the_same_folder_is_one_line(portal: Portal) -> None:
    said = refused(portal.var, PORT=str(free_port()))
    assert (
        said
        == f"portal: it runs already in {portal.var} (process {portal.process.pid}); stop that, or set PORTAL_VAR\n"
    )
    assert portal.get("/healthz") == 200


@pytest.mark.slow
def test_killing_the_supervisor_leaves_nothing_running_and_the_next_start_heals(portal: Portal) -> None:
    portal.stop(signal.SIGKILL)
    assert wait_until(lambda: portal.processes() == [], seconds=10), portal.processes()
    assert portal.start() < 10
    assert portal.get("/healthz") == 200


@pytest.mark.slow
def test_everything_that_dies_comes_back(portal: Portal) -> None:
    before = set(portal.processes()) - {portal.process.pid}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: portal.get("/healthz") == 200 and len(portal.processes()) > len(before), seconds=20)
    assert not before & set(portal.processes())
    assert portal.process.poll() is None


@pytest.mark.slow
def test_a_deep_folder_moves_the_socket_to_a_short_one(tmp_path: Path) -> None:
    portal = Portal(tmp_path / ("deep" * 30) / "var")
    portal.var.parent.mkdir()
    portal.start()
    try:
        assert portal.get("/readyz") in (200, 503)
        assert not (portal.var / "run" / "valkey.sock").exists()
    finally:
        assert portal.stop() < 10


@pytest.mark.slow
def test_production_runs_on_postgresql_without_demo_data(tmp_path: Path) -> None:
    host = "portal.bank.example"
    with postgres.server() as url:
        settings = sample_production.environment({}) | {"PORTAL_DATABASE_URL": url}
        portal = Portal(tmp_path / "var", **settings)
        portal.start()
        try:
            assert portal.get("/healthz", host) == 200
            assert wait_until(lambda: portal.get("/readyz", host) == 200, seconds=60)  # the clock has to have struck
            assert portal.get("/healthz", "elsewhere.example") == 400
            assert portal.get("/sign-in", host) == 301  # to https
            assert not (portal.var / "demo.json").exists()
            assert (portal.var / "static" / "staticfiles.json").exists()
        finally:
            assert portal.stop() < 10
    assert "Traceback" not in portal.log.read_text()
