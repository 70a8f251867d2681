"""When a certificate is renewed, and how long a try that failed waits. Plain arithmetic on moments: no database.

The last third of a certificate's life is for its renewal. Each has its own slot in the first three quarters of that
third; the rest is left for those whose first tries fail.
"""

from datetime import datetime, timedelta
from typing import Final

from portal import vault

RENEWED_FROM: Final = 3  # the last third of a certificate's life is for its renewal
SLOTS_END: Final = 0.75  # of that third
PAUSES: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=20),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(days=1),
)
SHORTEST_PAUSE: Final = PAUSES[0]
LAST_MOMENT: Final = timedelta(minutes=5)  # what is signed later than this before the end helps nobody
SPREAD: Final = 0.25  # of a pause, so that what failed together is not tried again together
LONGEST_REST: Final = timedelta(days=7)  # between two reminders of a device


def window_opens(not_before: datetime, not_after: datetime) -> datetime:
    """When the renewal window of a certificate opens."""
    return not_after - (not_after - not_before) / RENEWED_FROM


def slot(serial: str, not_before: datetime, not_after: datetime) -> datetime:
    """When a certificate is renewed: its own moment in the window, by a keyed hash of its serial.

    Certificates that were issued on one day are so renewed over months, and nobody can tell when from outside.
    """
    window = (not_after - not_before) / RENEWED_FROM
    return not_after - window + window * SLOTS_END * _fraction("pki.renewal", serial)


def next_try(key: str, failed: int, now: datetime, due_at: datetime) -> datetime | None:
    """When to try again after so many failed tries; None: it would be too late to help.

    key: of the rotation. The pauses grow to a day; the nearer the certificate's end, the shorter they are again.
    """
    pause = PAUSES[min(failed, len(PAUSES)) - 1]
    pause = min(pause * (1 + SPREAD * _fraction("pki.retry", f"{key}:{failed}")), (due_at - now) / 4)
    at = now + max(pause, SHORTEST_PAUSE)
    return at if at <= due_at - LAST_MOMENT else None


def next_reminder(now: datetime, due_at: datetime) -> datetime:
    """When a device that owes a new key is asked again: ever sooner towards the end, and at the end."""
    return now + max(min((due_at - now) / 3, LONGEST_REST), timedelta(hours=1)) if due_at > now else due_at


def _fraction(purpose: str, value: str) -> float:
    return int(vault.digest(purpose, "", value)[:12], 16) / 16**12
