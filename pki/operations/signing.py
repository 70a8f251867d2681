"""Signing requests and rejecting them. A decision is made once: a second one is a Conflict.

Where a second person is needed, the approval only moves the request to READY and rings; a worker signs it, because an
authority's key never signs inside a transaction.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction

from pki import policies
from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.models import Certificate, CertificateAuthority, CertificatePolicy, CertificateRequest
from pki.operations import issuance
from pki.operations.issuance import Reserved, Wanted
from pki.operations.refusals import broken
from pki.operations.request_steps import close, lock_request, record, require_active, require_key_still_usable
from pki.states import RequestState
from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Asked, Granted, check_asked
from pki.x509.findings import RequestRefused
from pki.x509.keys_policy import CheckedKey
from pki.x509.orders import Subject
from pki.x509.profiles import Profile, Word
from pki.x509.requests import check_request
from portal import jobs
from portal.accounts.policies import require_reason
from portal.approvals.gate import four_eyes, is_required
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, Expired, NotFound, SecondPersonNeeded

SIGN: Final = "pki.sign"
LEFT_BEHIND: Final = timedelta(seconds=30)  # then the sweep does what no worker heard of
AT_ONCE: Final = 100  # of one sweep
DECISION: Final = ("state", "terms", "decided_by", "decided_at", "reason")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signed:
    """The request, and its certificate; None while a worker still has to sign what two people allowed."""

    request: CertificateRequest
    certificate: Certificate | None


@dataclass(frozen=True)
class Draft:
    """A certificate that could be signed now. longest: the days that its profile gives at most."""

    subject: Subject
    names: tuple[AlternativeName, ...]
    granted: Granted
    longest: int
    authority: CertificateAuthority


@dataclass(frozen=True)
class _Terms:
    """What was decided to be signed: the request's own wishes, cut by the signer's."""

    key: CheckedKey
    profile: Profile
    policy: CertificatePolicy
    granted: Granted


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
        _note_terms(actor, request, terms, reason)
        reserved = _reserve(actor, request, terms)
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


def issue_ready(request_id: str) -> Certificate | None:
    """Sign what two people allowed. A request that is not READY (any more) is left alone; a worker's task."""
    row = CertificateRequest.objects.filter(pk=request_id, state=RequestState.READY).first()
    if row is None:
        return None
    actor = Actor.system("pki.issue", bank_id=row.bank_id)
    try:
        with transaction.atomic():
            request = lock_request(CertificateRequest.objects.filter(state=RequestState.READY), row.public_id)
            terms = _terms(request, _allowed(request))
            require_active(request.device)
            reserved = _reserve(actor, request, terms)
    except NotFound:  # another worker was faster
        return None
    except DomainError as refusal:
        _wait_for_a_person(actor, row, refusal)
        return None
    return issuance.make(actor, reserved)


def sweep() -> int:
    """Settle what crashes left, and sign what no worker heard of. Returns how many serials were given up."""
    settled = issuance.settle()
    ready = CertificateRequest.objects.filter(
        state=RequestState.READY, decided_at__lt=clock.now() - LEFT_BEHIND
    ).order_by("decided_at")
    for request_id in ready.values_list("pk", flat=True)[:AT_ONCE]:
        try:
            issue_ready(str(request_id))
        except DomainError as error:
            log.warning("an allowed request was not signed", extra={"csr": str(request_id), "code": error.code})
        except Exception:  # one that breaks something does not stop the others
            log.exception("an allowed request was not signed", extra={"csr": str(request_id)})
    return settled


def draft_of(request: CertificateRequest) -> Draft:
    """What the certificate would hold if it were signed now with nothing left out. Its device has to be read with it.

    Raises what stands in the way, as `sign_request` would: RulesBroken with every finding, InvalidState.
    """
    require_active(request.device)
    terms = _terms(request, Asked())
    return Draft(
        issuance.subject_of(request.device, terms.policy),
        issuance.names_of(request.device, terms.policy, terms.profile),
        terms.granted,
        terms.profile.max_days,
        issuing_authority(request.bank_id),
    )


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
    _note_terms(actor, request, terms, reason)
    before = request.move_to(RequestState.READY)
    request.terms["tries"] = 0
    request.save(update_fields=DECISION)
    record(actor, Event.CSR_ALLOWED, request, before, reason)
    jobs.ring("pki.issue", request.pk)
    return Signed(request, None)


def _decided(actor: Actor, csr_id: str, asked: Asked) -> tuple[CertificateRequest, _Terms]:
    """Everything that has to be so before a request is signed, decided under the locks."""
    request = lock_request(CertificateRequest.objects.visible_to(actor), csr_id)
    policies.require_sign(actor, request)
    _require_waiting(request, RequestState.PENDING)
    require_active(request.device)
    terms = _terms(request, asked)
    if not actor.approved_for(SIGN) and (_takes_two(actor, terms.policy) or is_required(actor, SIGN)):
        raise SecondPersonNeeded("Your bank wants a second person for this.", about=request)
    return request, terms


def _takes_two(actor: Actor, policy: CertificatePolicy) -> bool:
    return policy.sign_needs_two and (actor.is_bank or actor.is_staff)


def _terms(request: CertificateRequest, asked: Asked) -> _Terms:
    """The key and the request are looked at again: one may be taken away, the profile narrower meanwhile."""
    policy = policy_of(request.bank_id)
    require_key_still_usable(request, policy)
    profile = profile_of(policy, request.profile)
    try:
        checked = check_request(bytes(request.der), profile=profile)
        check_asked(asked, profile, checked.key.kind)
        granted = check_asked(_both(checked.asked, asked), profile, checked.key.kind)
    except RequestRefused as refused:
        raise broken(refused, "ask-refused") from None
    return _Terms(checked.key, profile, policy, granted)


def _both(wished: Asked, asked: Asked) -> Asked:
    """What both want: who says nothing wants all."""
    return Asked(
        uses=_common(wished.uses, asked.uses), purposes=_common(wished.purposes, asked.purposes), days=asked.days
    )


def _common(one: tuple[Word, ...] | None, other: tuple[Word, ...] | None) -> tuple[Word, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(word for word in one if word in other)


def _note_terms(actor: Actor, request: CertificateRequest, terms: _Terms, reason: str) -> None:
    """On the row in hand; whoever moves it on saves `DECISION`."""
    granted = terms.granted
    request.terms = {"days": granted.days, "uses": sorted(granted.uses), "purposes": list(granted.purposes)}
    request.decided_by_id = actor.user_id
    request.decided_at, request.reason = clock.now(), reason


def _allowed(request: CertificateRequest) -> Asked:
    terms = request.terms
    return Asked(uses=tuple(terms["uses"]), purposes=tuple(terms["purposes"]), days=terms["days"])


def _reserve(actor: Actor, request: CertificateRequest, terms: _Terms) -> Reserved:
    request.move_to(RequestState.SIGNING)
    request.save(update_fields=DECISION)
    wanted = Wanted(
        device=request.device,
        key=terms.key,
        profile=terms.profile,
        granted=terms.granted,
        authority=issuing_authority(request.bank_id),
        policy=terms.policy,
        request=request,
    )
    return issuance.reserve(actor, wanted)


@transaction.atomic
def _wait_for_a_person(actor: Actor, row: CertificateRequest, refusal: DomainError) -> None:
    """What was allowed cannot be signed now: it waits for a decision again, and says why."""
    request = CertificateRequest.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if request.state != RequestState.READY:
        return
    before = request.move_to(RequestState.PENDING)
    issuance.forget_decision(request)
    record(actor, Event.CSR_RETURNED, request, before, f"{refusal.message} ({refusal.code})"[:500])
