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
    # Back to PENDING only when a loss report is undone and the device was never activated.
    DeviceStatus.BLOCKED: frozenset({DeviceStatus.ACTIVE, DeviceStatus.PENDING, DeviceStatus.RETIRED}),
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
    """What a device's keys and certificates say about it."""

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


class ResetState(TextChoices):
    OPEN = "OPEN", "Open"  # its owner types the code
    USED = "USED", "Used"
    VOID = "VOID", "Void"  # a newer one took its place, its tries are used up, or the device was switched off
    EXPIRED = "EXPIRED", "Expired"


class TransferState(TextChoices):
    PENDING_APPROVAL = "PENDING_APPROVAL", "Waiting for approval"  # staff approve or reject, the owner may cancel
    APPROVED = "APPROVED", "Waiting for the new owner"  # the new owner types the acceptance code
    ACCEPTED = "ACCEPTED", "Waiting for its date"  # the sweep completes it on the date
    COMPLETED = "COMPLETED", "Completed"
    REJECTED = "REJECTED", "Rejected"
    CANCELLED = "CANCELLED", "Cancelled"
    EXPIRED = "EXPIRED", "Expired"


TRANSFER_OPEN: tuple[TransferState, ...] = (
    TransferState.PENDING_APPROVAL,
    TransferState.APPROVED,
    TransferState.ACCEPTED,
)

TRANSFER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    TransferState.PENDING_APPROVAL: frozenset(
        {TransferState.APPROVED, TransferState.REJECTED, TransferState.CANCELLED, TransferState.EXPIRED}
    ),
    TransferState.APPROVED: frozenset(
        {
            TransferState.ACCEPTED,
            TransferState.COMPLETED,
            TransferState.REJECTED,
            TransferState.CANCELLED,
            TransferState.EXPIRED,
        }
    ),
    TransferState.ACCEPTED: frozenset({TransferState.COMPLETED, TransferState.CANCELLED}),
    TransferState.COMPLETED: frozenset(),
    TransferState.REJECTED: frozenset(),
    TransferState.CANCELLED: frozenset(),
    TransferState.EXPIRED: frozenset(),
}


def no_way_for_transfer(before: TransferState, after: TransferState) -> InvalidState | None:
    """Why a transfer cannot go from one state to another; None where `TRANSFER_TRANSITIONS` lets it."""
    if after in TRANSFER_TRANSITIONS[before]:
        return None
    return InvalidState(
        f"A transfer that is {before.label.lower()} cannot become {after.label.lower()}.",
        code="transfer-state-not-valid",
        state=before.value,
    )


class ImportState(TextChoices):
    READY = "READY", "Ready to start"  # uploaded and read: whoever uploaded it, or a colleague, starts or discards it
    WAITING = "WAITING", "Waiting"  # a worker takes it
    RUNNING = "RUNNING", "Running"  # a worker is at it; when its claim runs out, the next goes on
    DONE = "DONE", "Done"
    REFUSED = "REFUSED", "Refused"  # a row of all-or-nothing was; its starter may not any more; or it keeps failing
    STOPPED = "STOPPED", "Stopped"  # discarded, not started in time, or the command that read the file is gone


IMPORT_OPEN: tuple[ImportState, ...] = (ImportState.READY, ImportState.WAITING, ImportState.RUNNING)

IMPORT_TRANSITIONS: Mapping[str, frozenset[str]] = {
    ImportState.READY: frozenset({ImportState.WAITING, ImportState.STOPPED}),
    ImportState.WAITING: frozenset({ImportState.RUNNING}),
    # To RUNNING when the next worker goes on after a claim has run out.
    ImportState.RUNNING: frozenset(
        {ImportState.WAITING, ImportState.RUNNING, ImportState.DONE, ImportState.REFUSED, ImportState.STOPPED}
    ),
    ImportState.DONE: frozenset(),
    ImportState.REFUSED: frozenset(),
    ImportState.STOPPED: frozenset(),
}


def no_way_for_import(before: ImportState, after: ImportState) -> InvalidState | None:
    """Why an import cannot go from one state to another; None where `IMPORT_TRANSITIONS` lets it."""
    if after in IMPORT_TRANSITIONS[before]:
        return None
    return InvalidState(
        f"An import that is {before.label.lower()} cannot become {after.label.lower()}.",
        code="import-state-not-valid",
        state=before.value,
    )


class CardStatus(TextChoices):
    """What a card or token is to its holder (Asseco, card-status). It is derived, never stored; see queries."""

    INACTIVE = "inactive", "Inactive"
    VALID = "valid", "Valid"
    EXPIRED = "expired", "Expired"
    BLOCKED = "blocked", "Blocked"
    LOST = "reported-as-lost", "Reported as lost"
