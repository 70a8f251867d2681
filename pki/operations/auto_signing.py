"""Signing at once, by the bank's policy, what an active device asked for by itself.

Whether a person has to look first is decided under the lock on the device, in the transaction that allows the
request: staff who hold or revoke a certificate at that moment are either before it, or find the new certificate.
"""

import logging
from typing import Final

from devices.models import Device
from pki.models import Certificate, CertificatePolicy, CertificateRequest
from pki.operations import signing
from pki.states import CertificateState, RevocationReason
from pki.x509.asking import Asked
from portal.approvals.policy import policy_of as four_eyes_of
from portal.core.actor import Actor
from portal.core.errors import DomainError, InvalidState

PERSON_NEEDED: Final = "person-needed"
# After these somebody has to look: the device itself does not undo what staff decided.
BY_DECISION: Final = (
    RevocationReason.UNSPECIFIED,
    RevocationReason.KEY_COMPROMISE,
    RevocationReason.PRIVILEGE_WITHDRAWN,
    RevocationReason.CESSATION_OF_OPERATION,
)

log = logging.getLogger(__name__)


def sign_at_once(request: CertificateRequest) -> signing.Signed | None:
    """Sign a request that waits, where the bank's policy and the device's past let it; None where a person is needed.

    Not inside a transaction. What cannot be signed right now waits for a person, as any other request does.
    """
    actor = Actor.system("pki.auto-sign", bank_id=request.bank_id)
    try:
        return signing.sign_waiting(
            actor, request.public_id, Asked(), "Signed by the bank's policy.", must=_require_nobody
        )
    except DomainError as error:
        if error.code != PERSON_NEEDED:
            log.warning("a request was not signed at once", extra={"csr": request.public_id, "code": error.code})
        return None


def _require_nobody(request: CertificateRequest, policy: CertificatePolicy) -> None:
    if not _lets(policy) or _is_barred(request.device):
        raise InvalidState("A person has to look at this first.", code=PERSON_NEEDED)


def _lets(policy: CertificatePolicy) -> bool:
    """Two people for a signature means two, whoever asked."""
    if not policy.auto_sign or policy.sign_needs_two:
        return False
    return signing.SIGN not in four_eyes_of(policy.bank_id).required


def _is_barred(device: Device) -> bool:
    """Whether staff hold a certificate of the device, or ended its last one. Two queries."""
    issued = Certificate.objects.issued().filter(device=device)
    if issued.filter(state=CertificateState.ON_HOLD, held_apart=True).exists():
        return True
    last = issued.exclude(revocation_reason=RevocationReason.SUPERSEDED).order_by("-issued_at").first()
    return last is not None and last.state == CertificateState.REVOKED and last.revocation_reason in BY_DECISION
