"""What one bank decides about its certificates. Changed by two people."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from portal.accounts.models import Bank


class CertificatePolicy(models.Model):
    """organisation, unit, country: what stands in every subject. zone: the DNS zone names may lie under, or "".

    profiles: by name, what the bank narrows of the built-in profile. auto_sign: sign at once for active devices
    that ask by their own bound token. sign_needs_two: signing by the bank's server or staff waits for a second
    person, and nothing is signed at once. key_lifetime_days: a key older than that is not certified again at a
    rotation.
    """

    bank = models.OneToOneField(Bank, on_delete=models.PROTECT, primary_key=True, related_name="certificate_policy")
    organisation = models.CharField(max_length=64)
    unit = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=2)
    zone = models.CharField(max_length=200, blank=True)
    profiles = models.JSONField(default=dict)
    auto_sign = models.BooleanField(default=False)
    sign_needs_two = models.BooleanField(default=False)
    key_lifetime_days = models.PositiveIntegerField(default=1095)
    overlap_days = models.PositiveIntegerField(default=14)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="certificate_policy_overlap_sane", condition=Q(overlap_days__gte=1, overlap_days__lte=90)
            ),
        ]

    def __str__(self) -> str:
        return "Certificate policy"
