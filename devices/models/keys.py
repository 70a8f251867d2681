"""Approval keys of devices."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from portal.core import ids


class DeviceKeyQuerySet(models.QuerySet["DeviceKey"]):
    def in_use(self) -> Self:
        """Those that count: they have signed a challenge, and were not replaced."""
        return self.filter(proved_at__isnull=False, retired_at__isnull=True)


class DeviceKey(models.Model):
    """A device's approval key (public half). It counts once it has signed a challenge (`proved_at`).

    public_key: canonical lower-case hex. spelling: as the client registered it. fingerprint: over the point, so one
    key in two encodings is one key. A retired key never counts again, on any device.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="keys")
    algorithm = models.CharField(max_length=10)
    public_key = models.CharField(max_length=128)
    spelling = models.CharField(max_length=132)
    fingerprint = models.CharField(max_length=64)
    registered_at = models.DateTimeField()
    proved_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = DeviceKeyQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="device_key_algorithm_known", condition=Q(algorithm__in=["p256", "ed25519"])),
            models.UniqueConstraint(
                fields=["fingerprint"],
                name="device_key_unique_once_proved",
                condition=Q(proved_at__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["device"],
                name="device_key_one_in_use",
                condition=Q(proved_at__isnull=False, retired_at__isnull=True),
            ),
        ]
