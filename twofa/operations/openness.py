"""Whether a request can still be answered."""

from portal.core import clock
from portal.core.errors import Conflict, InvalidState
from twofa.models import TwoFactorRequest
from twofa.states import RequestState


def require_open(request: TwoFactorRequest) -> None:
    """Raises InvalidState `request-expired`, Conflict `request-closed`."""
    lapsed = request.state == RequestState.PENDING and request.expires_at <= clock.now()
    if lapsed or request.state == RequestState.EXPIRED:
        raise InvalidState("The request has expired.", code="request-expired")
    if request.state != RequestState.PENDING:
        raise Conflict("The request is closed.", code="request-closed")
