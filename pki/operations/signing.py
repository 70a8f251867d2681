"""Signing requests and rejecting them. A decision is made once: a second one is a Conflict.

Where a second person is needed, the approval only moves the request to READY and rings; a worker signs it, because an
authority's key never signs inside a transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from pki import policies
from pki.models import Certificate, CertificatePolicy, CertificateRequest
from pki.operations import issuance
from pki.operations.request_steps import close, lock_request, record, require_active
from pki.operations.signing_terms import DECISION, Terms, note_terms, reserve_serial, terms_of
from pki.states import RequestState
from pki.x509.asking import Asked
from pki.x509.profiles import Word
from portal import jobs
from portal.accounts.policies import require_reason
from portal.approvals.gate import four_eyes, is_required
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, Expired, NotFound, SecondPersonNeeded

SIGN: Final = "pki.sign"


@dataclass(frozen=True)
class Signed:
    """The request, and its certificate; None while a worker still has to sign what two people allowed."""

    request: CertificateRequest
    certificate: Certificate | None


def _named(request: CertificateRequest) -> dict[str, object]:
    return {"csr_id": request.public_id}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    rows = CertificateRequest.objects.visible_to(actor).select_related("device")
    request = rows.named(arguments["csr_id"]).first()
    if request is None:
        raise NotFound("There is no such request.")
    return [(1, f"certificate is signed for {request.device} ({request.profile}, {request.key_algorithm}).")]


def _facts(signed: Signed) -> dict[str, object]:
    return {"csr_id": signed.request.public_id, "status": signed.request.state}


@four_eyes(
    FourEyes(
        name=SIGN,
        label="Sign a certificate request",
        names=_named,
        preview=_preview,
        facts=_facts,
        client_scope="pki:sign",
    )
)
def sign_request(
    *,
    actor: Actor,
    csr_id: str,
    days: int | None = None,
    uses: Sequence[Word] | None = None,
    purposes: Sequence[Word] | None = None,
    reason: str = "",
) -> Signed:
    """Sign a request: its certificate is the profile's, less what the request or the signer leaves out.

    csr_id: `CSR_…`. days: at most the profile's; None for what it gives. uses, purposes: words of `profiles`, none of
    them beyond the profile. reason: up to 500 characters. Not inside a transaction, but for the approved run: that
    one only moves the request to READY.

    Raises Forbidden (`capability-missing`, `maker-is-checker`), NotFound, InvalidInput, RulesBroken `ask-refused`
    with every rule that is broken and `require_key_still_usable`'s, Conflict `already-decided` for a repeat, Expired,
    InvalidState (`device-not-active`, `no-authority`, `lint-refused`, `signing-aborted`), Unavailable
    `signing-failed`: then the request waits again. ApprovalRequired where the bank's policy wants two people.
    """
    policies.require_sign(actor)
    reason = require_reason(reason, needed=False)
    asked = Asked(uses=_words(uses), purposes=_words(purposes), days=days)
    if actor.approved_for(SIGN):
        return _allow(actor, csr_id, asked, reason)
    return sign_waiting(actor, csr_id, asked, reason)


def sign_waiting(
    actor: Actor,
    csr_id: str,
    asked: Asked,
    reason: str,
    must: Callable[[CertificateRequest, CertificatePolicy], None] = lambda request, policy: None,
) -> Signed:
    """Sign as `sign_request` does, who may asked already. must: what else has to be so, under the lock; it raises."""
    with transaction.atomic():
        request, terms = _decided(actor, csr_id, asked)
        must(request, terms.policy)
        note_terms(actor, request, terms, reason)
        reserved = reserve_serial(actor, request, terms)
        record(actor, Event.CSR_ALLOWED, request, RequestState.PENDING, reason)
    certificate = issuance.make(actor, reserved)
    return Signed(certificate.request or request, certificate)


@transaction.atomic
def reject_request(*, actor: Actor, csr_id: str, reason: str) -> CertificateRequest:
    """Reject a request that waits; a key that was made for it is destroyed. reason: 1 to 500 characters.

    Raises Forbidden, NotFound, InvalidInput, Expired, Conflict `already-decided`.
    """
    policies.require_sign(actor)
    reason = require_reason(reason)
    request = lock_request(CertificateRequest.objects.visible_to(actor), csr_id)
    policies.require_sign(actor, request)
    _require_waiting(request, RequestState.PENDING, RequestState.READY)
    close(actor, request, RequestState.REJECTED, Event.CSR_REJECTED, reason)
    return request


def _words(words: Sequence[Word] | None) -> tuple[Word, ...] | None:
    return None if words is None else tuple(words)


def _require_waiting(request: CertificateRequest, *states: RequestState) -> None:
    if request.state not in states:
        raise Conflict("This has been decided already.", code="already-decided", state=request.state)
    if request.state == RequestState.PENDING and request.expires_at <= clock.now():
        raise Expired("Nobody signed it in time. It has to be asked for anew.", code="request-expired")


@transaction.atomic
def _allow(actor: Actor, csr_id: str, asked: Asked, reason: str) -> Signed:
    """The approved run: a worker signs, by exactly the terms that were approved."""
    request, terms = _decided(actor, csr_id, asked)
    note_terms(actor, request, terms, reason)
    before = request.move_to(RequestState.READY)
    request.terms["tries"] = 0
    request.save(update_fields=DECISION)
    record(actor, Event.CSR_ALLOWED, request, before, reason)
    jobs.ring("pki.issue", request.pk)
    return Signed(request, None)


def _decided(actor: Actor, csr_id: str, asked: Asked) -> tuple[CertificateRequest, Terms]:
    """Everything that has to be so before a request is signed, decided under the locks."""
    request = lock_request(CertificateRequest.objects.visible_to(actor), csr_id)
    policies.require_sign(actor, request)
    _require_waiting(request, RequestState.PENDING)
    require_active(request.device)
    terms = terms_of(request, asked)
    if not actor.approved_for(SIGN) and (_takes_two(actor, terms.policy) or is_required(actor, SIGN)):
        raise SecondPersonNeeded("Your bank wants a second person for this.", about=request)
    return request, terms


def _takes_two(actor: Actor, policy: CertificatePolicy) -> bool:
    return policy.sign_needs_two and (actor.is_bank or actor.is_staff)
