"""Who signs in: what a bank's identity provider says of a customer, checked and believed."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from portal import ratelimit
from portal.accounts.models import Application, User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import DomainError, Forbidden, InvalidInput, RateLimited, Unavailable, VerificationFailed
from portal.crypto import id_tokens, jwts
from twofa.models import IdentityProvider
from twofa.operations import identity_keys

# Our own policy: so many tokens that are not good, of one provider, a minute.
WRONG_BY_ADDRESS: Final = 30
WRONG_ABOUT_CUSTOMER: Final = 10
UNKNOWN: Final = "PleaseSignUp"  # the SDKs look for this code and the words of the message


@dataclass(frozen=True)
class Identified:
    """A customer, as one of their bank's providers knows them."""

    customer: User
    provider: IdentityProvider


def provider_named(application: Application, name: str) -> IdentityProvider:
    """The provider that an application's bank calls so. Raises InvalidInput at `request.method`."""
    found = IdentityProvider.objects.in_use().filter(bank_id=application.bank_id, name=name).first()
    if found is None:
        raise InvalidInput.at("request.method", "unknown-enum", "There is no such way to sign in.")
    return found


def require_in_use(provider_id: UUID) -> None:
    """A provider counts until the session is opened, too. Raises Forbidden `sign-in-refused`."""
    if not IdentityProvider.objects.in_use().filter(pk=provider_id).exists():
        raise Forbidden("This way to sign in is closed.", code="sign-in-refused")


def identify(actor: Actor, application: Application, method: str, token: str, *, nonce: str = "") -> Identified:
    """The customer of whom an ID token speaks. Not inside a transaction: the provider may be asked for its keys.

    method: the provider's name. Raises InvalidInput at `request.method`, or `PleaseSignUp` for somebody whom the
    bank does not know; VerificationFailed `id-token-refused`, whatever is wrong with the token (the log says
    what), RateLimited after too many of those from one address or about one customer; Forbidden `sign-in-refused`
    for a suspended customer; Unavailable.
    """
    provider = provider_named(application, method)
    try:
        claims = _claims(provider, token)
        id_tokens.require_kind(jwts.header_of(token), claims)
        subject = id_tokens.subject_of(
            claims,
            issuer=provider.issuer,
            audience=provider.audience,
            now=int(clock.now().timestamp()),
            nonce=nonce,
        )
    except jwts.BadToken as bad:
        raise _refused(actor, provider, token, bad.code) from None
    return Identified(_customer(application, subject), provider)


def please_sign_up() -> InvalidInput:
    """What somebody without a device that could sign in is told."""
    return InvalidInput("Nobody is signed up here by this name: please sign up.", code=UNKNOWN)


def _claims(provider: IdentityProvider, token: str) -> dict[str, object]:
    try:
        return jwts.claims_of(token, identity_keys.keys_of(provider), provider.algorithms)
    except jwts.UnknownKey:
        newer = identity_keys.newer_keys_of(provider)
        if newer is None:
            raise
        return jwts.claims_of(token, newer, provider.algorithms)


def _refused(actor: Actor, provider: IdentityProvider, token: str, code: str) -> DomainError:
    """Count a token that is not good and write it down: a good one is taken however many others were tried."""
    refusal: DomainError = VerificationFailed(
        "The identity provider's token was not accepted.", code="id-token-refused"
    )
    try:
        _count(f"{provider.pk}|address|{actor.ip}", WRONG_BY_ADDRESS)
        if subject := jwts.claimed_subject(token):
            _count(f"{provider.pk}|customer|{subject}", WRONG_ABOUT_CUSTOMER)
    except (RateLimited, Unavailable) as error:
        refusal = error
    details = {"provider": provider.name}
    if isinstance(refusal, RateLimited):
        audit.refuse_limited(actor, Event.DEVICE_SIGN_IN_REFUSED, code=refusal.code, details=details)
    else:
        audit.refuse(actor, Event.DEVICE_SIGN_IN_REFUSED, code=code, details=details)
    refusal.audited = True
    return refusal


def _count(key: str, limit: int) -> None:
    ratelimit.hit("sign-in.id-token", key, limit=limit, window=60, guards_secret=True)


def _customer(application: Application, subject: str) -> User:
    found = User.objects.customers().filter(bank_id=application.bank_id, customer_number=subject).first()
    if found is None:
        raise please_sign_up()
    if not found.is_active:
        raise Forbidden("This sign-in is not possible. Ask your bank.", code="sign-in-refused")
    return found
