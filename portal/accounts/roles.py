"""Who has which capability: data, so that a reader sees the whole of it at once.

The administrator manages people and clients and has no business right. Nobody, superusers included, both makes
and checks.
"""

from collections.abc import Mapping

from django.db.models import TextChoices


class Role(TextChoices):
    SUPPORT = "support", "Support"
    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    SECURITY_OFFICER = "security-officer", "Security officer"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Capability(TextChoices):
    DEVICES_READ = "devices.read", "See devices and their owners"
    DEVICES_ACTIVATE = "devices.activate", "Activate and deactivate devices"
    DEVICES_BLOCK = "devices.block", "Block devices"
    DEVICES_CORRECT = "devices.correct", "Correct descriptive data of devices and customers"
    AUDIT_READ = "audit.read", "Read the audit log"
    OUTBOX_READ = "outbox.read", "See messages on their way"
    STAFF_MANAGE = "staff.manage", "Manage staff"
    CLIENTS_MANAGE = "clients.manage", "Manage API clients"


CAPABILITIES: Mapping[str, frozenset[str]] = {
    Role.SUPPORT: frozenset({Capability.DEVICES_READ, Capability.OUTBOX_READ}),
    Role.OPERATOR: frozenset(
        {
            Capability.DEVICES_READ,
            Capability.DEVICES_ACTIVATE,
            Capability.DEVICES_BLOCK,
            Capability.DEVICES_CORRECT,
            Capability.OUTBOX_READ,
        }
    ),
    Role.APPROVER: frozenset({Capability.DEVICES_READ, Capability.AUDIT_READ}),
    Role.SECURITY_OFFICER: frozenset(
        {Capability.DEVICES_READ, Capability.DEVICES_ACTIVATE, Capability.DEVICES_BLOCK, Capability.AUDIT_READ}
    ),
    Role.AUDITOR: frozenset({Capability.DEVICES_READ, Capability.AUDIT_READ, Capability.OUTBOX_READ}),
    Role.ADMINISTRATOR: frozenset({Capability.STAFF_MANAGE, Capability.CLIENTS_MANAGE}),
}


def capabilities_of(role: str) -> frozenset[str]:
    """The capabilities of a role; an unknown role has none."""
    return CAPABILITIES.get(role, frozenset())


def who_can(capability: str) -> list[str]:
    """The roles that have a capability, by name: told to staff who lack it."""
    return [Role(role).label for role, capabilities in CAPABILITIES.items() if capability in capabilities]
