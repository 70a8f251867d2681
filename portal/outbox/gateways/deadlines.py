"""One deadline for a whole call: connecting, greeting, sending and whatever the other side makes of its answer.

The HTTP client bounds each step only, and a receiver decides how many steps there are: a header that comes byte by
byte, or interim answers without end (RFC 9110 15.2). Here no step is given more time than is left of the call, and
none is begun afterwards. A connection is kept for calls to come; the deadline is of the call that uses it.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx

type SocketOptions = Iterable[Any] | None

PIECE: Final = 16 * 1024  # bytes sent in one step; a reader that is slow enough makes a step of each packet

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread calls in the block ends in time, or with a timeout."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def _left(step: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    """How long a step may take. Raises `late` when no time is left for it."""
    until = _until.get()
    if until is None:
        return step
    left = until - time.monotonic()
    if left <= 0:
        raise late("the call takes too long")
    return left if step is None else min(step, left)


class Transport(httpx.HTTPTransport):
    """The client's own transport, over connections that look at the deadline."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The pool takes it as an argument, which the client does not hand on.
        self._pool._network_backend = _Network()


class _Network(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        step = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, step, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A connection. Its steps are bounded by the deadline of whichever call takes them."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        step = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, step))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
