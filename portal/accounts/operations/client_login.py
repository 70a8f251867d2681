"""Who calls the token endpoint: a client proves itself by its secret, from an address it may call from."""

from dataclasses import dataclass, replace

from django.contrib.auth.hashers import make_password

from portal import ratelimit
from portal.accounts import policies
from portal.accounts.hashers import ClientSecretHasher
from portal.accounts.models import Application
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor, Channel
from portal.core.errors import RateLimited, Unavailable, VerificationFailed

FAILURES_PER_MINUTE = 30
_hasher = ClientSecretHasher()


@dataclass(frozen=True)
class Credentials:
    """What a client sent to prove itself, read but not believed."""

    client_id: str
    secret: str


def authenticate_client(*, credentials: Credentials | None, ip: str, request_id: str) -> Application:
    """The client with these credentials.

    Raises VerificationFailed, always with the same text: no or unknown credentials, a wrong secret, a suspended
    client, an address that is not on its list. Each failure is written to the audit log. More than 30 a minute by
    one client and address (or by one address with unknown clients) raise RateLimited, and one that cannot be counted
    raises Unavailable; a right secret never does.
    """
    client = None if credentials is None else _find(credentials.client_id)
    code = _reason_refused(client, credentials, ip)
    if client is not None and not code:
        return client
    actor = _suspect(client, ip, request_id)
    try:
        _count_failure(actor, client)
    except RateLimited:
        audit.refuse_limited(actor, Event.TOKEN_REFUSED, code="rate-limited")
        raise
    except Unavailable:
        _write_down(actor, client, code)
        raise
    _write_down(actor, client, code)
    raise VerificationFailed("Client authentication failed.", code="invalid-client")


def _find(client_id: str) -> Application | None:
    if not client_id.isprintable():
        return None
    return Application.objects.select_related("bank").filter(client_id=client_id).first()


def _reason_refused(client: Application | None, credentials: Credentials | None, ip: str) -> str:
    if credentials is None:
        return "client-credentials-missing"
    # An unknown client costs one hash too.
    known = make_password("", hasher=_hasher.algorithm) if client is None else client.client_secret
    right = _hasher.verify(credentials.secret, known)
    if client is None:
        return "client-unknown"
    if not right:
        return "client-secret-wrong"
    if client.suspended_at is not None:
        return "client-suspended"
    return "" if policies.ip_allowed(client, ip) else "ip-not-allowed"


def _suspect(client: Application | None, ip: str, request_id: str) -> Actor:
    """Nobody yet; but the bank whose client was tried sees it in its log."""
    nobody = Actor.anonymous(Channel.OAUTH, ip=ip, request_id=request_id)
    return nobody if client is None else replace(nobody, label=client.name, bank_id=client.bank_id)


def _count_failure(actor: Actor, client: Application | None) -> None:
    key = f"{'' if client is None else client.client_id}|{actor.ip}"
    ratelimit.hit("oauth.client", key, limit=FAILURES_PER_MINUTE, window=60, guards_secret=True)


def _write_down(actor: Actor, client: Application | None, code: str) -> None:
    audit.refuse(
        actor,
        Event.TOKEN_REFUSED,
        code=code,
        object_type="" if client is None else "application",
        object_id="" if client is None else str(client.pk),
        object_label="" if client is None else client.name,
    )
