"""What the tests on tampering share."""

from pathlib import Path

from portal.audit import encoding, merkle
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.verification import verify


def found() -> str:
    return verify().problem


def named(events: list[AuditEvent], position: int) -> str:
    return f"event {events[position].pk} (position {position})"


def row_of(event: AuditEvent) -> AuditEvent:
    return AuditEvent.objects.get(pk=event.pk)


def whole_row(event: AuditEvent) -> encoding.Row:
    return encoding.rows_of(AuditEvent.objects.filter(pk=event.pk)).get()


def leaf_of(event: AuditEvent) -> str:
    row = whole_row(event)
    return merkle.leaf_hash(encoding.leaf_data(encoding.encode(row), row[-1])).hex()


def resign(event: AuditEvent) -> None:
    """Give a row a good MAC, as somebody with the MAC key could."""
    made = encoding.mac(encoding.encode(whole_row(event)), "a1")
    AuditEvent.objects.filter(pk=event.pk).update(mac=made)


def cut_to(events: list[AuditEvent], size: int) -> None:
    AuditEvent.objects.filter(pk__gte=events[size].pk).delete()
    AuditLeaf.objects.filter(position__gte=size).delete()
    AuditCheckpoint.objects.filter(size__gt=size).delete()


def records(path: Path) -> list[str]:
    return [
        f"device-trust-portal/audit\n{part}" for part in path.read_text().split("device-trust-portal/audit\n")[1:]
    ]
