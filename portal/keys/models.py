"""A change of keys and how far it has come."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from portal.core import ids


class Phase(models.TextChoices):
    STARTING = "starting", "Waits for older transactions"  # writers double-write from now on
    FILL = "fill", "Second index columns"  # `<name>_index_next` under the new key
    SWITCHING = "switching", "Waits for older transactions again"  # writers write the new key only
    MOVE = "move", "First index columns"  # `<name>_index` under the new key
    SEAL = "seal", "Sealed columns"
    CHECK = "check", "Counts what is left"
    DONE = "done", "Done"


class StepKind(models.TextChoices):
    FILL = "fill", "Second index column"
    MOVE = "move", "First index column"
    SEAL = "seal", "Sealed column"


OPEN = 1


class KeyChange(models.Model):
    """One run of `rotate_keys`. At most one is open (`slot`).

    sealing_key, index_key: the ids of the new keys; "" for one that does not change. waits_for: PostgreSQL's names of
    the transactions that were open when a waiting phase began; None: not asked yet. worker_until: as long as somebody
    works on it. note: what stands in the way, in words; "" for nothing.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    slot = models.PositiveSmallIntegerField(null=True, unique=True, default=OPEN)
    sealing_key = models.CharField(max_length=16, blank=True)
    index_key = models.CharField(max_length=16, blank=True)
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.STARTING)
    waits_for = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField()
    worked_at = models.DateTimeField()
    worker_until = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="key_change_phase_known", condition=Q(phase__in=Phase.values)),
            models.CheckConstraint(
                name="key_change_open_or_done",
                condition=Q(slot=OPEN, done_at=None) & ~Q(phase=Phase.DONE)
                | Q(slot=None, done_at__isnull=False, phase=Phase.DONE),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-started_at"], name="key_change_by_time")]

    def __str__(self) -> str:
        keys = [f"sealing key {self.sealing_key}"] * bool(self.sealing_key)
        keys += [f"index key {self.index_key}"] * bool(self.index_key)
        return f"change to {' and '.join(keys)}"

    @property
    def is_open(self) -> bool:
        return self.slot is not None


class KeyStep(models.Model):
    """One pass over one column. place: as `portal.sealed` names it. round: of how many passes this is the last.

    cursor: the primary key, as text, up to which this pass has come. total: rows in the table when the change began.
    passed, changed: rows looked at, rows written in this pass. broken: texts of this pass that no key opens, or whose
    index cannot be made; broken_rows: the primary keys of the first of them.
    """

    change = models.ForeignKey(KeyChange, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=10, choices=StepKind)
    place = models.CharField(max_length=100)
    round = models.PositiveIntegerField(default=1)
    cursor = models.CharField(max_length=100, blank=True)
    total = models.PositiveBigIntegerField()
    passed = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    broken = models.PositiveBigIntegerField(default=0)
    broken_rows = models.JSONField(default=list)
    done = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="key_step_kind_known", condition=Q(kind__in=StepKind.values)),
            models.UniqueConstraint(fields=["change", "kind", "place"], name="key_step_once"),
        ]

    @property
    def percent(self) -> int:
        """How much of the table this pass has seen."""
        if self.done:
            return 100
        return min(99, 100 * self.passed // max(self.total, self.passed, 1))
