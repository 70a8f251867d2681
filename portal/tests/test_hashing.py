"""Slow hashes: how many at once, in which threads, at which priority."""

import os
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest

from portal import hashing
from portal.core.errors import RateLimited
from portal.hashing import NICENESS, HashingPool


def test_work_is_done_in_a_thread_of_the_pool_and_its_result_comes_back() -> None:
    pool = HashingPool(threads=1, places=1)
    name = pool.run(lambda: threading.current_thread().name)
    assert name.startswith("hashing")


def test_what_it_raises_is_raised_here() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        HashingPool(threads=1, places=1).run(broken)


def test_who_finds_no_place_is_told_at_once_and_places_come_back() -> None:
    pool = HashingPool(threads=1, places=2)
    with pool.place(), pool.place(), pytest.raises(RateLimited) as told, pool.place():
        raise AssertionError("there was a third place")
    assert (told.value.code, told.value.retry_after) == ("pin-checks-busy", 1)
    with pytest.raises(KeyError), pool.place():
        raise KeyError
    with pool.place(), pool.place():
        assert True


def test_never_more_than_its_threads_work_at_once() -> None:
    pool = HashingPool(threads=3, places=20)
    together = threading.Barrier(3, timeout=20)
    seen: Counter[str] = Counter()

    def work() -> None:
        seen[threading.current_thread().name] += 1
        together.wait()

    callers = [threading.Thread(target=pool.run, args=(work,)) for _ in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sum(seen.values()) == 12
    assert len(seen) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_hashing_threads_step_back_and_nobody_else_does() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    pool = HashingPool(threads=1, places=1)
    theirs = pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert theirs == NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


def test_three_quarters_of_the_web_threads_may_be_in_it(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEB_THREADS = 4
    monkeypatch.setattr(hashing, "_pool", None)
    pool = hashing.pool()
    assert hashing.pool() is pool
    with pool.place(), pool.place(), pool.place(), pytest.raises(RateLimited), pool.place():
        raise AssertionError("there was a fourth place")


@pytest.mark.machine
@pytest.mark.skipif(sys.platform != "linux", reason="about fork")
def test_a_forked_child_makes_a_pool_of_its_own() -> None:
    program = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'portal.test_settings';"
        "from portal import hashing; hashing.pool().run(int);"
        "pid = os.fork();"
        "code = 0 if pid else hashing.pool().run(lambda: 7);"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) if pid else os._exit(code)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=60, check=False)
    assert done.returncode == 7
