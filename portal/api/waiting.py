"""Long polls: a few callers may wait for something to happen; all others are answered at once.

A caller that waits holds a web thread, so that a quarter of them may. It holds no database connection: it asks, gives
the connection back, and pauses. Nothing but the database is asked, so that neither cache nor broker has to be there.

That a caller hung up is not seen here: its place would be held until its time is over. Whoever comes back ends the
wait that it left behind.
"""

import os
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

from django.conf import settings

from portal.database import lend_connection

PAUSE: Final = 0.5  # seconds between two looks

_guard = threading.Lock()
_places: threading.BoundedSemaphore | None = None
_newest: dict[Hashable, object] = {}  # the last wait of each who


def places() -> threading.BoundedSemaphore:
    """This process's places."""
    global _places
    with _guard:
        if _places is None:
            _places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))
        return _places


def wait_until(happened: Callable[[], bool], seconds: float, *, who: Hashable) -> bool:
    """Wait until it happened, for so many seconds at most; outside any transaction.

    happened: asks the database. who: the caller, and what it waits for; a wait of the same that is still on ends now.
    Returns whether the caller had a place to wait.
    """
    mine = _begin(who)
    try:
        return _wait(happened, seconds, lambda: _newest.get(who) is mine)
    finally:
        _end(who, mine)


def _wait(happened: Callable[[], bool], seconds: float, wanted: Callable[[], bool]) -> bool:
    if not places().acquire(blocking=False):
        return False
    try:
        end = time.monotonic() + seconds
        while wanted() and (left := end - time.monotonic()) > 0:
            pause(min(PAUSE, left))
            if happened():
                break
    finally:
        places().release()
    return True


def _begin(who: Hashable) -> object:
    with _guard:
        mine = _newest[who] = object()
    return mine


def _end(who: Hashable, mine: object) -> None:
    with _guard:
        if _newest.get(who) is mine:
            del _newest[who]


def pause(seconds: float) -> None:
    """Between two looks, without a connection."""
    lend_connection()
    time.sleep(seconds)


def _forget() -> None:
    """A forked child has none of its parent's waiting callers."""
    global _places, _guard
    _places, _guard = None, threading.Lock()
    _newest.clear()


os.register_at_fork(after_in_child=_forget)
