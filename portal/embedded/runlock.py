"""One supervisor per folder."""

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds the lock. `.pid` is its number, 0 when it is not known."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid}")
        self.pid = pid


class RunLock:
    """A lock between processes that ends with its owner, however that ends.

    The file stays; only the lock on it counts. It is a record lock: a forked child does not inherit it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def take(self) -> None:
        """Hold the lock until `release` or the end of this process. Raises AlreadyRunning and OSError."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX leaves the choice between the two to the system
            owner = os.read(descriptor, 20)
            os.close(descriptor)
            raise AlreadyRunning(int(owner) if owner.isdigit() else 0) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. A repeat does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
