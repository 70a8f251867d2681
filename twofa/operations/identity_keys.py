"""A provider's keys: pinned, or fetched and kept for a while. Nothing here runs inside a transaction."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from portal.core import clock
from portal.core.errors import Unavailable
from portal.crypto.jwts import BadToken, Keys, read_keys
from portal.outbox.gateways import http
from portal.outbox.gateways.base import GatewayError
from portal.outbox.gateways.outside import is_address
from twofa.models import IdentityProvider

FRESH: Final = timedelta(hours=1)  # a key that was withdrawn is good for so long at most
STALE: Final = timedelta(hours=24)  # so long we go on with what we have when the provider does not answer
ASK_EVERY: Final = timedelta(minutes=1)  # whatever tokens name, and whoever sends them


def keys_of(provider: IdentityProvider) -> Keys:
    """The keys to check a token with. Raises Unavailable `identity-provider-unavailable`."""
    if provider.jwks_uri and not _is_younger(provider, FRESH):
        _fetch(provider)
    if provider.jwks_uri and not _is_younger(provider, STALE):
        raise _unavailable()
    return _read(provider)


def newer_keys_of(provider: IdentityProvider) -> Keys | None:
    """The keys after a token named one that was not there; None when they were asked for a moment ago."""
    return _read(provider) if provider.jwks_uri and _fetch(provider) else None


def _is_younger(provider: IdentityProvider, age: timedelta) -> bool:
    return provider.fetched_at is not None and clock.now() - provider.fetched_at < age


def _read(provider: IdentityProvider) -> Keys:
    try:
        return read_keys(provider.key_set)
    except BadToken:
        raise _unavailable() from None


def _fetch(provider: IdentityProvider) -> bool:
    """Whether the row in hand has what the provider says now. One caller a minute asks, and nobody waits for it."""
    now = clock.now()
    due = Q(tried_at__isnull=True) | Q(tried_at__lte=now - ASK_EVERY)
    rows = IdentityProvider.objects.filter(pk=provider.pk)
    with transaction.atomic(durable=True):
        claimed = rows.filter(due).update(tried_at=now)
    if not claimed:
        before = provider.fetched_at
        provider.refresh_from_db(fields=["key_set", "fetched_at"])
        return provider.fetched_at != before
    text = _asked(provider.jwks_uri)
    if not text:
        return False
    with transaction.atomic(durable=True):
        rows.update(key_set=text, fetched_at=now)
    provider.key_set, provider.fetched_at = text, now
    return True


def _asked(url: str) -> str:
    """The set as the provider gives it, "" when nothing good came."""
    if not is_address(url):
        return ""
    try:
        reply = http.get("identity provider", url, headers={"Accept": "application/json"}, outside=True)
        text = reply.body.decode() if reply.status == 200 else ""
        read_keys(text)
    except (GatewayError, ValueError):
        return ""
    return text


def _unavailable() -> Unavailable:
    return Unavailable("The bank's identity provider does not answer.", code="identity-provider-unavailable")
