"""The outbox's tasks."""

from celery import shared_task

from portal import jobs
from portal.outbox import operations


@shared_task(name="outbox.deliver")
def deliver(message_id: str) -> None:
    """Send one message."""
    operations.deliver(message_id)


@shared_task(name="outbox.sweep")
def sweep() -> None:
    """Send the messages whose ring nobody heard; the first node to ask does it."""
    if jobs.claim_slot("outbox.sweep", 10):
        operations.sweep()
