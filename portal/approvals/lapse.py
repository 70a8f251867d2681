"""Requests whose time ran out."""

from django.db import transaction

from portal.approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from portal.approvals.states import RequestState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

BATCH = 200


def mark_expired(requests: ApprovalRequestQuerySet) -> int:
    """Close the lapsed ones among these, in the caller's transaction. Returns how many there were."""
    marked = 0
    for request in requests.lapsed()[:BATCH]:
        lapsed = ApprovalRequest.objects.lapsed().filter(pk=request.pk)
        if lapsed.update(state=RequestState.EXPIRED, closed_at=clock.now()):
            actor = Actor.system("approvals.expire", bank_id=request.bank_id)
            details = {"operation": request.operation, "about": request.object_label}
            audit.record(actor, Event.APPROVAL_EXPIRED, request, details=details)
            marked += 1
    return marked


@transaction.atomic
def expire_requests() -> int:
    """Close requests that nobody decided in time; the sweep's work. A repeat finds none."""
    return mark_expired(ApprovalRequest.objects.order_by("expires_at"))
