import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded.runlock import AlreadyRunning, RunLock

pytestmark = pytest.mark.machine

HOLDER = """
import sys, pathlib
from portal.embedded.runlock import RunLock

RunLock(pathlib.Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_learns_who_the_first_is_until_that_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    line = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning) as refusal:
            RunLock(path).take()
        assert refusal.value.pid == holder.pid
        holder.kill()
    RunLock(path).take()
    assert path.read_text() == str(os.getpid())


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "up.lock")
    lock.take()
    lock.release()
    lock.release()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock.path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
