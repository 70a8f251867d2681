"""Imports of issued devices: the file as it waits, how far it is, and the rows that were refused."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from devices.states import IMPORT_OPEN, ImportState, no_way_for_import
from portal.accounts.models import Bank, User
from portal.core import ids
from portal.core.actor import Actor


class ImportRunQuerySet(models.QuerySet["ImportRun"]):
    def open(self) -> Self:
        """Those that are not over yet."""
        return self.filter(state__in=IMPORT_OPEN)

    def visible_to(self, actor: Actor) -> Self:
        """Those of the bank, for staff and the system."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_system else self.none()


class ImportRun(models.Model):
    """One file. Each batch of rows moves `position` in its own transaction, so that a crash repeats none.

    content_sealed: the rows of an uploaded file that can be read, until it is done; "" where a command reads the file
    itself. position: bytes that are done. all_or_nothing: one refused row refuses the file. claim_until: until then
    one worker has it. attempts: claims since the last batch that was done. uploaded_by: None for a command.
    started_by: None for a command, and until somebody starts it.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="import_runs")
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    file_name = models.CharField(max_length=120)
    content_sealed = models.TextField(blank=True)
    all_or_nothing = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.WAITING)
    position = models.PositiveBigIntegerField(default=0)
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    rows_issued = models.PositiveIntegerField(default=0)
    rows_unchanged = models.PositiveIntegerField(default=0)
    rows_refused = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    claim_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ImportRunQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="import_state_known", condition=Q(state__in=ImportState.values)),
            models.CheckConstraint(
                name="import_ended_is_wiped",
                condition=Q(state__in=IMPORT_OPEN, ended_at__isnull=True)
                | (~Q(state__in=IMPORT_OPEN) & Q(ended_at__isnull=False, content_sealed="")),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-created_at", "-id"], name="import_by_bank"),
            models.Index(
                fields=["created_at"],
                name="import_waiting",
                condition=Q(state__in=IMPORT_OPEN),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    def move_to(self, state: ImportState) -> ImportState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = ImportState(self.state)
        if refusal := no_way_for_import(before, state):
            raise refusal
        self.state = state
        return before


class ImportRefusal(models.Model):
    """One row that was refused, and why. What stood in the row is not kept: it may be a card number."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="refusals")
    line = models.PositiveIntegerField()
    field = models.CharField(max_length=40, blank=True)
    code = models.CharField(max_length=64)
    message = models.CharField(max_length=200)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["run", "line", "id"], name="import_refusal_by_line")]
