"""Who calls: the bearer token, and whether it opens this door at all.

One query finds the token with everything the answer depends on. What the caller may do to an object is asked later,
by the operation.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from devices.operations.activity import note_activity
from portal import ratelimit, vault
from portal.accounts.actors import actor_from_token
from portal.accounts.models import AccessToken
from portal.accounts.policies import ip_allowed
from portal.accounts.tokens import find_token, reason_dead
from portal.api.dialect import A_MINUTE, Dialect, Limit
from portal.api.possession import require_possession
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, Unauthenticated
from portal.ratelimit import Rate
from portal.requests import client_ip, request_id

_KEPT = "portal.api.bearer"  # where the request keeps its bearer; a name with a dot cannot come from a header
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,1024}={0,8}")  # RFC 6750 2.1, with a length


@dataclass(frozen=True)
class Bearer:
    """The token that came with a call. `token` is None when it is not one of ours, or when several came."""

    token: AccessToken | None
    actor: Actor
    several: bool = False


def authenticate(
    request: HttpRequest, dialect: Dialect, required_scopes: Collection[str]
) -> tuple[Actor, AccessToken, Rate]:
    """The caller, its token and its rate, when its token opens this endpoint; one of the scopes is enough.

    Asked in this order, so that an answer depends on the token alone, never on an object: one token, alive,
    proved where it is bound to a key, address, kind of bearer, dialect, scope, rate. Raises InvalidInput,
    Unauthenticated, Forbidden, RateLimited.
    """
    bearer = identify(request, dialect)
    if bearer is None:
        raise Unauthenticated
    if bearer.token is None or reason_dead(bearer.token):
        count(f"address:{client_ip(request)}", A_MINUTE)
        raise _dead(bearer, dialect)
    if bearer.token.key_thumbprint:
        # By address, too, so that a thief without the key uses up nobody's calls but his own.
        count(f"proof:{bearer.token.pk}:{client_ip(request)}", dialect.limit)
        require_possession(request, bearer.token.key_thumbprint, dialect.tokens_of(request)[0])
    _require_client(bearer, dialect, client_ip(request))
    if bearer.actor.scopes.isdisjoint(required_scopes):
        raise Forbidden("The access token does not reach this.", code="insufficient-scope")
    rate = count(f"token:{bearer.token.pk}", dialect.limit)
    if bearer.token.device is not None:
        note_activity(bearer.token.device)
    return bearer.actor, bearer.token, rate


def count_stray(request: HttpRequest, dialect: Dialect) -> None:
    """Count a call that no endpoint takes, when it shows a bearer: its refusal is written. Raises RateLimited."""
    bearer = identify(request, dialect)
    if bearer is None:
        return
    if bearer.token is not None and not reason_dead(bearer.token):
        count(f"token:{bearer.token.pk}", dialect.limit)
    else:
        count(f"address:{client_ip(request)}", A_MINUTE)


def identify(request: HttpRequest, dialect: Dialect) -> Bearer | None:
    """Whose token the call shows, good or not; None without one. Looked up once for a request.

    An unknown token makes an anonymous actor named by a short keyed digest, so that its refusals can be put together.
    """
    if _KEPT not in request.META:
        request.META[_KEPT] = _look_up(request, dialect)
    kept: Bearer | None = request.META[_KEPT]
    return kept


def _look_up(request: HttpRequest, dialect: Dialect) -> Bearer | None:
    sent = dialect.tokens_of(request)
    if not sent:
        return None
    channel, ip, name = dialect.channel, client_ip(request), request_id(request)
    token = find_token(sent[0]) if len(sent) == 1 and _TOKEN.fullmatch(sent[0]) else None
    if token is not None:
        return Bearer(token, actor_from_token(token, channel=channel, ip=ip, request_id=name))
    digests = " and ".join(vault.digest("api.bearer", "", one)[:12] for one in sent)
    label = f"unknown token {digests}" if len(sent) == 1 else f"tokens {digests}"
    return Bearer(None, Actor.anonymous(channel, ip=ip, request_id=name, label=label), several=len(sent) > 1)


def _dead(bearer: Bearer, dialect: Dialect) -> Exception:
    """What a bearer is told whose token opens nothing. Why, only where its dialect says so."""
    if bearer.several:
        return InvalidInput("Several access tokens came with one call.", code="several-tokens")
    reason = reason_dead(bearer.token) if bearer.token is not None else None
    code = dialect.dead_tokens.get(reason or "")
    return Unauthenticated("The access token is not valid.", code=code, bearer_sent=True)


def _require_client(bearer: Bearer, dialect: Dialect, ip: str) -> None:
    """A client calls from the addresses and in the dialects its row lists. Staff tokens belong to no client."""
    client = bearer.token.application if bearer.token is not None else None
    if client is not None and not ip_allowed(client, ip):
        raise Forbidden("This client may not call from this address.", code="ip-not-allowed")
    if bearer.actor.kind not in dialect.bearers:
        raise Forbidden("This API is not for this kind of caller.", code="bearer-not-served")
    if client is not None and dialect.name not in client.dialects:
        raise Forbidden("This client may not use this API.", code="dialect-not-open")


def remember(request: HttpRequest, bearer: Bearer) -> None:
    """Note who calls by something else than a token, so that refusals name them."""
    request.META[_KEPT] = bearer


def count(caller: str, limit: Limit) -> Rate:
    """Count one call of a caller. Raises RateLimited."""
    return ratelimit.hit(limit.name, caller, limit=getattr(settings, limit.setting), window=limit.window)
