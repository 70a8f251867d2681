"""The audit log: events, and the Merkle tree over them. Rows are only ever added; database triggers hold that.

Where an event stands in the tree is a table of its own, because the event itself cannot be changed afterwards.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from portal.audit.events import Outcome
from portal.core import ids


class AuditEvent(models.Model):
    """One thing that happened, or was refused: who, through which door, what, on what, before, after, why, when.

    id: time-ordered, made when the event was written. code: the rule that refused it. device_id: the device the
    actor's token is bound to. data: canonical JSON, kept exactly as it was when `mac` was made over all columns
    with the key `mac_key`. The bank, the actor and the object are named by value, so the record outlives them.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    at = models.DateTimeField()
    event = models.CharField(max_length=64)
    outcome = models.CharField(max_length=8, choices=Outcome)
    code = models.CharField(max_length=64, blank=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)
    channel = models.CharField(max_length=16)
    bank_id = models.UUIDField(null=True, blank=True)
    device_id = models.UUIDField(null=True, blank=True)
    object_type = models.CharField(max_length=32, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_label = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    ip = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    data = models.TextField(default="{}")
    mac_key = models.CharField(max_length=8)
    mac = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_event_refusal_has_code",
                condition=Q(outcome=Outcome.DONE, code="") | (Q(outcome=Outcome.REFUSED) & ~Q(code="")),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank_id", "-id"], name="audit_event_by_bank"),
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_event_by_object"),
            models.Index(fields=["bank_id", "event", "-id"], name="audit_event_by_name"),
            models.Index(fields=["bank_id", "actor_id", "-id"], name="audit_event_by_actor"),
            models.Index(fields=["bank_id", "outcome", "-id"], name="audit_event_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class AuditLeaf(models.Model):
    """The place of one event in the tree, counted from 0. The positions have no gap."""

    position = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    leaf_hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.position)


class AuditCheckpoint(models.Model):
    """The signed state of the tree after `size` events.

    note: the signed text, as it also stands in the file. The other columns repeat what it says, and `frontier`
    holds the hashes from which the tree grows on, largest subtree first, in hex with a space between.
    """

    size = models.BigIntegerField(primary_key=True)
    root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    at = models.DateTimeField()
    key_id = models.CharField(max_length=8)
    frontier = models.TextField()
    note = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="audit_checkpoint_not_empty", condition=Q(size__gt=0)),
        ]

    def __str__(self) -> str:
        return str(self.size)


class Sealer(models.Model):
    """The one row that whoever extends the tree holds locked."""

    id = models.PositiveSmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return "sealer"
