"""The states of a device and which may follow which."""

from collections.abc import Mapping

from django.db.models import TextChoices


class DeviceStatus(TextChoices):
    PENDING = "PENDING", "Pending"  # registered or issued, not yet let in: staff activate it
    ACTIVE = "ACTIVE", "Active"  # may use banking services
    INACTIVE = (
        "INACTIVE",
        "Inactive",
    )  # switched off by its owner or by staff: either may switch it on, see policies
    BLOCKED = "BLOCKED", "Blocked"  # blocked by its owner or by staff: see policies for who lifts it
    RETIRED = "RETIRED", "Retired"  # for good; nobody acts on it again


TRANSITIONS: Mapping[str, frozenset[str]] = {
    DeviceStatus.PENDING: frozenset({DeviceStatus.ACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.ACTIVE: frozenset({DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.INACTIVE: frozenset({DeviceStatus.ACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED}),
    DeviceStatus.BLOCKED: frozenset({DeviceStatus.ACTIVE, DeviceStatus.RETIRED}),
    DeviceStatus.RETIRED: frozenset(),
}


class HeldBy(TextChoices):
    """Who switched a device off. A customer undoes only what the owner did."""

    NOBODY = "", "Nobody"
    OWNER = "owner", "Owner"
    BANK = "bank", "Bank"
