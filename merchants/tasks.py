"""The tasks about merchants."""

from celery import shared_task

from merchants.operations.alerts import NAME, watch
from portal import jobs


@shared_task(name=NAME)
def merchants_watch() -> None:
    """Look for merchants that miss more than they find; the first node to ask does it."""
    if jobs.claim_slot(NAME, 60):
        watch()
