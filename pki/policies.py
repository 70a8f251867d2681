"""Who may do what with certificates and requests."""

from pki.models import CertificateRequest
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def require_read(actor: Actor) -> None:
    """Staff look at certificates. A bank's server and customers see what `visible_to` gives them."""
    if actor.is_staff:
        require_capability(actor, Capability.DEVICES_READ)


def require_request(actor: Actor) -> None:
    """Customers for their own devices, staff with the right, our own work. Raises Forbidden."""
    if actor.is_bank:
        raise Forbidden("A bank's server signs requests; it makes none.", code="cannot-request")
    if not actor.is_customer:
        require_capability(actor, Capability.PKI_REQUEST)


def may_sign(actor: Actor) -> bool:
    """Whether the actor signs requests of others at all."""
    return actor.is_bank or actor.can(Capability.PKI_SIGN)


def require_sign(actor: Actor, request: CertificateRequest | None = None) -> None:
    """Staff with the right, the bank's server by its scope, our own policy. Never whoever asked, superusers included.

    Asked without a request first: the refusal is then the same whether or not there is one. Raises Forbidden.
    """
    if actor.is_bank:
        return
    require_capability(actor, Capability.PKI_SIGN)
    if request is not None and actor.user_id is not None and actor.user_id == request.maker_user_id:
        raise Forbidden("Whoever asked cannot sign. Somebody else has to.", code="maker-is-checker")


def require_manage(actor: Actor) -> None:
    """Authorities and the certificate policy are the security officers'. Raises Forbidden."""
    require_capability(actor, Capability.PKI_MANAGE)


def may_manage(actor: Actor) -> bool:
    """Whether the actor looks after authorities."""
    return actor.can(Capability.PKI_MANAGE)


def require_revoke(actor: Actor) -> None:
    """Staff with the right, the bank's server and our own operations. Raises Forbidden."""
    if not actor.is_bank:
        require_capability(actor, Capability.PKI_REVOKE)


def require_rotate(actor: Actor) -> None:
    """Customers for their own devices, staff who may sign, the bank's server, our own work. Raises Forbidden."""
    if not (actor.is_customer or actor.is_bank):
        require_capability(actor, Capability.PKI_SIGN)


def require_prove(actor: Actor) -> None:
    """Only a device has the key: its owner's token speaks for it. Raises Forbidden."""
    if not actor.is_customer:
        raise Forbidden("A certificate is proved by its device.", code="customer-only")
