"""Who may do what to people, clients and tokens. Each refusal names the rule and who could grant it."""

import ipaddress
from datetime import timedelta
from uuid import UUID

from portal.accounts.models import Application
from portal.accounts.roles import Capability, who_can
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput
from portal.core.texts import reason_problems

LONGEST_STAFF_TOKEN = timedelta(minutes=15)


def require_capability(actor: Actor, capability: str) -> None:
    """Raises Forbidden, telling staff which roles could."""
    if not actor.can(capability):
        raise Forbidden(
            f"This needs a right that you do not have: {Capability(capability).label.lower()}.",
            code="capability-missing",
            capability=str(capability),
            roles=who_can(capability),
        )


def require_same_bank(actor: Actor, bank_id: UUID) -> None:
    """People and clients are made inside one's own bank; the system may in any. Raises Forbidden."""
    if actor.bank_id != bank_id and not (actor.is_system and actor.bank_id is None):
        raise Forbidden("You can only do this in your own bank.", code="other-bank")


def require_self(actor: Actor, user_id: UUID) -> None:
    """Second factors and sessions are each person's own. Raises Forbidden."""
    if actor.user_id != user_id and not actor.is_system:
        raise Forbidden("You can only do this for yourself.", code="not-yourself")


def require_system(actor: Actor) -> None:
    """What only our own commands do. Raises Forbidden."""
    if not actor.is_system:
        raise Forbidden(code="commands-only")


def require_staff_token(actor: Actor, user_id: UUID, lifetime: timedelta) -> None:
    """Staff make short tokens for themselves; a command may make longer ones for anybody."""
    require_self(actor, user_id)
    if lifetime > LONGEST_STAFF_TOKEN and not actor.is_system:
        raise InvalidInput.at("lifetime", "too-long", "A staff token lives 15 minutes at most.")


def require_reason(reason: str, *, needed: bool = True) -> str:
    """What people will ask about later says why, in one line of up to 500 characters without a card number.

    needed: False where "" will do. Returns it without outer spaces. Raises InvalidInput.
    """
    if problems := reason_problems(reason, required=needed):
        raise InvalidInput(fields=tuple(problems))
    return reason.strip()


def ip_allowed(application: Application, ip: str) -> bool:
    """Whether a client may call from this address: from any without a list. An unreadable entry opens nothing."""
    if not application.allowed_ips:
        return True
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(_contains(network, address) for network in application.allowed_ips)


def _contains(network: object, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(str(network))
    except ValueError:
        return False
