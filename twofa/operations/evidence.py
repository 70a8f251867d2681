"""What proves an answer to somebody who trusts nothing of ours but one public key: everything in one package.

`docs/check_evidence.py` checks it without this software; docs/evidence.md says how, and what it rests on.
"""

import json
import logging
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from portal.audit import log as audit
from portal.audit.events import Event, Outcome
from portal.audit.inclusion import Inclusion, inclusion_of, signing_key_pem
from portal.audit.models import AuditEvent
from portal.audit.sealing import LogBroken
from portal.core.actor import Actor
from portal.core.errors import InvalidState, Unavailable
from portal.crypto.keys import parse_public_key
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.answering import salt_of, signed_message_of
from twofa.policies import require_evidence
from twofa.queries.requests import find_request

log = logging.getLogger(__name__)

FORMAT: Final = "device-portal/2fa-evidence/v1"
ANSWERS: Final = (Event.TWO_FACTOR_APPROVED.value, Event.TWO_FACTOR_DENIED.value)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One answer with its proofs.

    message: the very text that was signed. salt: hashed with it in the digest that the log has; "" where the
    message is ours. signature: hex, "" where nothing was signed. public_key: of the device, PEM, or "". inclusion:
    the event of the answer in the log. log_key: what checkpoints are signed with, PEM.
    """

    message: str
    salt: str
    signature: str
    tx_id: str
    public_key: str
    inclusion: Inclusion
    log_key: str


def take_evidence(*, actor: Actor, id: str) -> Evidence:
    """The proof of an answer; each taking is in the audit log. Not inside a transaction.

    id: of the request. Raises Forbidden, NotFound, InvalidState (`not-answered`; `not-sealed-yet` for about a second
    after the answer), Unavailable where the log was tampered with.
    """
    require_evidence(actor)
    request = find_request(actor, id)
    answer = request.given
    if answer is None:
        raise InvalidState("Nobody has answered this request.", code="not-answered")
    inclusion = _inclusion_of(request)
    evidence = Evidence(
        message=signed_message_of(answer),
        salt=salt_of(request),
        signature=answer.signature,
        tx_id=answer.tx_id,
        public_key=_pem_of(answer),
        inclusion=inclusion,
        log_key=signing_key_pem(),
    )
    with transaction.atomic():
        audit.record(actor, Event.TWO_FACTOR_EVIDENCE, request, details={"position": inclusion.position})
    return evidence


def written(evidence: Evidence) -> str:
    """The package as a file: JSON in UTF-8."""
    inclusion = evidence.inclusion
    package = {
        "format": FORMAT,
        "message": evidence.message,
        "salt": evidence.salt,
        "signature": evidence.signature,
        "txId": evidence.tx_id,
        "publicKey": evidence.public_key,
        "audit": {
            "leaf": inclusion.leaf,
            "position": inclusion.position,
            "path": list(inclusion.path),
            "checkpoint": inclusion.checkpoint,
            "publicKey": evidence.log_key,
        },
    }
    return json.dumps(package, ensure_ascii=False, indent=2) + "\n"


def _inclusion_of(request: TwoFactorRequest) -> Inclusion:
    try:
        inclusion = inclusion_of(_event_of(request))
    except LogBroken as broken:
        log.critical("the audit log proves nothing: %s", broken)
        raise Unavailable("The audit log cannot prove this answer.", code="log-broken") from None
    if inclusion is None:
        raise InvalidState("The audit log has not sealed the answer yet. Ask again.", code="not-sealed-yet")
    return inclusion


def _event_of(request: TwoFactorRequest) -> AuditEvent:
    """There is one: it was written with the answer."""
    about = AuditEvent.objects.filter(object_type=str(request._meta.model_name), object_id=str(request.pk))
    return about.get(event__in=ANSWERS, outcome=Outcome.DONE)


def _pem_of(answer: Answer) -> str:
    if answer.key is None:
        return ""
    public = parse_public_key(answer.key.public_key).key
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
