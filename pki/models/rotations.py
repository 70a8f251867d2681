"""Rotations: what is renewed, when, and every attempt at it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from devices.models import Device
from pki.models.authorities import CertificateAuthority
from pki.models.certificates import Certificate
from pki.states import ROTATION_OPEN, RotationState
from portal.accounts.models import Bank
from portal.core import ids


class RotationType(models.TextChoices):
    AUTOMATIC = "AUTOMATIC", "Automatic"
    MANUAL = "MANUAL", "Manual"


class Rotation(models.Model):
    """One renewal of one certificate. new_id: the id that its certificate gets, so that callers know it at once.

    next_try_at: when the batch looks at it again; claim_until: until then one worker has it. due_at: the old
    certificate's end. last_reason: why it did not go on, in words.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="rotations")
    authority = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="rotations")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="rotations")
    old = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="rotations")
    new = models.ForeignKey(Certificate, on_delete=models.PROTECT, null=True, related_name="+")
    new_id_planned = models.UUIDField(default=ids.new_id)
    type = models.CharField(max_length=10, choices=RotationType)
    state = models.CharField(max_length=16, choices=RotationState, default=RotationState.PLANNED)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_reason = models.CharField(max_length=200, blank=True)
    planned_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    claim_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="rotation_state_known", condition=Q(state__in=RotationState.values)),
            models.UniqueConstraint(
                fields=["device"], name="rotation_one_open", condition=Q(state__in=ROTATION_OPEN)
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                name="rotation_waiting",
                condition=Q(state__in=[RotationState.PLANNED, RotationState.SIGNING]),
            ),
            models.Index(fields=["bank", "-planned_at", "-id"], name="rotation_by_bank"),
            models.Index(fields=["bank", "state", "-planned_at", "-id"], name="rotation_by_state"),
            models.Index(fields=["old"], name="rotation_by_old"),
        ]

    def __str__(self) -> str:
        return f"Rotation …{self.public_id[-4:]}"

    @property
    def public_id(self) -> str:
        """`ROT_…`, the id that callers see."""
        return ids.spell("ROT", self.pk)


class RotationAttempt(models.Model):
    """The ledger: one row for each try, whatever came of it."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=16)
    reason = models.CharField(max_length=200, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
