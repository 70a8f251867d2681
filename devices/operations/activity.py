"""Signs of life."""

import logging
from datetime import timedelta
from typing import Final

from django.db import OperationalError
from django.db.models import Q

from devices.models import Device
from portal.core import clock

ACTIVITY_STEP: Final = timedelta(minutes=1)

log = logging.getLogger(__name__)


def note_activity(device: Device) -> None:
    """Remember that the device was just heard of. Writes at most once a minute, whoever else notes it too.

    A database that takes no writes is logged and no error: a call that only reads goes on.
    """
    now = clock.now()
    if device.last_activity_at and now - device.last_activity_at < ACTIVITY_STEP:
        return
    stale = Q(last_activity_at__isnull=True) | Q(last_activity_at__lte=now - ACTIVITY_STEP)
    try:
        Device.objects.filter(stale, pk=device.pk).update(last_activity_at=now)
    except OperationalError:
        log.warning("a sign of life could not be written", exc_info=True)
        return
    device.last_activity_at = now
