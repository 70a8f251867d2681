"""A circuit breaker: after a failure, a service that does not answer is left alone for a moment.

Without it each request would wait for the same time-out again.
"""

import threading
import time

LOG_EVERY = 60.0  # seconds between two log lines about the same trouble


class Breaker:
    """Remembers, for this process, that a service failed. `rest`: seconds to leave it alone after a failure."""

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._guard = threading.Lock()
        self._closed_again_at = 0.0
        self._next_line_at = 0.0

    def is_open(self) -> bool:
        """Whether the service is being left alone. After the rest one caller tries it; the others still skip it."""
        with self._guard:
            if not self._closed_again_at:
                return False
            now = time.monotonic()
            if now < self._closed_again_at:
                return True
            self._closed_again_at = now + self._rest
            return False

    def failed(self) -> bool:
        """Note a failure. True when this one deserves a log line: at most one a minute."""
        with self._guard:
            now = time.monotonic()
            self._closed_again_at = now + self._rest
            if now < self._next_line_at:
                return False
            self._next_line_at = now + LOG_EVERY
            return True

    def worked(self) -> None:
        """Note that the service answered."""
        if self._closed_again_at:
            self.reset()

    def reset(self) -> None:
        """Forget every failure."""
        with self._guard:
            self._closed_again_at = self._next_line_at = 0.0
