"""Who may link devices to phrases."""

from uuid import UUID

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def require_links(actor: Actor) -> UUID:
    """The bank's own server, and staff who manage links. Returns the bank's id. Raises Forbidden."""
    if not actor.is_bank:
        require_capability(actor, Capability.LINKS_MANAGE)
    if actor.bank_id is None:
        raise Forbidden("Links are one bank's.", code="no-bank")
    return actor.bank_id
