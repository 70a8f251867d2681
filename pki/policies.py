"""Who may do what with certificates and requests."""

from uuid import UUID

from pki.models import Certificate, CertificateRequest
from pki.states import ENDABLE, LIVE, NEVER_ISSUED, CertificateState, RevocationReason
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden


def require_read(actor: Actor) -> None:
    """Staff look at certificates. A bank's server and customers see what `visible_to` gives them."""
    if actor.is_staff:
        require_capability(actor, Capability.DEVICES_READ)


def require_own_device(actor: Actor, device_id: UUID | None) -> None:
    """A token that is bound to a device speaks for that one only, and is told nothing about others.

    device_id: of what the caller names; None where there is no such thing. Raises Forbidden `token-bound-elsewhere`.
    """
    if actor.device_id is not None and actor.device_id != device_id:
        raise Forbidden("This token is bound to another device.", code="token-bound-elsewhere")


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
    """Staff with the right, the bank's server by its scope, our own policy. Never whoever asked, superusers included,
    neither as the one who signs nor as the one who approves it.

    Asked without a request first: the refusal is then the same whether or not there is one. Raises Forbidden.
    """
    if not actor.is_bank:
        require_capability(actor, Capability.PKI_SIGN)
    if request is not None and request.maker_user_id in _people(actor):
        raise Forbidden("Whoever asked cannot sign. Somebody else has to.", code="maker-is-checker")


def _people(actor: Actor) -> set[UUID]:
    """Whoever takes part in the step."""
    found = {actor.user_id, actor.approval.by_id if actor.approval else None}
    return {one for one in found if one is not None}


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


def may_revoke(certificate: Certificate, cause: str) -> bool:
    """Whether there is something to revoke: of what is over, only a compromised key."""
    if cause == RevocationReason.KEY_COMPROMISE:
        return certificate.state not in NEVER_ISSUED
    return certificate.state in ENDABLE


def may_hold(certificate: Certificate) -> bool:
    """Whether it can be put on hold by itself: a good one, and one that is on hold only as long as its device."""
    return certificate.state in LIVE or (certificate.state == CertificateState.ON_HOLD and not certificate.held_apart)


def may_release(certificate: Certificate) -> bool:
    """Whether a held one can be let go on; while its device is off, only from its own hold. Reads its device."""
    if certificate.state != CertificateState.ON_HOLD or certificate.not_after <= clock.now():
        return False
    return certificate.held_apart or certificate.device.is_active


def require_rotate(actor: Actor) -> None:
    """Customers for their own devices, staff who may sign, the bank's server, our own work. Raises Forbidden."""
    if not (actor.is_customer or actor.is_bank):
        require_capability(actor, Capability.PKI_SIGN)


def require_prove(actor: Actor) -> None:
    """Only a device has the key: its owner's token speaks for it. Raises Forbidden."""
    if not actor.is_customer:
        raise Forbidden("A certificate is proved by its device.", code="customer-only")
