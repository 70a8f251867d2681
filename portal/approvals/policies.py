"""Who may decide on a request."""

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.approvals.models import ApprovalRequest
from portal.approvals.registry import registered
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def require_read(actor: Actor) -> None:
    """Staff look at requests. A bank's server looks at its own without a capability. Raises Forbidden."""
    if not actor.is_bank:
        require_capability(actor, Capability.APPROVALS_READ)


def require_decide(actor: Actor, request: ApprovalRequest) -> None:
    """Staff with the right, and never the person who asked, superusers included. Raises Forbidden."""
    known = registered(request.operation)
    require_capability(actor, known.entry.decided_with if known else Capability.APPROVALS_DECIDE)
    if actor.user_id is None:
        raise Forbidden("A person decides.", code="staff-only")
    if is_maker(actor, request):
        raise Forbidden("Whoever asked cannot decide. Somebody else has to.", code="maker-is-checker")


def require_withdraw(actor: Actor, request: ApprovalRequest) -> None:
    """Only whoever asked takes a request back. Raises Forbidden."""
    if not is_maker(actor, request):
        raise Forbidden("Only whoever asked can take the request back.", code="not-the-maker")


def is_maker(actor: Actor, request: ApprovalRequest) -> bool:
    """Whether the actor asked, through whichever door."""
    if actor.user_id is not None and actor.user_id == request.maker_user_id:
        return True
    return (actor.kind.value, actor.id) == (request.maker_kind, request.maker_id)
