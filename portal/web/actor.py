"""Who is at the portal: a member of staff whose password and second factor were both right in this session."""

from django.http import HttpRequest

from portal.accounts.actors import staff_actor
from portal.accounts.models import User
from portal.core.actor import Actor, Channel
from portal.requests import client_ip, request_id


def signed_in_person(request: HttpRequest) -> User | None:
    """The member of staff behind a fully signed-in session, else None. Never fails, whatever the request lacks."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not user.is_staff:
        return None
    if getattr(user, "otp_device", None) is None:
        return None
    person: User = user
    return person


def actor_of(request: HttpRequest, person: User, channel: Channel = Channel.PORTAL) -> Actor:
    """The person as the operations know them, with what the role allows at this moment."""
    return staff_actor(person, channel=channel, ip=client_ip(request), request_id=request_id(request))


def stranger(request: HttpRequest) -> Actor:
    """Somebody who is not (yet) signed in."""
    return Actor.anonymous(Channel.PORTAL, ip=client_ip(request), request_id=request_id(request))
