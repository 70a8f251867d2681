"""The states of a device and which may follow which."""

from collections.abc import Mapping

from django.db.models import TextChoices

from portal.core.errors import InvalidState


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
