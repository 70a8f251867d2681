"""Who may ask for a second person, look at requests, and decide."""

from portal.accounts.models import User
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.approvals.models import MAKERS, ApprovalRequest
from portal.approvals.registry import all_registered, registered
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def may_ask(actor: Actor) -> bool:
    """Whether a second person can be asked in this actor's name: staff, the bank's server, our own work in a bank."""
    return actor.kind.value in MAKERS and actor.bank_id is not None


def require_read(actor: Actor) -> None:
    """Staff look at requests. A bank's server looks at its own without a capability. Raises Forbidden."""
    if not actor.is_bank:
        require_capability(actor, Capability.APPROVALS_READ)


def may_decide(actor: Actor) -> bool:
    """Whether the actor decides on anything at all."""
    return actor.user_id is not None and any(actor.can(right) for right in _rights())


def require_decider(actor: Actor) -> None:
    """A person with a right to decide on something; asked before the request is looked up. Raises Forbidden."""
    if not may_decide(actor):
        require_capability(actor, Capability.APPROVALS_DECIDE)
        raise Forbidden("A person decides.", code="staff-only")


def require_decide(actor: Actor, request: ApprovalRequest) -> None:
    """Staff with the right, and never the person who asked or whom it is about, superusers included.

    Raises Forbidden.
    """
    require_decider(actor)
    known = registered(request.operation)
    require_capability(actor, known.entry.decided_with if known else Capability.APPROVALS_DECIDE)
    if is_maker(actor, request):
        raise Forbidden("Whoever asked cannot decide. Somebody else has to.", code="maker-is-checker")
    if is_about(actor, request):
        raise Forbidden("This is about you. Somebody else has to decide.", code="about-oneself")


def require_withdraw(actor: Actor, request: ApprovalRequest) -> None:
    """Only whoever asked takes a request back. Raises Forbidden."""
    if not is_maker(actor, request):
        raise Forbidden("Only whoever asked can take the request back.", code="not-the-maker")


def is_maker(actor: Actor, request: ApprovalRequest) -> bool:
    """Whether the actor asked, through whichever door."""
    if actor.user_id is not None and actor.user_id == request.maker_user_id:
        return True
    return (actor.kind.value, actor.id) == (request.maker_kind, request.maker_id)


def is_about(actor: Actor, request: ApprovalRequest) -> bool:
    """Whether what is asked for would be done to the actor."""
    return request.object_type == User._meta.model_name and request.object_id == str(actor.user_id)


def _rights() -> set[Capability]:
    return {Capability.APPROVALS_DECIDE, *(entry.decided_with for entry in all_registered())}
