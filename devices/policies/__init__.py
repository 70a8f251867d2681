"""Who may do what, one module a topic. Doors and operations ask the same question here."""

from devices.policies.issued import issue
from devices.policies.registry import (
    activate,
    block,
    correct,
    deactivate,
    edit,
    enrol_key,
    may_activate,
    may_block,
    may_deactivate,
    may_edit,
    may_unblock,
    may_unregister,
    read,
    register,
    register_again,
    unblock,
    unregister,
)

__all__ = [
    "activate",
    "block",
    "correct",
    "deactivate",
    "edit",
    "enrol_key",
    "issue",
    "may_activate",
    "may_block",
    "may_deactivate",
    "may_edit",
    "may_unblock",
    "may_unregister",
    "read",
    "register",
    "register_again",
    "unblock",
    "unregister",
]
