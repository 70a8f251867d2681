"""Device fingerprints recorded at sign-in (SPiD)."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from portal.accounts.models import Bank, User
from portal.core import ids
from portal.core.actor import Actor


class FingerprintPlatform(models.TextChoices):
    IOS = "ios", "iOS"
    ANDROID = "android", "Android"


class FingerprintQuerySet(models.QuerySet["Fingerprint"]):
    def visible_to(self, actor: Actor) -> Self:
        """A customer's own; all of the bank for its staff; nobody else any."""
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer:
            return self.filter(bank_id=actor.bank_id, owner_id=actor.user_id)
        return self.filter(bank_id=actor.bank_id) if actor.is_staff else self.none()

    def last_seen_first(self) -> Self:
        return self.order_by("-last_seen_at", "-id")


class Fingerprint(models.Model):
    """One device and application that a customer signed in with.

    hash: 64 hex digits over device id, platform and application name, keyed per bank. device: the registry's, when
    one with this external id and owner exists. The device id itself is not kept.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="fingerprints")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="fingerprints")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="fingerprints")
    hash = models.CharField(max_length=64)
    platform = models.CharField(max_length=10, choices=FingerprintPlatform)
    application_name = models.CharField(max_length=100)
    application_version = models.CharField(max_length=64, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = FingerprintQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="fingerprint_platform_known", condition=Q(platform__in=FingerprintPlatform.values)
            ),
            models.UniqueConstraint(fields=["owner", "hash"], name="fingerprint_once_per_owner"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-last_seen_at"], name="fingerprint_by_owner"),
            models.Index(fields=["device"], name="fingerprint_by_device"),
        ]

    def __str__(self) -> str:
        return f"Fingerprint …{self.hash[-4:]}"
