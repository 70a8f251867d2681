"""Whether the audit log vouches for an event, as the browser's pages show it. `audit_verify` checks the whole log."""

from dataclasses import dataclass
from datetime import datetime

from portal.audit import encoding
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.sealing import unsealed_window
from portal.crypto.codes import same


@dataclass(frozen=True)
class SealState:
    """The log's last checkpoint, and how many events wait for the next one."""

    waiting: int
    checkpoint_at: datetime | None


@dataclass(frozen=True)
class Seal:
    """One event's place in the log. mac_ok: its row is as it was written. The rest is empty until it is sealed."""

    mac_ok: bool
    sealed: bool = False
    position: int = 0
    checkpoint_size: int = 0
    checkpoint_at: datetime | None = None
    root: str = ""


def seal_state() -> SealState:
    """How the sealing stands. Three queries, however long the log."""
    newest = AuditCheckpoint.objects.order_by("-size").values_list("at", flat=True).first()
    return SealState(unsealed_window()[0], newest)


def seal_of(event: AuditEvent) -> Seal:
    """The event's check value, recomputed, and the first checkpoint that covers it."""
    mac_ok = _mac_is_right(event)
    leaf = AuditLeaf.objects.filter(event_id=event.pk).first()
    if leaf is None:
        return Seal(mac_ok)
    first = AuditCheckpoint.objects.filter(size__gt=leaf.position).order_by("size").first()
    if first is None:
        return Seal(mac_ok)
    return Seal(mac_ok, True, leaf.position, first.size, first.at, first.root)


def _mac_is_right(event: AuditEvent) -> bool:
    row = encoding.rows_of(AuditEvent.objects.filter(pk=event.pk)).get()
    return same(encoding.mac(encoding.encode(row), row[-2]), row[-1])
