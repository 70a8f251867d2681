"""How a client's requests are approved: by signature or not, with a number or not, and how long they wait."""

from typing import Final

from django.db import transaction

from portal.accounts.models import Application, ApprovalProof
from portal.accounts.models.oauth import LONGEST_REQUEST, SHORTEST_REQUEST
from portal.accounts.operations.client_signing import locked_client
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, SecondPersonNeeded

APPROVAL_PROOF: Final = "client.approval-proof"


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    client = Application.objects.visible_to(actor).filter(client_id=arguments["client_id"]).first()
    if client is None or arguments["proof"] == client.approval_proof:
        return [(None, "Nothing: it is so already.")]
    return [(None, f"Approvals for {client} rest on: {ApprovalProof(arguments['proof']).label}.")]


@four_eyes(
    FourEyes(
        name=APPROVAL_PROOF,
        label="Change what approvals for a client rest on",
        always="Always, to approve without a signature.",
        optional=False,
        names=lambda client: {"client_id": client.client_id},
        preview=_preview,
    )
)
@transaction.atomic
def set_approval_proof(*, actor: Actor, client_id: str, proof: str, reason: str) -> Application:
    """Let approvals for a client rest on the device's signature, or on a transaction id that nothing signs.

    proof: of `ApprovalProof`; what is so already leaves no event. Without a signature payments are never approved,
    and a second person is always needed. Open requests keep theirs. reason: 1 to 500 characters. Raises Forbidden,
    InvalidInput, NotFound, ApprovalRequired.
    """
    application = locked_client(actor, client_id, reason)
    if proof not in ApprovalProof.values:
        raise InvalidInput.at("proof", "choice", f"A proof is one of: {', '.join(ApprovalProof.values)}.")
    if application.approval_proof == proof:
        return application
    if proof != ApprovalProof.SIGNATURE and not actor.approved_for(APPROVAL_PROOF):
        raise SecondPersonNeeded("To approve without a signature takes a second person.", about=application)
    before = {"approval_proof": application.approval_proof}
    application.approval_proof = proof
    application.save(update_fields=["approval_proof"])
    audit.record(
        actor, Event.CLIENT_CHANGED, application, before=before, after={"approval_proof": proof}, reason=reason
    )
    return application


@transaction.atomic
def set_request_rules(
    *, actor: Actor, client_id: str, number_matching: bool, request_seconds: int, reason: str
) -> Application:
    """Say whether a client's requests match a number, and how long they wait (30 to 600 seconds).

    What is so already leaves no event. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    application = locked_client(actor, client_id, reason)
    if not SHORTEST_REQUEST <= request_seconds <= LONGEST_REQUEST:
        text = f"From {SHORTEST_REQUEST} to {LONGEST_REQUEST} seconds."
        raise InvalidInput.at("request_seconds", "out-of-range", text)
    before = _rules(application)
    application.number_matching, application.request_seconds = number_matching, request_seconds
    after = _rules(application)
    if before != after:
        application.save(update_fields=list(after))
        audit.record(actor, Event.CLIENT_CHANGED, application, before=before, after=after, reason=reason)
    return application


def _rules(application: Application) -> dict[str, object]:
    return {"number_matching": application.number_matching, "request_seconds": application.request_seconds}
