"""The tasks of a change of keys."""

from celery import shared_task
from django.db import transaction

from portal import jobs
from portal.keys import engine
from portal.keys.change import TASK


@shared_task(name=TASK)
def work(change_id: str = "") -> None:
    """Some seconds of the open change. It rings for itself as long as work is left."""
    if engine.work():
        with transaction.atomic():
            jobs.ring(TASK, change_id)


@shared_task(name="keys.sweep")
def sweep() -> None:
    """Take up a change whose worker died or whose ring nobody heard; the first node to ask does it."""
    if engine.open_change() is not None and jobs.claim_slot("keys.sweep", 10):
        engine.retry()
        work()
