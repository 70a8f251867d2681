"""What the tests of rotation share: a device whose certificate is due, and what the ledger says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import time_machine

from devices.models import Device
from pki.models import Certificate, Rotation, RotationAttempt
from pki.operations.rotation_work import rotate_batch
from pki.states import LIVE
from portal.audit.models import AuditEvent
from portal.core import clock


@contextmanager
def later(moment: datetime | timedelta) -> Iterator[None]:
    """The clock stands at a moment, or goes so much further."""
    at = moment if isinstance(moment, datetime) else clock.now() + moment
    with time_machine.travel(at):
        yield


def due(certificate: Certificate) -> datetime:
    """A moment in the certificate's window, after its slot."""
    assert certificate.renew_at is not None
    return certificate.renew_at + timedelta(minutes=1)


def live(device: Device) -> list[str]:
    """The states of a device's live certificates, oldest first."""
    rows = Certificate.objects.filter(device=device, state__in=LIVE).order_by("reserved_at", "issued_at")
    return list(rows.values_list("state", flat=True))


def told(rotation: Rotation) -> list[tuple[str, str]]:
    """The ledger's lines: outcome and reason."""
    rows = RotationAttempt.objects.filter(rotation=rotation).order_by("id")
    return list(rows.values_list("outcome", "reason"))


def events(prefix: str = "rotation.") -> list[str]:
    rows = AuditEvent.objects.filter(event__startswith=prefix, outcome="done").order_by("id")
    return list(rows.values_list("event", flat=True))


def worked() -> int:
    """One run of a worker."""
    return rotate_batch(seconds=30)
