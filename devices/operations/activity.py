"""Signs of life."""

from datetime import timedelta
from typing import Final

from django.db.models import Q

from devices.models import Device
from portal.core import clock

ACTIVITY_STEP: Final = timedelta(minutes=1)


def note_activity(device: Device) -> None:
    """Remember that the device was just heard of. Writes at most once a minute, whoever else notes it too."""
    now = clock.now()
    if device.last_activity_at and now - device.last_activity_at < ACTIVITY_STEP:
        return
    stale = Q(last_activity_at__isnull=True) | Q(last_activity_at__lte=now - ACTIVITY_STEP)
    Device.objects.filter(stale, pk=device.pk).update(last_activity_at=now)
    device.last_activity_at = now
