"""Who calls: the bearer token in the header, and whether it opens this door at all.

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
from portal.accounts.models import AccessToken, Application
from portal.accounts.policies import ip_allowed
from portal.accounts.tokens import find_token, reason_dead
from portal.api.dialect import Dialect
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, Unauthenticated
from portal.requests import client_ip, request_id

WINDOW = 60  # seconds
_KEPT = "portal.api.bearer"  # where the request keeps its bearer; a name with a dot cannot come from a header
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,1024}={0,8}")  # RFC 6750 2.1, with a length


@dataclass(frozen=True)
class Bearer:
    """What came in the Authorization header. `token` is None when it is not one of ours."""

    token: AccessToken | None
    actor: Actor


def authenticate(
    request: HttpRequest, dialect: Dialect, required_scopes: Collection[str]
) -> tuple[Actor, AccessToken]:
    """The caller and its token, when its token opens this endpoint of this dialect; one of the scopes is enough.

    Asked in this order, so that an answer depends on the token alone, never on an object: alive, address, dialect,
    scope, rate. Raises Unauthenticated, Forbidden, RateLimited.
    """
    bearer = identify(request, dialect.channel)
    if bearer is None:
        raise Unauthenticated
    if bearer.token is None or reason_dead(bearer.token):
        _count(f"address:{client_ip(request)}")
        raise Unauthenticated("The access token is not valid.", bearer_sent=True)
    _require_client(bearer.token.application, dialect, client_ip(request))
    if bearer.actor.scopes.isdisjoint(required_scopes):
        raise Forbidden("The access token does not reach this.", code="insufficient-scope")
    _count(f"token:{bearer.token.pk}")
    if bearer.token.device is not None:
        note_activity(bearer.token.device)
    return bearer.actor, bearer.token


def count_stray(request: HttpRequest, channel: Channel) -> None:
    """Count a call that no endpoint takes, when it shows a bearer: its refusal is written. Raises RateLimited."""
    bearer = identify(request, channel)
    if bearer is None:
        return
    known = bearer.token is not None and not reason_dead(bearer.token)
    _count(f"token:{bearer.token.pk}" if bearer.token and known else f"address:{client_ip(request)}")


def identify(request: HttpRequest, channel: Channel) -> Bearer | None:
    """Whose token the header holds, good or not; None without one. Looked up once for a request.

    An unknown token makes an anonymous actor named by a short keyed digest, so that its refusals can be put together.
    """
    if _KEPT not in request.META:
        request.META[_KEPT] = _look_up(request, channel)
    kept: Bearer | None = request.META[_KEPT]
    return kept


def _look_up(request: HttpRequest, channel: Channel) -> Bearer | None:
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    sent = sent.strip()
    if scheme.lower() != "bearer" or not sent:
        return None
    ip, name = client_ip(request), request_id(request)
    token = find_token(sent) if _TOKEN.fullmatch(sent) else None
    if token is not None:
        return Bearer(token, actor_from_token(token, channel=channel, ip=ip, request_id=name))
    label = f"unknown token {vault.blind_index('api.bearer', '', sent)[:12]}"
    return Bearer(None, Actor.anonymous(channel, ip=ip, request_id=name, label=label))


def _require_client(client: Application | None, dialect: Dialect, ip: str) -> None:
    """A client calls from the addresses and in the dialects its row lists. Staff tokens belong to no client."""
    if client is None:
        return
    if not ip_allowed(client, ip):
        raise Forbidden("This client may not call from this address.", code="ip-not-allowed")
    if dialect.name not in client.dialects:
        raise Forbidden("This client may not use this API.", code="dialect-not-open")


def _count(caller: str) -> None:
    ratelimit.hit("api", caller, limit=settings.API_CALLS_PER_MINUTE, window=WINDOW)
