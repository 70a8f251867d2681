"""Authorization codes (RFC 6749 4.1): given to a signed-in customer's browser, traded once for a session."""

import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction

from portal.accounts.actors import signed_in_actor
from portal.accounts.models import Application, ApplicationKind, Grant, RefreshToken, User
from portal.accounts.operations.tokens import TokenPair, issue_browser_session, lock_family
from portal.accounts.tokens import token_checksum
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import base64url, clock
from portal.core.actor import Actor
from portal.core.errors import DomainError, Forbidden, VerificationFailed
from portal.crypto.codes import new_token, same

LIFETIME: Final = timedelta(seconds=60)  # RFC 9700 4.5: short, as it passes through a browser
REUSED: Final = "code-reused"


def require_codes(application: Application) -> None:
    """Codes are for mobile applications, and not where sessions are bound to a key: none signs in a browser.

    Raises Forbidden `unauthorized-client`.
    """
    if application.kind != ApplicationKind.MOBILE or application.proves_possession:
        raise Forbidden("This application gets no codes.", code="unauthorized-client")


def give_code(
    *, actor: Actor, application: Application, user: User, redirect_uri: str, scope: str, code_challenge: str
) -> str:
    """A code for the customer who has just signed in, in the caller's transaction; kept as SHA-256 only."""
    if not actor.is_customer or actor.user_id != user.pk:
        raise Forbidden(code="not-yourself")
    code = new_token(32)
    Grant.objects.create(
        user=user,
        application=application,
        code=token_checksum(code),
        redirect_uri=redirect_uri,
        scope=scope,
        code_challenge=code_challenge,
        code_challenge_method=Grant.CODE_CHALLENGE_S256,
        expires=clock.now() + LIFETIME,
    )
    return code


def redeem_code(*, actor: Actor, application: Application, code: str, redirect_uri: str, verifier: str) -> TokenPair:
    """The session that a code is good for, once. Not inside a transaction.

    A wrong verifier or address uses the code up. A second use is refused and ends the session of the first, with all
    that renewed it: nobody can tell who of the two is the customer (RFC 6749 4.1.2, RFC 9700 2.1.1). Raises
    VerificationFailed, whatever is wrong with the code, and writes it; Forbidden as `require_codes` does; what
    `issue_browser_session` raises uses the code up too.
    """
    require_codes(application)
    refusal: DomainError | None = None
    with transaction.atomic(durable=True):
        grants = Grant.objects.select_for_update(of=("self",)).filter(application=application)
        grant = grants.filter(code=token_checksum(code)).first()
        reason = _reason_refused(grant, redirect_uri, verifier)
        if grant is None or reason:
            refusal = _refused(actor, grant, reason)
        else:
            try:
                return _session(actor, application, grant)
            except DomainError as error:
                refusal = error
        if grant is not None:
            Grant.objects.filter(pk=grant.pk, used_at=None).update(used_at=clock.now())
    raise refusal


def _session(actor: Actor, application: Application, grant: Grant) -> TokenPair:
    """The session, all of it or nothing; its name is kept with the code."""
    with transaction.atomic():
        grant.used_at, grant.token_family = clock.now(), uuid4()
        grant.save(update_fields=["used_at", "token_family"])
        return issue_browser_session(
            actor=signed_in_actor(actor, grant.user),
            application=application,
            user=grant.user,
            scopes=grant.scope.split(),
            family=grant.token_family,
        )


def _refused(actor: Actor, grant: Grant | None, reason: str) -> VerificationFailed:
    details: dict[str, object] = {}
    if grant is not None and reason == REUSED:
        details = {"ended": _end_family(grant.token_family), "user": grant.user.public_id}
    audit.record_refusal(actor, Event.TOKEN_REFUSED, None, code=reason, details=details)
    return VerificationFailed(code=reason)


def _end_family(family: UUID | None) -> int:
    """How many live access tokens of the session were ended; none where the code opened none."""
    if family is None:
        return 0
    lock_family(family)
    return RefreshToken.objects.filter(token_family=family).revoke()


def _reason_refused(grant: Grant | None, redirect_uri: str, verifier: str) -> str:
    if grant is None:
        return "code-unknown"
    if grant.used_at is not None:
        return REUSED
    if grant.expires <= clock.now():
        return "code-expired"
    if grant.redirect_uri != redirect_uri:
        return "code-of-another-address"
    digest = base64url.encode(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())
    return "" if same(digest, grant.code_challenge) else "code-verifier-wrong"
