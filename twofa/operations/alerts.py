"""When somebody else may be asking: too many requests, or an owner who says that it was not they."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet, Sum

from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations.tokens import lock_family
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import RateLimited
from twofa.models import Answer, TwoFactorRequest
from twofa.shown_operations import SIGN_IN
from twofa.states import RequestState

# Our own policy against wearing somebody out: so many in so long that were not approved.
MOST_ASKED: Final = 5
WINDOW: Final = timedelta(minutes=10)


def over_budget(actor: Actor, account: User, *, new_device: bool = False) -> RateLimited | None:
    """The refusal where this customer was asked too often, each repetition counted; under the customer's lock.

    new_device: whether a new device asks to be let in. Such sign-ins have a budget of their own, so that whoever has
    no more than an ID token holds up none of the bank's requests; after a sign-in that was “not me” there are no more
    of them for a window. The first refusal in a window writes the alert: the caller commits before it raises.
    """
    since = clock.now() - WINDOW
    if new_device and (denied := _not_me(account, since)):
        return _refusal(denied - since)
    recent = TwoFactorRequest.objects.filter(
        account=account, requested_at__gt=since, new_device__isnull=not new_device
    ).exclude(state=RequestState.APPROVED)
    if (recent.aggregate(asked=Sum("rounds"))["asked"] or 0) < MOST_ASKED:
        return None
    oldest = recent.order_by("requested_at").values_list("requested_at", flat=True)[0]
    refusal = _refusal(oldest - since)
    refusal.audited = _alert_once(actor, account, recent)
    return refusal


def _not_me(account: User, since: datetime) -> datetime | None:
    """When the owner last said of a sign-in that somebody else asked."""
    denied = Answer.objects.filter(
        request__account=account, request__kind=SIGN_IN, not_me=True, answered_at__gt=since
    )
    return denied.order_by("-answered_at").values_list("answered_at", flat=True).first()


def _refusal(left: timedelta) -> RateLimited:
    """left: of the window, until there may be another request."""
    return RateLimited(
        "This customer is asked too often.",
        code="too-many-requests",
        retry_after=max(1, int(left.total_seconds()) + 1),
    )


def _alert_once(actor: Actor, account: User, recent: QuerySet[TwoFactorRequest]) -> bool:
    """Whether this is the first alert about these requests."""
    if recent.filter(alerted_at__isnull=False).exists():
        return False
    newest = recent.order_by("-requested_at", "-id")[0]
    TwoFactorRequest.objects.filter(pk=newest.pk).update(alerted_at=clock.now())
    details = {"why": "too-many-requests", "most": MOST_ASKED, "account": account.public_id}
    audit.record_refusal(actor, Event.TWO_FACTOR_ALERT, newest, code="too-many-requests", details=details)
    return True


def alert_not_me(actor: Actor, request: TwoFactorRequest) -> None:
    """The owner did not ask: end the session that waits, with all that renews it, and tell staff.

    In the transaction of the answer. The bank has no address for such news on file, so that the event is the alert.
    """
    ended = _end_session(request.session_id) if request.session_id is not None else 0
    request.alerted_at = clock.now()
    TwoFactorRequest.objects.filter(pk=request.pk).update(alerted_at=request.alerted_at)
    details = {"why": "not-me", "account": request.account.public_id, "ended": {"sessions": ended}}
    audit.record(actor, Event.TWO_FACTOR_ALERT, request, details=details)


def _end_session(token_id: int) -> int:
    refresh = RefreshToken.objects.filter(access_token_id=token_id).first()
    ended = 0
    if refresh is not None and refresh.token_family is not None:
        lock_family(refresh.token_family)
        ended = RefreshToken.objects.filter(token_family=refresh.token_family).revoke()
    return ended + AccessToken.objects.filter(pk=token_id).end()
