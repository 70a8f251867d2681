"""PINs of devices, and the resets on their way."""

from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from devices.states import ResetState
from portal.accounts.models import Application, User
from portal.core import clock, ids
from portal.core.actor import Actor

PIN_TRIES: Final = 5  # wrong ones in a row that lock a PIN; wrong codes that end a reset (contract, PIN)


class ResetMethod(models.TextChoices):
    SMS = "SMS", "SMS"
    EMAIL = "EMAIL", "E-mail"


class DevicePin(models.Model):
    """A device's PIN, as an Argon2id digest with a pepper that is not in the database.

    digest: what `portal.crypto.pins` makes. failures: tries since the last right one, each counted before its PIN is
    looked at; at `PIN_TRIES` the PIN is locked until a reset.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="pin")
    digest = models.CharField(max_length=200)
    failures = models.PositiveSmallIntegerField(default=0)
    locked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="pin_failures_bounded", condition=Q(failures__lte=PIN_TRIES)),
            models.CheckConstraint(
                name="pin_lock_needs_failures", condition=Q(locked_at__isnull=True) | Q(failures=PIN_TRIES)
            ),
        ]

    @property
    def is_locked(self) -> bool:
        return self.failures >= PIN_TRIES


class PinResetQuerySet(models.QuerySet["PinReset"]):
    def named(self, reset_id: str) -> Self:
        """The one that `RESET_…` names; no query for another text."""
        try:
            return self.filter(pk=ids.read("RESET", reset_id))
        except ValueError:
            return self.none()

    def asked_by(self, actor: Actor) -> Self:
        """Those that this bearer may confirm: the owner, through the client that asked, or any if staff did."""
        through = Q(application=None) | Q(application_id=actor.application_id)
        return self.filter(through, owner_id=actor.user_id)

    def open(self) -> Self:
        """Those whose code may still be tried."""
        return self.filter(state=ResetState.OPEN, expires_at__gt=clock.now(), tries__lt=PIN_TRIES)


class PinReset(models.Model):
    """A reset on its way: its code went to the contact on file, or nowhere when what the caller knew did not match.

    owner: who may confirm. application: through which client, None for any (staff started it). code_digest: keyed.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="pin_resets")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="pin_resets")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True, related_name="+")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    method = models.CharField(max_length=10, choices=ResetMethod)
    sent = models.BooleanField()
    code_digest = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=ResetState, default=ResetState.OPEN)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = PinResetQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="pin_reset_state_known", condition=Q(state__in=ResetState.values)),
            models.CheckConstraint(name="pin_reset_method_known", condition=Q(method__in=ResetMethod.values)),
            models.CheckConstraint(name="pin_reset_tries_bounded", condition=Q(tries__lte=PIN_TRIES)),
            models.CheckConstraint(
                name="pin_reset_closed_has_time",
                condition=Q(state=ResetState.OPEN, closed_at__isnull=True)
                | (~Q(state=ResetState.OPEN) & Q(closed_at__isnull=False)),
            ),
            models.UniqueConstraint(fields=["device"], name="pin_reset_one_open", condition=Q(state=ResetState.OPEN)),
        ]
        indexes: ClassVar = [
            models.Index(fields=["device", "-created_at"], name="pin_reset_by_device"),
        ]

    @property
    def public_id(self) -> str:
        """`RESET_…`, the id that callers see."""
        return ids.spell("RESET", self.pk)
