import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.embedded import leash, processes
from portal.embedded.waiting import wait_until

pytestmark = pytest.mark.machine

SLEEPER = "portal.embedded.tests.sleeper"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")

PARENT = f"""
import time
from portal.embedded import processes
process = processes.run_module({SLEEPER!r})
print(process.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Is it running? A zombie that nobody has collected yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "note"
    monkeypatch.setenv("SLEEPER_NOTE", str(path))
    return path


def numbers(note: Path) -> list[int]:
    assert wait_until(lambda: note.exists() and note.read_text().endswith("\n"), seconds=15)
    return [int(word) for word in note.read_text().split()]


def test_a_module_runs_in_a_process_group_of_its_own_and_is_killed_with_what_it_started(note: Path) -> None:
    process = processes.run_module(SLEEPER)
    pid, grandchild, _ = numbers(note)
    assert pid == process.pid
    assert os.getpgid(grandchild) == pid != os.getpgid(0)
    process.kill()
    assert process.code == -signal.SIGKILL
    assert wait_until(lambda: not alive(grandchild), seconds=5)


def test_a_program_that_ends_by_itself_tells_its_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.run_program(["/bin/sh", "-c", "echo said; exit 3"], log=log)
    assert wait_until(process.ended, seconds=10)
    assert (process.code, log.read_text()) == (3, "said\n")
    process.ask_to_stop()
    process.kill()
    assert process.code == 3


@linux_only
@pytest.mark.parametrize("alone", [True, False], ids=["forked", "fresh"])
def test_a_child_ends_when_its_parent_is_killed(note: Path, alone: bool) -> None:
    thread = "" if alone else "import threading; threading.Thread(target=lambda: time.sleep(60), daemon=True).start()"
    program = PARENT.replace("\nprocess =", f"\n{thread}\nprocess =")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        pid, _, seen_parent = numbers(note)
        assert (pid, seen_parent) == (child, parent.pid)
        forked = Path(f"/proc/{child}/cmdline").read_bytes() == Path(f"/proc/{parent.pid}/cmdline").read_bytes()
        assert forked is alone
        parent.kill()
    assert wait_until(lambda: not alive(child), seconds=5)


@linux_only
def test_a_child_whose_parent_died_before_it_was_tied_ends_at_once() -> None:
    program = f"from portal.embedded import leash; leash.tie({os.getpid()}); print('on')"
    in_between = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {program!r}]).returncode)"
    orphan = subprocess.run([sys.executable, "-c", in_between], capture_output=True, text=True, check=False)
    assert orphan.stdout == ""
    tied = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert tied.stdout == "on\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_program_can_run_as_somebody_else() -> None:
    line = leash.command(["/bin/sh", "-c", "id -u; id -g; id -G"], user=(65534, 65534))
    shown = subprocess.run(line, capture_output=True, text=True, check=True, cwd="/")
    assert shown.stdout.split() == ["65534"] * 3


def test_a_forked_childs_exit_codes_and_errors_come_through(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("def main():\n    raise SystemExit(7)\n")
    (tmp_path / "failing.py").write_text("def main():\n    raise RuntimeError('no luck')\n")
    program = """
import time
from portal.embedded import processes

for module in ("leaving", "failing"):
    process = processes.run_module(module)
    while not process.ended():
        time.sleep(0.01)
    print(process.code, flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    started = time.monotonic()
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "7\n1\n"
    assert shown.stderr.count("RuntimeError: no luck") == 1
    assert time.monotonic() - started < 20
