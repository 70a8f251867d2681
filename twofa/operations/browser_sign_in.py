"""Signing in through a browser: to the bank's provider with a code and PKCE, and back with one of ours."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import transaction

from portal import vault
from portal.accounts.actors import client_actor
from portal.accounts.models import Application
from portal.accounts.operations.authorization import require_codes
from portal.accounts.scopes import SCOPES_BY_KIND
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import base64url, clock
from portal.core.actor import Actor
from portal.core.errors import DomainError, Forbidden, InvalidInput, RateLimited, Unavailable, VerificationFailed
from portal.crypto.codes import new_token, same
from portal.outbox.gateways import http
from portal.outbox.gateways.base import GatewayError
from portal.outbox.gateways.outside import is_address
from twofa.models import BrowserSignIn, IdentityProvider
from twofa.operations.browser_approval import Back, Waiting, ask_a_device, code_for, digest_of, over
from twofa.operations.identifying import identify
from twofa.operations.identity_providers import SECRET

LIFETIME: Final = timedelta(minutes=10)
LONGEST_STATE: Final = 500  # characters
CALLBACK: Final = "/oauth/callback"
VERIFIER: Final = "browser_sign_in.verifier"
_32_BYTES: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # a challenge of S256 (RFC 7636 4.2), and our own `new_token(32)`


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the application asks for, as it was sent. redirect_uri is one of its own. method: a provider's name."""

    redirect_uri: str
    state: str = ""
    scope: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    response_type: str = ""
    method: str = ""


@dataclass(frozen=True)
class Left:
    """Where the customer is sent, and what their browser keeps so that nobody else comes back."""

    url: str
    browser: str


def start_browser_sign_in(*, actor: Actor, application: Application, wanted: Wanted, browser: str = "") -> Left:
    """Note what is asked for, and say where to go. Each call begins anew.

    browser: what that browser keeps of another sign-in, so that two tabs do not disturb each other; "" for nothing.

    Raises InvalidInput, its code the error of RFC 6749 in kebab case: `unsupported-response-type`,
    `invalid-request` (PKCE with S256 is needed; the state is too long; no such provider), `invalid-scope`,
    `unauthorized-client` (it could not trade the code). Its refusal is written.
    """
    try:
        scope, provider = _checked(application, wanted)
    except InvalidInput as error:
        audit.refuse(actor, Event.TOKEN_REFUSED, code=error.code)
        error.audited = True
        raise
    state, nonce, verifier = (new_token(32) for _ in range(3))
    browser = browser if _32_BYTES.fullmatch(browser) else new_token(32)
    row = BrowserSignIn(
        application=application,
        provider=provider,
        state_digest=digest_of("state", state),
        browser_digest=digest_of("browser", browser),
        nonce=nonce,
        redirect_uri=wanted.redirect_uri,
        scope=scope,
        state=wanted.state,
        code_challenge=wanted.code_challenge,
        expires_at=clock.now() + LIFETIME,
    )
    row.verifier_sealed = vault.seal(VERIFIER, row.pk, verifier)
    with transaction.atomic():
        BrowserSignIn.objects.filter(application=application, expires_at__lte=clock.now()).delete()
        row.save(force_insert=True)
    return Left(_address(provider, state, nonce, verifier), browser)


def finish_browser_sign_in(*, actor: Actor, state: str, browser: str, code: str, issuer: str = "") -> Back | Waiting:
    """Take the customer back from the provider, once. Not inside a transaction: the provider is asked.

    Waiting where a device of the customer's has to approve: `continue_browser_sign_in` says what became of it.
    state, code, issuer: as the provider sent them. browser: what that browser kept. Raises InvalidInput
    `sign-in-unknown` for a state that is unknown, used, expired or another browser's; a customer who did not sign in
    goes back with an error.
    """
    row = _taken(state, browser)
    if row is None:
        raise over(actor)
    caller = client_actor(row.application, channel=actor.channel, ip=actor.ip, request_id=actor.request_id)
    back = Back(row.redirect_uri, row.state)
    try:
        _require_good(row, code, issuer)
        token = _id_token(row, code)
        customer = identify(caller, row.application, row.provider.name, token, nonce=row.nonce).customer
        if waiting := ask_a_device(caller, row, customer):
            return waiting
        with transaction.atomic():
            given = code_for(caller, row, customer, approved=False)
    except DomainError as error:
        if not error.audited:
            audit.refuse(caller, Event.DEVICE_SIGN_IN_REFUSED, code=error.code)
        later = isinstance(error, Unavailable | RateLimited)
        return replace(back, error="temporarily_unavailable" if later else "access_denied")
    return replace(back, code=given)


def _checked(application: Application, wanted: Wanted) -> tuple[str, IdentityProvider]:
    """The scope and the provider of a sign-in that can be finished. Raises InvalidInput."""
    try:
        require_codes(application)
    except Forbidden as error:
        raise InvalidInput(error.message, code=error.code) from None
    if wanted.response_type != "code":
        raise InvalidInput("Only codes are given out.", code="unsupported-response-type")
    if wanted.code_challenge_method != "S256" or not _32_BYTES.fullmatch(wanted.code_challenge):
        raise InvalidInput("A challenge by S256 is needed.", code="invalid-request")
    if len(wanted.state) > LONGEST_STATE:
        raise InvalidInput(f"A state has at most {LONGEST_STATE} characters.", code="invalid-request")
    return _scope(application, wanted.scope), _provider(application, wanted.method)


def _scope(application: Application, wanted: str) -> str:
    allowed = frozenset(application.allowed_scopes) & SCOPES_BY_KIND[application.kind]
    asked = frozenset(wanted.split()) or allowed
    if asked - allowed:
        raise InvalidInput("The client cannot have one of these scopes.", code="invalid-scope")
    return " ".join(sorted(asked))


def _provider(application: Application, name: str) -> IdentityProvider:
    """The one that is named, else the only one that signs in in a browser."""
    found = IdentityProvider.objects.in_use().filter(bank_id=application.bank_id).exclude(authorization_endpoint="")
    rows = list(found.filter(name=name) if name else found[:2])
    if len(rows) != 1:
        raise InvalidInput("Name one of the bank's ways to sign in.", code="invalid-request")
    return rows[0]


def _address(provider: IdentityProvider, state: str, nonce: str, verifier: str) -> str:
    asked = {
        "response_type": "code",
        "client_id": provider.audience,
        "redirect_uri": f"{settings.BASE_URL}{CALLBACK}",
        "scope": "openid",
        "state": state,
        "nonce": nonce,
        "code_challenge": base64url.encode(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"


def _taken(state: str, browser: str) -> BrowserSignIn | None:
    """The sign-in that left with this state, from this browser; used up by this call."""
    now = clock.now()
    found = BrowserSignIn.objects.select_related("application__bank", "provider")
    row = found.filter(state_digest=digest_of("state", state), expires_at__gt=now, used_at__isnull=True).first()
    if row is None or not same(digest_of("browser", browser), row.browser_digest):
        return None
    with transaction.atomic(durable=True):
        unused = BrowserSignIn.objects.filter(pk=row.pk, used_at__isnull=True)
        return row if unused.update(used_at=now) else None


def _require_good(row: BrowserSignIn, code: str, issuer: str) -> None:
    """Look at the answer, and at the provider again, before anything is sent there. Raises VerificationFailed."""
    if issuer not in ("", row.provider.issuer):  # RFC 9207: another provider's answer is no answer
        raise VerificationFailed("Another provider answered.", code="issuer-mismatch")
    if not code:
        raise VerificationFailed("The customer did not sign in.", code="sign-in-declined")
    if row.provider.suspended_at is not None:
        raise VerificationFailed("The provider was suspended meanwhile.", code="provider-suspended")


def _id_token(row: BrowserSignIn, code: str) -> str:
    """Trade the provider's code for its ID token. Raises Unavailable, InvalidInput."""
    provider = row.provider
    down = Unavailable("The identity provider does not answer.", code="identity-provider-unavailable")
    if not is_address(provider.token_endpoint):
        raise down
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{settings.BASE_URL}{CALLBACK}",
        "client_id": provider.audience,
        "code_verifier": vault.unseal(VERIFIER, row.pk, row.verifier_sealed),
    }
    if secret := vault.unseal(SECRET, provider.pk, provider.client_secret_sealed):
        form["client_secret"] = secret
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        body = urlencode(form).encode()
        reply = http.post("identity provider", provider.token_endpoint, headers=headers, body=body, outside=True)
    except GatewayError:
        raise down from None
    token = reply.json().get("id_token") if reply.is_good else None
    if not isinstance(token, str):
        raise InvalidInput("The provider gave no ID token.", code="id-token-missing")
    return token
