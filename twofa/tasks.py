"""The tasks of two-factor requests."""

from celery import shared_task

from portal import jobs
from twofa.operations.closing import expire_requests


@shared_task(name="twofa.sweep")
def twofa_sweep() -> None:
    """Close what nobody answered in time; the first node to ask does it."""
    if jobs.claim_slot("twofa.sweep", 30):
        expire_requests()
