"""Steps taken over many devices at once, and what came of them."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from portal.accounts.models import Bank, User
from portal.core import ids
from portal.core.actor import Actor


class BulkStep(models.TextChoices):
    ACTIVATE = "activate", "Activate"
    DEACTIVATE = "deactivate", "Deactivate"
    BLOCK = "block", "Block"


class BulkRunQuerySet(models.QuerySet["BulkRun"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of the bank, for staff and the system."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_system else self.none()


class BulkRun(models.Model):
    """One step over many devices. Its id is made before it runs, so that the same run is never taken twice.

    outcomes: one entry per device in the order of the list: `{device, outcome, code, message}`, where the outcome is
    changed, already or refused. ended: how many of each kind ended with the devices' access.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="bulk_runs")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    step = models.CharField(max_length=10, choices=BulkStep)
    outcomes = models.JSONField(default=list)
    ended = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    objects = BulkRunQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="bulk_step_known", condition=Q(step__in=BulkStep.values)),
        ]

    def __str__(self) -> str:
        count = len(self.outcomes)
        return f"{self.get_step_display()} {count} device{'' if count == 1 else 's'}"
