"""Ties a process to the life of its parent, so that nothing is left behind when the parent is killed.

Linux can send a signal when the parent dies; it outlives `exec`, but neither `fork` nor a change of user. Other
systems cannot, and there the next start clears up (see `valkey.py`). Run as a program, this file ties itself and
then becomes another program:

    python -I -S leash.py SIGNAL/PARENT UID:GID PROGRAM ARGUMENT…      (a hyphen for UID:GID keeps the user)
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_NAME = 15


def tie(parent: int, *, signum: int = signal.SIGTERM) -> None:
    """Have `signum` sent to this process when `parent`, the process that made it, ends.

    A parent that is gone already counts as ended. Repeating it changes nothing.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above could take effect
        os.kill(os.getpid(), signum)


def name(title: str) -> None:
    """Show this process as `title` (15 bytes at most) in lists of processes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, title.encode()[:15], 0, 0, 0)


def command(argv: Sequence[str], *, signum: int = signal.SIGTERM, user: tuple[int, int] | None = None) -> list[str]:
    """The command line that runs `argv` on a leash, as user and group `user` when it is given (needs root)."""
    who = f"{user[0]}:{user[1]}" if user else "-"
    return [sys.executable, "-I", "-S", __file__, f"{int(signum)}/{os.getpid()}", who, *argv]


def main(arguments: list[str]) -> None:
    signum, _, parent = arguments[0].partition("/")
    if arguments[1] != "-":
        user, _, group = arguments[1].partition(":")
        os.setgroups([])
        os.setgid(int(group))
        os.setuid(int(user))
    tie(int(parent), signum=int(signum))
    os.execv(arguments[2], arguments[2:])  # noqa: S606  there is no shell to be fooled


if __name__ == "__main__":
    main(sys.argv[1:])
