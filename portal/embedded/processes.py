"""Child processes: started on a leash, in a group of their own, and taken down with everything they started."""

import importlib
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from portal.embedded import leash
from portal.embedded.waiting import wait_until


class Process:
    """One running child. It leads its own process group, so a terminal's Ctrl-C does not reach it past us."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None  # exit code, or minus the signal's number; None while it runs

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def ask_to_stop(self) -> None:
        if not self.ended():
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it now, with everything it has started. What has ended already is no error."""
        kill_group(self.pid)
        wait_until(self.ended, seconds=2)


def kill_group(leader: int) -> None:
    """End every process of a group at once. An empty group is no error."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter for a group of zombies
        return


def run_program(
    argv: Sequence[str],
    *,
    log: Path | None = None,
    signum: int = signal.SIGTERM,
    user: tuple[int, int] | None = None,
    folder: Path | None = None,
) -> Process:
    """Start a program. `signum` is what it gets when we die; its output goes to `log`, or where ours goes."""
    output = log.open("ab") if log else None
    try:
        child = subprocess.Popen(  # noqa: S603  the command line is ours
            leash.command(argv, signum=signum, user=user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=folder,
        )
    finally:
        if output:
            output.close()
    child.returncode = 0  # from here on `Process` waits for it
    return Process(child.pid)


def run_module(module: str) -> Process:
    """Run `main()` of one of our modules in a child.

    As long as we are a single thread the child is a fork, which has everything loaded already; else, and where
    forking is unsafe, it is a fresh interpreter. `main` must not rely on either.
    """
    if not _may_fork():
        return run_program([sys.executable, "-m", module])
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Process(pid)
    _become(module, parent)
    raise AssertionError("a child never returns")


def _may_fork() -> bool:
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def _become(module: str, parent: int) -> None:
    """The forked child's whole life. Leaves without the parent's clean-up."""
    code = 1
    try:
        os.setsid()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        leash.tie(parent)
        devnull = os.open(os.devnull, os.O_RDONLY)
        os.dup2(devnull, 0)
        importlib.import_module(module).main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001  the last frame of this process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
