"""Who may ask, look and answer."""

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden
from twofa.models import TwoFactorRequest


def require_asker(actor: Actor) -> None:
    """A bank's own server asks its customers. Raises Forbidden."""
    if not actor.is_bank or actor.application_id is None:
        raise Forbidden("Only a bank's server asks for approvals.", code="servers-only")


def require_device(actor: Actor) -> None:
    """Devices answer, by a token bound to them; asked before the request is looked up. Raises Forbidden."""
    if not actor.is_customer or actor.device_id is None:
        raise Forbidden("Only a token bound to a device answers.", code="device-token-needed")


def require_destination(actor: Actor, request: TwoFactorRequest) -> None:
    """Only the addressed device answers. Raises Forbidden."""
    if actor.device_id != request.destination_id:
        raise Forbidden("The request is not for this device.", code="not-the-destination")


def is_waiting(actor: Actor, request: TwoFactorRequest) -> bool:
    """Whether the actor is the side that waits: the application that asked, the device, or the session."""
    if actor.is_bank:
        return actor.application_id == request.application_id
    if actor.device_id is not None:
        return actor.device_id == request.source_id
    return actor.token_id is not None and actor.token_id == request.session_id


def require_waiting(actor: Actor, request: TwoFactorRequest) -> None:
    """Only the side that waits asks again. Raises Forbidden."""
    if not is_waiting(actor, request):
        raise Forbidden("Only the side that asked may ask again.", code="not-the-source")


def require_read(actor: Actor) -> None:
    """Staff look at requests and at what they show. Raises Forbidden."""
    require_capability(actor, Capability.DEVICES_READ)


def require_evidence(actor: Actor) -> None:
    """The application that asked, and staff who read the audit log: a part of it is in there. Raises Forbidden."""
    if not actor.is_bank:
        require_capability(actor, Capability.AUDIT_READ)
