"""Calls of other services, most of all those that carry messages: bounded in time and size, certificates checked,
nothing followed.

One client a process for each version of HTTP, so that connections are kept. It reads no environment: proxy and
certificates come from the settings.
"""

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import certifi
import httpx
from django.conf import settings

from portal.outbox.gateways.base import GatewayError
from portal.outbox.gateways.deadlines import Transport, within
from portal.outbox.gateways.outside import is_address, pinned

PATIENCE: Final = 10.0  # seconds for a whole call; a claim on a message lasts a minute
TIMEOUT: Final = httpx.Timeout(5.0, connect=3.0)  # of one step
LARGEST: Final = 64 * 1024  # bytes of an answer that are read
# RFC 9110 15.5.1: our own credentials, which somebody mends; 15.5.9 and RFC 6585 4: later. RFC 8470 5.2: again.
RETRIED: Final = frozenset({401, 408, 425, 429})
LONGEST_AFTER: Final = 24 * 3600  # seconds; what a receiver asks for beyond that is no answer

_clients: dict[tuple[bool, str, str], httpx.Client] = {}
_guard = threading.Lock()


@dataclass(frozen=True)
class Reply:
    """What came back. `body` may be cut; its repr shows none of it, because answers repeat what was sent."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> dict[str, object]:
        """The object in the body; an empty one when there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def refusal(self, who: str, word: str = "") -> GatewayError:
        """The error for an answer that is not good. who: the service. word: its own name for what is wrong."""
        reason = f"{who} answered {self.status} {word}".strip()
        return GatewayError(reason, retry=self.status in RETRIED or self.status >= 500, after=self._after())

    def _after(self) -> timedelta | None:
        text = self.headers.get("retry-after", "")
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > LONGEST_AFTER:
            return None
        return timedelta(seconds=int(text))


def post(
    who: str, url: str, *, headers: Mapping[str, str], body: bytes, http2: bool = False, outside: bool = False
) -> Reply:
    """Send a body and read the answer. who: names the service in errors. outside: somebody typed the address in, so
    that it is called as `outside` says.

    Raises GatewayError: `retry` for a service that cannot be reached, hangs up, or takes too long.
    """
    where, sent, extensions = _outside(url, headers) if outside else (url, headers, {})
    return _call("POST", who, where, sent, body, http2=http2, extensions=extensions)


def get(who: str, url: str, *, headers: Mapping[str, str] | None = None, outside: bool = False) -> Reply:
    """Fetch something, as `post` sends something."""
    where, sent, extensions = _outside(url, headers or {}) if outside else (url, headers or {}, {})
    return _call("GET", who, where, sent, None, http2=False, extensions=extensions)


def _outside(url: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str], dict[str, str]]:
    """Where the call goes, with which headers, and as whom it is greeted there. A proxy resolves names itself."""
    if settings.OUTGOING_PROXY:
        if not is_address(url):
            raise GatewayError("the address is not a public one", retry=False)
        return url, headers, {}
    pin = pinned(url)
    # Not kept open: the next call to that address may be for another name.
    return pin.url, {**headers, "Host": pin.host, "Connection": "close"}, {"sni_hostname": pin.name}


def _call(
    method: str,
    who: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    http2: bool,
    extensions: dict[str, str],
) -> Reply:
    client = _client(http2, settings.OUTGOING_PROXY, settings.CA_FILE)
    try:
        with (
            within(PATIENCE),
            client.stream(method, url, headers=dict(headers), content=body, extensions=extensions) as response,
        ):
            return Reply(response.status_code, response.headers, _read(response))
    except httpx.InvalidURL:
        raise GatewayError(f"{who} has an address that is none", retry=False) from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise GatewayError(f"{who} unavailable: {type(error).__name__}", retry=True) from None


def _read(response: httpx.Response) -> bytes:
    """The body as it came, not unpacked: at most `LARGEST` bytes."""
    read = bytearray()
    for chunk in response.iter_raw():
        read += chunk
        if len(read) >= LARGEST:
            break
    return bytes(read[:LARGEST])


def _client(http2: bool, proxy: str, ca_file: str) -> httpx.Client:
    key = (http2, proxy, ca_file)
    with _guard:
        if key not in _clients:
            _clients[key] = _new_client(*key)
        return _clients[key]


def _new_client(http2: bool, proxy: str, ca_file: str) -> httpx.Client:
    """HTTP/2 alone or HTTP/1.1 alone: a service that wants one is not asked in the other."""
    transport = Transport(
        http1=not http2,
        http2=http2,
        verify=_trusted(ca_file),
        proxy=proxy or None,
        trust_env=False,
    )
    return httpx.Client(
        transport=transport,
        timeout=TIMEOUT,
        trust_env=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "device-trust-portal"},
    )


def _trusted(ca_file: str) -> ssl.SSLContext:
    """Whom outgoing calls trust: the authorities of `ca_file`, else those of Mozilla's list."""
    return ssl.create_default_context(cafile=ca_file or certifi.where())


def close_clients() -> None:
    """Close every connection; the next call opens new ones."""
    with _guard:
        for client in _clients.values():
            client.close()
        _clients.clear()


def problem() -> str:
    """What is wrong with the settings, for the start-up check; "" when nothing is."""
    if settings.OUTGOING_PROXY and not settings.OUTGOING_PROXY.startswith(("http://", "https://")):
        return "PORTAL_OUTGOING_PROXY is not an http address."
    try:
        _trusted(settings.CA_FILE)
    except OSError:
        return "PORTAL_CA_FILE is not a readable file of certificates."
    return ""
