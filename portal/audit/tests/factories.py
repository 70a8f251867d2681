"""Actors and events for tests."""

from uuid import UUID

from django.db import transaction

from portal.audit import log
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, ActorKind, Channel

BANK = UUID("b0000000-0000-4000-8000-000000000001")
OTHER_BANK = UUID("b0000000-0000-4000-8000-000000000002")


def make_actor(
    *, name: str = "olga", bank_id: UUID | None = BANK, capabilities: frozenset[str] = frozenset({"audit.read"})
) -> Actor:
    """A member of staff at the portal."""
    return Actor(
        kind=ActorKind.STAFF,
        id=f"id-of-{name}",
        label=name.title(),
        channel=Channel.PORTAL,
        bank_id=bank_id,
        capabilities=capabilities,
        ip="192.0.2.7",
        request_id="req-1",
    )


def write_event(actor: Actor | None = None, event: str = Event.DEVICE_ACTIVATED, reason: str = "") -> AuditEvent:
    """One committed event about nothing."""
    with transaction.atomic():
        return log.record(actor or make_actor(), event, None, reason=reason)


def write_events(number: int) -> list[AuditEvent]:
    return [write_event(reason=f"number {count}") for count in range(number)]
