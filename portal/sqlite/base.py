"""Django's SQLite engine with a fair lock before BEGIN.

SQLite lets one writer in at a time and gives the place to whoever happens to ask at the right moment: with 64
writing threads some wait longer than any timeout. Writers of one process therefore queue here, first come first
served. Writers of other processes still wait in SQLite (`timeout`).
"""

import threading
from collections import deque
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError


class FairLock:
    """A lock that is handed over in the order it was asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for one's turn. False: it did not come, and nothing is held."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):  # released by the one before, who leaves the lock held for us
            return True
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # it came between the time-out and the look

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


_locks: dict[str, FairLock] = {}
_locks_guard = threading.Lock()


def _lock_for(name: object) -> FairLock:
    with _locks_guard:
        return _locks.setdefault(str(name), FairLock())


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes the fair lock at BEGIN and gives it back at COMMIT, ROLLBACK or close."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn: FairLock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        if self._turn is not None:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
            return
        lock = _lock_for(self.settings_dict["NAME"])
        if not lock.acquire(float(self.settings_dict["OPTIONS"].get("timeout", 5))):
            raise OperationalError("database is locked")
        self._turn = lock
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_up_turn()
            raise

    def _give_up_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.release()

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._give_up_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_up_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._give_up_turn()
