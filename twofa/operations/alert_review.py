"""Staff look at an alert and write down what they found."""

from uuid import UUID

from django.db import transaction

from portal.accounts.policies import require_capability, require_reason
from portal.accounts.roles import Capability
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidState, NotFound
from twofa.models import AlertReview, TwoFactorRequest


@transaction.atomic
def review_alert(*, actor: Actor, id: str, reason: str) -> AlertReview:
    """Mark a request's alert as looked at. A repeat changes nothing; an alert that comes later is open again.

    For who could block the device, too. reason: what was found, 1 to 500 characters. Raises Forbidden, InvalidInput,
    NotFound, InvalidState `no-alert`.
    """
    require_capability(actor, Capability.DEVICES_BLOCK)
    require_reason(reason)
    request = _locked(actor, id)
    if request.alerted_at is None:
        raise InvalidState("This request made no alert.", code="no-alert")
    found = AlertReview.objects.filter(request=request).first()
    if found is not None and found.reviewed_at >= request.alerted_at:
        return found
    review = AlertReview(request=request, reviewed_by=actor.label[:200], note=reason.strip(), reviewed_at=clock.now())
    review.save(force_insert=found is None)
    audit.record(actor, Event.TWO_FACTOR_ALERT_REVIEWED, request, reason=reason)
    return review


def _locked(actor: Actor, id: str) -> TwoFactorRequest:
    try:
        key = UUID(id)
    except ValueError:
        raise NotFound("There is no such request.") from None
    rows = TwoFactorRequest.objects.visible_to(actor).select_for_update(no_key=True, of=("self",))
    found = rows.filter(pk=key).first()
    if found is None:
        raise NotFound("There is no such request.")
    return found
