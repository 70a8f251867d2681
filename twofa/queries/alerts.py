"""Where somebody else may be asking a customer for approval, and nobody has looked yet."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F

from portal.audit.events import Event, Outcome
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from twofa.models import TwoFactorRequest
from twofa.queries.log import RELATED, readable

ALERTED_WITHIN: Final = timedelta(days=30)
NOT_ME: Final = "not-me"


def open_alerts(actor: Actor, *, most: int = 5) -> list[TwoFactorRequest]:
    """The newest of the last 30 days that nobody has looked at since they came. One query. Raises Forbidden."""
    rows = readable(actor).filter(alerted_at__gte=clock.now() - ALERTED_WITHIN).select_related(*RELATED)
    return list(rows.exclude(review__reviewed_at__gte=F("alerted_at")).order_by("-alerted_at")[:most])


def is_open(request: TwoFactorRequest) -> bool:
    """Whether its alert waits for somebody to look; the request with its `review`."""
    review = getattr(request, "review", None)
    return request.alerted_at is not None and (review is None or review.reviewed_at < request.alerted_at)


def reasons_of(requests: Sequence[TwoFactorRequest]) -> dict[UUID, str]:
    """Why each of them alerted last: `not-me`, or the code of the refusal. One query."""
    about = AuditEvent.objects.filter(
        object_type="twofactorrequest",
        object_id__in=[str(request.pk) for request in requests],
        event=Event.TWO_FACTOR_ALERT,
    )
    rows = about.order_by("id").values_list("object_id", "outcome", "code")
    return {UUID(key): code if outcome == Outcome.REFUSED else NOT_ME for key, outcome, code in rows}
