import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.embedded import supervisor as module
from portal.embedded.processes import Process, run_program
from portal.embedded.supervisor import GaveUp, Service, Supervisor
from portal.embedded.tests.test_processes import SLEEPER, alive, numbers
from portal.embedded.waiting import wait_until

pytestmark = pytest.mark.machine


class Run:
    """A supervisor that has been told to say its news to a list."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.supervisor = Supervisor(self.news.append)

    def service(self, name: str, script: str, *, stage: int = 1, seconds: float = 5) -> Service:
        service = Service(name, lambda: run_program(["/bin/sh", "-c", script]), stage=stage, seconds_to_stop=seconds)
        self.supervisor.start(service)
        return service


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    for service in run.supervisor.services:
        if service.process:
            service.process.kill()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)


def test_a_service_that_dies_is_started_again_and_the_news_says_how_it_died(run: Run) -> None:
    service = run.service("the clock", "exec sleep 60")
    first = service.process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    watch_until(run, lambda: service.process not in (first, None))
    assert run.news == ["the clock ended with signal 9; starting it again in 0 s"]
    assert service.process is not None
    assert not service.process.ended()


def test_a_service_that_cannot_live_is_given_up_after_five_tries(run: Run, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    run.service("the mayfly", f"echo x >>{tally}; exit 4")
    with pytest.raises(GaveUp, match="the mayfly ended 5 times, the last time with exit code 4"):
        run.supervisor.watch()
    assert tally.read_text() == "x\n" * 5
    assert len(run.news) == 4


def test_a_long_life_wipes_out_earlier_failures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    service = run.service("the clock", "exit 1")
    monkeypatch.setattr(module, "LONG_LIFE", 0.0)
    watch_until(run, lambda: len(run.news) >= 10)
    assert service.failures == 1


def test_what_a_dead_service_had_started_is_gone_before_it_starts_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEPER_NOTE", str(tmp_path / "note"))
    service = Service("it", lambda: run_program([sys.executable, "-m", SLEEPER]), stage=1, seconds_to_stop=5)
    run.supervisor.start(service)
    pid, grandchild, _ = numbers(tmp_path / "note")
    os.kill(pid, signal.SIGKILL)
    watch_until(run, lambda: service.process is None)
    assert wait_until(lambda: not alive(grandchild), seconds=5)


def test_stopping_takes_the_higher_stage_first(run: Run, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name, stage in (("base", 0), ("web", 1), ("jobs", 1)):
        script = f"trap 'echo {name} >>{order}; exit 0' TERM; touch {tmp_path / name}; while :; do sleep 0.05; done"
        run.service(name, script, stage=stage)
    assert wait_until(lambda: all((tmp_path / name).exists() for name in ("base", "web", "jobs")), seconds=10)
    started = [service.process for service in run.supervisor.services]
    run.supervisor.stop()
    assert sorted(order.read_text().split()[:2]) == ["jobs", "web"]
    assert order.read_text().split()[2:] == ["base"]
    assert [process.code for process in started if process] == [0, 0, 0]
    assert run.news == []


def test_who_does_not_stop_is_killed_when_its_time_is_up(run: Run, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    service = run.service("the rock", f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done", seconds=0.3)
    process = service.process
    assert wait_until(ready.exists, seconds=10)
    started = time.monotonic()
    run.supervisor.stop()
    assert time.monotonic() - started < 3
    assert process is not None
    assert process.code == -signal.SIGKILL
    assert run.news == ["the rock did not stop in 0 s and was killed"]


def test_one_that_is_not_running_is_found(run: Run) -> None:
    living = run.service("living", "exec sleep 60")
    assert run.supervisor.ended() is None
    dead = run.service("dead", "exit 0")
    assert isinstance(dead.process, Process)
    assert wait_until(dead.process.ended, seconds=5)
    assert run.supervisor.ended() is dead
    assert not living.ended()


def watch_until(run: Run, condition: Callable[[], bool]) -> None:
    """Watch as `manage.py up` does, until the condition holds."""

    def look() -> bool:
        run.supervisor.look()
        return condition()

    assert wait_until(look, seconds=20)
