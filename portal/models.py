"""Rows that no app owns: beat slots, stored answers, worker heartbeats."""

from typing import ClassVar

from django.db import models


class JobSlot(models.Model):
    """One run of a scheduled task at one moment. The unique row lets beat run on every node: the first claims it."""

    task = models.CharField(max_length=64)
    slot = models.BigIntegerField()
    claimed_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["task", "slot"], name="job_slot_once")]


class IndexKeys(models.Model):
    """Which index keys count (one row, id 1): `now` for the first column of every blind index, `next` for the second.

    They differ only while keys change.
    """

    now = models.CharField(max_length=16)
    next = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(name="index_keys_one_row", condition=models.Q(id=1))]


class WorkerBeat(models.Model):
    """The last sign of life of the background workers, written by the beat task. One row per worker host."""

    worker = models.CharField(max_length=120, primary_key=True)
    seen_at = models.DateTimeField()


class StoredAnswer(models.Model):
    """The first answer to a POST with an Idempotency-Key.

    scope: keyed digest of client, user, path and the caller's key. body_digest: keyed digest of the request's body,
    "" once the key is burnt. status 0: the first call is still at work. answer_sealed: the answer's
    headers and body, sealed: both may name a device.
    """

    scope = models.CharField(max_length=64, primary_key=True)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    answer_sealed = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)
