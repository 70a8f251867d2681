"""Things as the portal's pages show them, one module a topic."""

from devices.screens.registry import (
    facts,
    is_lost,
    keys,
    name_of,
    owner,
    posture,
    row,
    sessions,
    status_since,
)
from devices.screens.switching import (
    STEPS,
    STEPS_BY_NAME,
    WAYS_OUT,
    Step,
    by_policy,
    offer,
    steps,
)

__all__ = [
    "STEPS",
    "STEPS_BY_NAME",
    "Step",
    "WAYS_OUT",
    "by_policy",
    "facts",
    "is_lost",
    "keys",
    "name_of",
    "offer",
    "owner",
    "posture",
    "row",
    "sessions",
    "status_since",
    "steps",
]
