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
    DEVICES_ISSUE = "devices.issue", "Issue, deliver and replace cards and tokens"
    PINS_RESET = "pins.reset", "Start PIN resets"
    TRANSFERS_REQUEST = "transfers.request", "Ask for transfers on behalf of owners"
    TRANSFERS_DECIDE = "transfers.decide", "Approve and reject transfers"
    APPROVALS_READ = "approvals.read", "See what waits for a second person"
    APPROVALS_DECIDE = "approvals.decide", "Approve and reject what others ask for"
    APPROVALS_POLICY = "approvals.policy", "Ask for changes of the four-eyes policy"
    PKI_REQUEST = "pki.request", "Request certificates for devices"
    PKI_SIGN = "pki.sign", "Sign and reject certificate requests"
    PKI_REVOKE = "pki.revoke", "Revoke certificates"
    PKI_MANAGE = "pki.manage", "Manage certificate authorities and their policy"
    AUDIT_READ = "audit.read", "Read the audit log"
    OUTBOX_READ = "outbox.read", "See messages on their way"
    OUTBOX_RESEND = "outbox.resend", "Send failed messages again"
    LINKS_MANAGE = "links.manage", "Link devices to phrases, and cut links"
    MERCHANTS_READ = "merchants.read", "See merchants, and which of them saw a customer"
    MERCHANTS_MANAGE = "merchants.manage", "Suspend merchants, set their budgets, look at their alerts"
    STAFF_MANAGE = "staff.manage", "Manage staff"
    CLIENTS_MANAGE = "clients.manage", "Manage API clients"


_LOOK = frozenset({Capability.DEVICES_READ, Capability.APPROVALS_READ})

CAPABILITIES: Mapping[str, frozenset[str]] = {
    Role.SUPPORT: _LOOK | {Capability.PINS_RESET, Capability.OUTBOX_READ, Capability.MERCHANTS_READ},
    Role.OPERATOR: _LOOK
    | {
        Capability.DEVICES_ACTIVATE,
        Capability.DEVICES_BLOCK,
        Capability.DEVICES_CORRECT,
        Capability.DEVICES_ISSUE,
        Capability.PINS_RESET,
        Capability.TRANSFERS_REQUEST,
        Capability.PKI_REQUEST,
        Capability.LINKS_MANAGE,
        Capability.MERCHANTS_READ,
        Capability.OUTBOX_READ,
        Capability.OUTBOX_RESEND,
    },
    Role.APPROVER: _LOOK
    | {
        Capability.APPROVALS_DECIDE,
        Capability.TRANSFERS_DECIDE,
        Capability.MERCHANTS_READ,
        Capability.AUDIT_READ,
    },
    Role.SECURITY_OFFICER: _LOOK
    | {
        Capability.DEVICES_ACTIVATE,
        Capability.DEVICES_BLOCK,
        Capability.APPROVALS_POLICY,
        Capability.PKI_REQUEST,
        Capability.PKI_SIGN,
        Capability.PKI_REVOKE,
        Capability.PKI_MANAGE,
        Capability.MERCHANTS_READ,
        Capability.MERCHANTS_MANAGE,
        Capability.AUDIT_READ,
    },
    Role.AUDITOR: _LOOK | {Capability.AUDIT_READ, Capability.MERCHANTS_READ, Capability.OUTBOX_READ},
    Role.ADMINISTRATOR: frozenset(
        {Capability.STAFF_MANAGE, Capability.CLIENTS_MANAGE, Capability.MERCHANTS_READ, Capability.MERCHANTS_MANAGE}
    ),
}


def capabilities_of(role: str) -> frozenset[str]:
    """The capabilities of a role; an unknown role has none."""
    return CAPABILITIES.get(role, frozenset())


def who_can(capability: str) -> list[str]:
    """The roles that have a capability, by name: told to staff who lack it."""
    return [Role(role).label for role, capabilities in CAPABILITIES.items() if capability in capabilities]
