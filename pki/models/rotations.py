"""Rotations: what is renewed, when, and every attempt at it."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from devices.models import Device
from pki.models.authorities import CertificateAuthority
from pki.models.certificates import Certificate
from pki.models.querysets import OfDeviceQuerySet
from pki.states import ROTATION_OPEN, ROTATION_TRANSITIONS, RotationState, no_way
from portal.accounts.models import Bank
from portal.core import clock, ids


class RotationType(models.TextChoices):
    AUTOMATIC = "AUTOMATIC", "Automatic"
    MANUAL = "MANUAL", "Manual"


class AttemptOutcome(models.TextChoices):
    """What came of a try, and the other steps that the ledger tells of."""

    ISSUED = "issued", "New certificate issued"
    FAILED = "failed", "Try failed"
    LOST = "lost", "Worker stopped"  # nobody knows why; the next one went on
    ASKED = "asked", "New key asked of the device"
    REMINDED = "reminded", "New key asked again"
    PROVED = "proved", "Device proved the new certificate"
    ENDED = "ended", "Overlap ended"
    GIVEN_UP = "given-up", "Given up"
    CANCELLED = "cancelled", "Cancelled"


class RotationQuerySet(OfDeviceQuerySet["Rotation"]):
    prefix = "ROT"

    def open(self) -> Self:
        """Those that are not over yet."""
        return self.filter(state__in=ROTATION_OPEN)

    def claimable(self) -> Self:
        """Those whose time has come, and those whose worker did not come back: a claim moves `next_try_at`."""
        waiting = [RotationState.PLANNED, RotationState.SIGNING]
        return self.filter(state__in=waiting, next_try_at__lte=clock.now())


class Rotation(models.Model):
    """One renewal of one certificate.

    new_id_planned: the id that its certificate gets, so that callers know it at once, and a worker can tell what the
    one before it left. Only a try that came to nothing changes it. next_try_at: when the batch looks at it again.
    claim_until: of the last claim; until then one worker has it. due_at: the old certificate's end. last_reason: why
    it did not go on, in words. renewed_at: when the new certificate was stored. by_device: it began with the device's
    own request, so no worker can go on with it.
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
    by_device = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_reason = models.CharField(max_length=200, blank=True)
    planned_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    claim_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField()
    renewed_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = RotationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="rotation_state_known", condition=Q(state__in=RotationState.values)),
            models.UniqueConstraint(
                fields=["device"], name="rotation_one_open", condition=Q(state__in=ROTATION_OPEN)
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["bank", "due_at", "next_try_at"],
                name="rotation_waiting",
                condition=Q(state__in=[RotationState.PLANNED, RotationState.SIGNING]),
            ),
            models.Index(
                fields=["next_try_at"],
                name="rotation_to_remind",
                condition=Q(state=RotationState.AWAITING_DEVICE),
            ),
            models.Index(fields=["due_at"], name="rotation_late", condition=Q(state__in=ROTATION_OPEN)),
            models.Index(fields=["bank", "claim_until"], name="rotation_claimed"),
            models.Index(fields=["bank", "renewed_at"], name="rotation_renewed"),
            models.Index(fields=["bank", "-planned_at", "-id"], name="rotation_by_bank"),
            models.Index(fields=["bank", "state", "-planned_at", "-id"], name="rotation_by_state"),
            models.Index(fields=["old"], name="rotation_by_old"),
            models.Index(fields=["device", "-planned_at"], name="rotation_by_device"),
        ]

    def __str__(self) -> str:
        return f"Rotation …{self.public_id[-4:]}"

    @property
    def public_id(self) -> str:
        """`ROT_…`, the id that callers see."""
        return ids.spell("ROT", self.pk)

    @property
    def is_open(self) -> bool:
        return self.state in ROTATION_OPEN

    def move_to(self, state: RotationState) -> RotationState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = RotationState(self.state)
        if refusal := no_way(ROTATION_TRANSITIONS, before, state, what="rotation", code="rotation-state-not-valid"):
            raise refusal
        self.state = state
        return before


class RotationAttempt(models.Model):
    """The ledger: one row for each try, whatever came of it."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=AttemptOutcome)
    reason = models.CharField(max_length=200, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
