"""The cache on Valkey (or Redis), with counting in one round trip."""

from typing import Any, cast

from django.core.cache.backends.redis import RedisCache

PATIENCE = {"socket_connect_timeout": 0.2, "socket_timeout": 0.5}  # seconds; a request may wait for it


class ValkeyCache(RedisCache):
    """Django's Redis cache. LOCATION and OPTIONS as there; the time-outs are short unless OPTIONS names others."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, {**params, "OPTIONS": PATIENCE | params.get("OPTIONS", {})})

    def count(self, key: str, seconds: int) -> int:
        """Add one to a counter, give it `seconds` to live, return it. Raises what the client raises."""
        stored = self.make_and_validate_key(key)
        pipeline = self._cache.get_client(stored, write=True).pipeline(transaction=False)
        pipeline.incr(stored)
        pipeline.expire(stored, seconds)
        return cast(int, pipeline.execute()[0])
