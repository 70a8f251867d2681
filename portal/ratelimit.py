"""Rate limits: counters of fixed windows in the cache, one round trip each.

Windows begin at multiples of their length since the Unix epoch, so a caller can make up to twice the limit across a
border. That is enough against load; what guards a secret has a counter of its own in the database.
"""

import logging
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import BaseCache, caches
from redis.exceptions import RedisError

from portal.breaker import Breaker
from portal.core import clock
from portal.core.errors import RateLimited, Unavailable
from portal.crypto.digests import keyed_digest
from portal.valkey import ValkeyCache

REST = 2.0  # seconds without asking the cache after it failed

log = logging.getLogger(__name__)
breaker = Breaker(REST)


@dataclass(frozen=True)
class Rate:
    """A caller's state: calls allowed per window, calls left in this one, whole seconds until the next."""

    limit: int
    remaining: int
    reset: int


def hit(name: str, key: str, *, limit: int, window: int, guards_secret: bool = False) -> Rate:
    """Count one call of `key` under the limit `name`; `window` in seconds.

    The call above the limit raises RateLimited with the seconds until the next window. When the cache does not
    answer, a limit that guards a secret raises Unavailable, any other lets the call pass (one log line a minute).
    The cache holds a keyed digest of `key`: no token, address or user name.
    """
    now = _now()
    reset = window - now % window
    count = _count(_counter(name, key, now // window), window)
    if count is None and guards_secret:
        raise Unavailable("Attempts cannot be counted right now.", code="rate-state-unavailable")
    if count is not None and count > limit:
        raise RateLimited(retry_after=reset, limit=limit)
    return Rate(limit, limit if count is None else limit - count, reset)


def tally(name: str, key: str, *, window: int) -> int | None:
    """How often `key` has come under this name in the present window, this time included. Nothing is refused.

    None when the cache does not answer. The cache holds a keyed digest of `key`, as in `hit`.
    """
    return _count(_counter(name, key, _now() // window), window)


def _now() -> int:
    return int(clock.now().timestamp())


def _counter(name: str, key: str, slot: int) -> str:
    return f"rate:{name}:{_digest(name, key)}:{slot}"


def _digest(name: str, key: str) -> str:
    return keyed_digest(settings.DIGEST_KEY, "rate", name, key)


def _count(counter: str, window: int) -> int | None:
    """The count with this call; None when the cache does not answer."""
    if breaker.is_open():
        return None
    try:
        count = _add_one(caches["default"], counter, window)
    except (RedisError, OSError) as error:
        if breaker.failed():
            log.warning("cache unavailable", extra={"reason": type(error).__name__})
        return None
    breaker.worked()
    return count


def _add_one(cache: BaseCache, counter: str, window: int) -> int:
    if isinstance(cache, ValkeyCache):
        return cache.count(counter, window)
    if cache.add(counter, 1, timeout=window):
        return 1
    try:
        return cache.incr(counter)
    except ValueError:  # it ran out between the two lines
        cache.set(counter, 1, timeout=window)
        return 1
