"""The approvals' tasks."""

from celery import shared_task

from portal import jobs
from portal.approvals.lapse import expire_requests


@shared_task(name="approvals.expire")
def expire() -> None:
    """Close requests that nobody decided in time; the first node to ask does it."""
    if jobs.claim_slot("approvals.expire", 60):
        expire_requests()
