"""Requests whose time ran out."""

from django.db import transaction

from portal.approvals import trail
from portal.approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from portal.approvals.states import RequestState
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

BATCH = 200


def mark_expired(requests: ApprovalRequestQuerySet) -> int:
    """Close the lapsed ones among these, in the caller's transaction. Returns how many there were, 200 at most."""
    marked = 0
    for request in requests.lapsed().order_by("pk")[:BATCH]:  # in one order, whoever locks them
        lapsed = ApprovalRequest.objects.lapsed().filter(pk=request.pk)
        if lapsed.update(state=RequestState.EXPIRED, closed_at=clock.now()):
            trail.write(Actor.system("approvals.expire", bank_id=request.bank_id), Event.APPROVAL_EXPIRED, request)
            marked += 1
    return marked


@transaction.atomic
def expire_requests() -> int:
    """Close requests that nobody decided in time; the sweep's work. A repeat finds none."""
    return mark_expired(ApprovalRequest.objects.all())
