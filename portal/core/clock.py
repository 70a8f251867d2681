"""The one clock. Tests move it by moving the system's time (time-machine); nothing else reads the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2024-12-01T14:30:00Z`: UTC, whole seconds (cut, not rounded), as every dialect writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; one without an offset is refused. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or len(text) < len("2024-12-01T14:30:00Z"):
        raise ValueError("a time needs a date, a time of day and an offset")
    return moment.astimezone(UTC)
