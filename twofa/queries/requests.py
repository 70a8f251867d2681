"""Requests as both sides and the application that asked see them."""

from typing import Final
from uuid import UUID

from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from twofa.models import TwoFactorRequest
from twofa.policies import require_device
from twofa.states import RequestState

MOST_SHOWN: Final = 20


def find_request(actor: Actor, id: str) -> TwoFactorRequest:
    """The request with everything that is shown of it, in one query. id: its UUID. Raises NotFound, the same for a
    foreign, another device's and an unknown one."""
    try:
        key = UUID(id)
    except ValueError:
        raise NotFound("There is no such request.") from None
    request = TwoFactorRequest.objects.visible_to(actor).whole().filter(pk=key).first()
    if request is None or str(key) != id.lower():
        raise NotFound("There is no such request.")
    return request


def asked_of(actor: Actor) -> list[TwoFactorRequest]:
    """What the device is asked and can still answer, the newest first, 20 at most, in one query: for a device whose
    push got lost. Raises Forbidden for a token that is not bound to a device."""
    require_device(actor)
    rows = TwoFactorRequest.objects.visible_to(actor).whole().filter(destination_id=actor.device_id)
    still = rows.filter(state=RequestState.PENDING, expires_at__gt=clock.now())
    return list(still.order_by("-requested_at", "-pk")[:MOST_SHOWN])


def is_decided(request: TwoFactorRequest) -> bool:
    """Whether it was closed meanwhile; asks the database, in one query."""
    return not TwoFactorRequest.objects.filter(pk=request.pk, state=RequestState.PENDING).exists()
