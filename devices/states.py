"""The words that say what a device is and what it may do, and which states may follow which."""

from collections.abc import Mapping

from django.db.models import TextChoices

from portal.core.errors import InvalidState


class Category(TextChoices):
    OWNED = "owned", "Owned by the customer"
    ISSUED = "issued", "Issued by the bank"


class DeviceStatus(TextChoices):
    PENDING = "PENDING", "Pending"  # registered or issued, not yet let in: staff activate it
    ACTIVE = "ACTIVE", "Active"  # may use banking services
    INACTIVE = "INACTIVE", "Inactive"  # switched off by its owner or by staff: see policies for who switches it on
    BLOCKED = "BLOCKED", "Blocked"  # blocked by its owner or by staff: see policies for who lifts it
    RETIRED = "RETIRED", "Retired"  # for good; nobody acts on it again


TRANSITIONS: Mapping[str, frozenset[str]] = {
    DeviceStatus.PENDING: frozenset({DeviceStatus.ACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.ACTIVE: frozenset({DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.INACTIVE: frozenset({DeviceStatus.ACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.BLOCKED: frozenset({DeviceStatus.ACTIVE, DeviceStatus.RETIRED}),
    DeviceStatus.RETIRED: frozenset(),
}


def no_way(before: DeviceStatus, after: DeviceStatus) -> InvalidState | None:
    """Why a device cannot go from one state to another; None where `TRANSITIONS` lets it."""
    if after in TRANSITIONS[before]:
        return None
    return InvalidState(
        f"A device that is {before.label.lower()} cannot become {after.label.lower()}.",
        code="device-status-not-valid",
        status=before.value,
    )


class HeldBy(TextChoices):
    """Who switched a device off. A customer undoes only what the owner did."""

    NOBODY = "", "Nobody"
    OWNER = "owner", "Owner"
    BANK = "bank", "Bank"


class Enrollment(TextChoices):
    """What a device's keys say about it."""

    NOT_ENROLLED = "NOT_ENROLLED", "No key is registered"
    PENDING = "PENDING", "A key is registered, but not proved yet"
    ENROLLED = "ENROLLED", "The device has proved that it holds its key"
    REVOKED = "REVOKED", "The device is retired"


class CertificateStatus(TextChoices):
    """The words for a device's certificate (Adiba, "Check Device Status")."""

    NONE = "NONE", "None"
    PENDING = "PENDING", "Pending"
    VALID = "VALID", "Valid"
    EXPIRING = "EXPIRING", "Expiring"
    EXPIRED = "EXPIRED", "Expired"
    REVOKED = "REVOKED", "Revoked"
    ON_HOLD = "ON_HOLD", "On hold"
