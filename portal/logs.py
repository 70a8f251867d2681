"""JSON logs."""


def configuration(level: str) -> dict[str, object]:
    """Django's LOGGING for one level."""
    return {"version": 1, "disable_existing_loggers": False}
