"""Things as the portal's pages show them, one module a topic."""

from devices.screens.registry import (
    STEPS,
    STEPS_BY_NAME,
    WAYS_OUT,
    Step,
    facts,
    keys,
    name_of,
    owner,
    posture,
    row,
    sessions,
    status_since,
    steps,
)

__all__ = [
    "STEPS",
    "STEPS_BY_NAME",
    "Step",
    "WAYS_OUT",
    "facts",
    "keys",
    "name_of",
    "owner",
    "posture",
    "row",
    "sessions",
    "status_since",
    "steps",
]
