"""Slow hashes in a few threads of their own, so that checking PINs does not starve everything else.

A call takes a place first (there are fewer than web threads, so some always stay free), then its work waits for one
of the hashing threads. Those run at a lower priority: whoever computes a hash lets everybody else go first.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from django.conf import settings

from portal.core.errors import RateLimited
from portal.database import lend_connection

# Our own choice: about a third of what a thread at 0 gets while both want the processor (sched(7)). PIN checks step
# back for everything else, and still get on.
NICENESS: Final = 5


class HashingPool:
    """So many hashing threads, and so many callers who are in or wait."""

    def __init__(self, *, threads: int, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashing", initializer=_step_back)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the block. Raises RateLimited `pin-checks-busy` at once when there is none."""
        if not self._places.acquire(blocking=False):
            raise RateLimited("Too many PINs are being checked. Try again.", code="pin-checks-busy", retry_after=1)
        try:
            yield
        finally:
            self._places.release()

    def run[R](self, work: Callable[[], R]) -> R:
        """Do the work in a hashing thread and wait for it. It touches no database. What it raises is raised here."""
        lend_connection()
        return self._threads.submit(work).result()


def _step_back() -> None:
    """Linux gives each thread a priority of its own; elsewhere the number would mean a whole process."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_pool: HashingPool | None = None
_guard = threading.Lock()


def pool() -> HashingPool:
    """This process's pool. Three quarters of the web threads may be in it at once."""
    global _pool
    with _guard:
        if _pool is None:
            _pool = HashingPool(threads=settings.PIN_THREADS, places=max(1, settings.WEB_THREADS * 3 // 4))
        return _pool


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _guard
    _pool, _guard = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
