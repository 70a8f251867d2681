"""What a certificate is to hold: the request's own wishes, cut by the signer's, both within the bank's profile."""

from dataclasses import dataclass
from typing import Final

from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.models import CertificateAuthority, CertificatePolicy, CertificateRequest
from pki.operations import issuance
from pki.operations.issuance import Reserved, Wanted
from pki.operations.refusals import broken
from pki.operations.request_steps import require_active, require_key_still_usable
from pki.states import RequestState
from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Asked, Granted, check_asked
from pki.x509.findings import RequestRefused
from pki.x509.keys_policy import CheckedKey
from pki.x509.orders import Subject
from pki.x509.profiles import Profile, Word
from pki.x509.requests import check_request
from portal.core import clock
from portal.core.actor import Actor

DECISION: Final = ("state", "terms", "decided_by", "decided_at", "reason")


@dataclass(frozen=True)
class Draft:
    """A certificate that could be signed now. longest: the days that its profile gives at most."""

    subject: Subject
    names: tuple[AlternativeName, ...]
    granted: Granted
    longest: int
    authority: CertificateAuthority


@dataclass(frozen=True)
class Terms:
    """What was decided to be signed: the request's own wishes, cut by the signer's."""

    key: CheckedKey
    profile: Profile
    policy: CertificatePolicy
    granted: Granted


def draft_of(request: CertificateRequest) -> Draft:
    """What the certificate would hold if it were signed now with nothing left out. Its device has to be read with it.

    Raises what stands in the way, as `sign_request` would: RulesBroken with every finding, InvalidState.
    """
    require_active(request.device)
    terms = terms_of(request, Asked())
    return Draft(
        issuance.subject_of(request.device, terms.policy),
        issuance.names_of(request.device, terms.policy, terms.profile),
        terms.granted,
        terms.profile.max_days,
        issuing_authority(request.bank_id),
    )


def terms_of(request: CertificateRequest, asked: Asked) -> Terms:
    """What a signature now would give. Key and request are looked at again: one may be taken, the profile narrower.

    Raises RulesBroken: `ask-refused` with every rule that is broken, and what `require_key_still_usable` raises.
    """
    policy = policy_of(request.bank_id)
    require_key_still_usable(request, policy)
    profile = profile_of(policy, request.profile)
    try:
        checked = check_request(bytes(request.der), profile=profile)
        check_asked(asked, profile, checked.key.kind)
        granted = check_asked(_both(checked.asked, asked), profile, checked.key.kind)
    except RequestRefused as refused:
        raise broken(refused, "ask-refused") from None
    return Terms(checked.key, profile, policy, granted)


def _both(wished: Asked, asked: Asked) -> Asked:
    """What both want: who says nothing wants all."""
    return Asked(
        uses=_common(wished.uses, asked.uses), purposes=_common(wished.purposes, asked.purposes), days=asked.days
    )


def _common(one: tuple[Word, ...] | None, other: tuple[Word, ...] | None) -> tuple[Word, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(word for word in one if word in other)


def note_terms(actor: Actor, request: CertificateRequest, terms: Terms, reason: str) -> None:
    """On the row in hand; whoever moves it on saves `DECISION`."""
    granted = terms.granted
    request.terms = {"days": granted.days, "uses": sorted(granted.uses), "purposes": list(granted.purposes)}
    request.decided_by_id = actor.user_id
    request.decided_at, request.reason = clock.now(), reason


def allowed_by(request: CertificateRequest) -> Asked:
    """The terms as they were noted, to be looked at again when a worker signs."""
    terms = request.terms
    return Asked(uses=tuple(terms["uses"]), purposes=tuple(terms["purposes"]), days=terms["days"])


def reserve_serial(actor: Actor, request: CertificateRequest, terms: Terms) -> Reserved:
    """In the caller's transaction: the request moves to SIGNING and has its serial. Raises what `reserve` raises."""
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
