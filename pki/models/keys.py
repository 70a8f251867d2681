"""Keys: whose each is, and which never may come back."""

from typing import ClassVar

from django.db import models

from devices.models import Device
from portal.core import ids


class CertifiedKey(models.Model):
    """One key, one device: the first device that asked for a certificate with it. Never deleted."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fingerprint = models.CharField(max_length=64, unique=True)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="certified_keys")
    first_seen_at = models.DateTimeField()


class BlockedKeyQuerySet(models.QuerySet["BlockedKey"]):
    def has(self, fingerprint: str) -> bool:
        """Whether a key is blocked. One query."""
        return self.filter(fingerprint=fingerprint).exists()


class BlockedKey(models.Model):
    """A key that nobody may use again, in any bank: it was compromised."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fingerprint = models.CharField(max_length=64, unique=True)
    reason = models.CharField(max_length=500)
    blocked_at = models.DateTimeField()

    objects = BlockedKeyQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-blocked_at"], name="blocked_key_newest")]
