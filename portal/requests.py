"""Where a request really comes from, and its id.

An address, a scheme or a client certificate in a header is only a claim. It counts when a trusted proxy made it
(`PORTAL_TRUSTED_PROXIES`); from anybody else the header is taken away before any other code can read it.
"""

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from threading import BoundedSemaphore

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars

from portal.core import ids

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# WSGI names with a dot cannot come from a header.
CLIENT_IP = "portal.client_ip"
REQUEST_ID = "portal.request_id"

_FORWARDED = re.compile(
    r"HTTP_(X_FORWARDED(_.*)?|FORWARDED|X_REAL_IP|X_ORIGINAL_.*|X_CLUSTER_CLIENT_IP|TRUE_CLIENT_IP|X_CLIENT_IP"
    r"|CF_CONNECTING_IP|CLIENT_IP)"
)
_CERTIFICATE = re.compile(r"HTTP_(X_)?((SSL|TLS)_)?CLIENT_(CERT|S_DN|I_DN|VERIFY|DN|FINGERPRINT|SERIAL).*")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LARGEST_FORM = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
_HOPS = 32  # more entries than this in X-Forwarded-For are noise


class CutOff(ValueError):
    """A body ended before its announced length: what came is not what was meant."""


class RequestContextMiddleware:
    """Stands first: every request that others see has a client address and an id, and no unproved header.

    The id is the proxy's `X-Request-Id` when it is well-formed, else a new one; the answer repeats it. In the demo
    a request that was forwarded, or that does not come from this machine, is refused.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.bodies = BoundedSemaphore(max(1, settings.WEB_THREADS * 3 // 4))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = _peer(request)
        if settings.DEMO and not _is_direct(request, peer):
            return _refused()
        trusted = peer is not None and _is_trusted(peer)
        name = _request_id(request, trusted)
        request.META[CLIENT_IP] = _client_ip(request, peer, trusted)
        request.META[REQUEST_ID] = name
        if not trusted:
            _strip(request)
        if not self._body_came(request):
            return HttpResponse("Busy.\n", status=503, content_type="text/plain", headers={"Retry-After": "5"})
        with bound_contextvars(request_id=name):
            response = self.get_response(request)
        response["X-Request-Id"] = name
        return response

    def _body_came(self, request: HttpRequest) -> bool:
        """Wait for the body here, where at most three quarters of the threads may: a caller that sends slowly holds
        its thread, and many of them must not hold them all. False: that many wait already.

        What is wrong with a body (too large, cut off) is said later, by the door it was sent to.
        """
        chunked = bool(request.META.get("HTTP_TRANSFER_ENCODING"))
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not chunked and not (length.isascii() and length.isdigit() and 0 < int(length) <= _LARGEST_FORM):
            return True
        if not self.bodies.acquire(blocking=False):
            return False
        try:
            _read_ahead(request, chunked=chunked)
        finally:
            self.bodies.release()
        return True


def _read_ahead(request: HttpRequest, *, chunked: bool) -> None:
    with suppress(OSError, RequestDataTooBig):
        if chunked:
            request.META["wsgi.input"] = BytesIO(request.META["wsgi.input"].read(settings.BODY_LIMIT + 1))
        else:
            len(request.body)  # kept by the request


def client_ip(request: HttpRequest) -> str:
    """The caller's address, or "" where there is none (a Unix socket)."""
    known = request.META.get(CLIENT_IP)
    if known is None:
        peer = _peer(request)
        return "" if peer is None else str(peer)
    return str(known)


def request_id(request: HttpRequest) -> str:
    """The id of this request, as it also stands in logs and in the audit log; "" outside of the middleware."""
    return str(request.META.get(REQUEST_ID, ""))


def whole_body(request: HttpRequest) -> bytes:
    """The body of a request that announces its length. The server hands on what came when a caller breaks off.

    Raises CutOff for less than was announced, and what `HttpRequest.body` raises.
    """
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if len(request.body) < announced:
        raise CutOff
    return request.body


def read_address(text: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`; None for anything else.

    An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, as a dual-stack socket reports it) is the IPv4 address.
    """
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _peer(request: HttpRequest) -> Address | None:
    return read_address(str(request.META.get("REMOTE_ADDR", "")))


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _is_direct(request: HttpRequest, peer: Address | None) -> bool:
    forwarded = any(_FORWARDED.fullmatch(name) for name in request.META)
    return peer is not None and peer.is_loopback and not forwarded


def _refused() -> HttpResponse:
    text = "The demo answers only direct calls from this machine.\n"
    return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


def _request_id(request: HttpRequest, trusted: bool) -> str:
    sent = str(request.META.get("HTTP_X_REQUEST_ID", ""))
    return sent if trusted and _REQUEST_ID.fullmatch(sent) else ids.uuid7().hex


def _client_ip(request: HttpRequest, peer: Address | None, trusted: bool) -> str:
    """Walk X-Forwarded-For from the right: each trusted proxy vouches for the entry before it, nobody else does."""
    if peer is None or not trusted:
        return "" if peer is None else str(peer)
    client = peer
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    for hop in reversed(hops[-_HOPS:]):
        address = read_address(hop)
        if address is None:
            break
        client = address
        if not _is_trusted(address):
            break
    return str(client)


def _strip(request: HttpRequest) -> None:
    for name in [name for name in request.META if _FORWARDED.fullmatch(name) or _CERTIFICATE.fullmatch(name)]:
        del request.META[name]
    request.META.pop(settings.CLIENT_CERT_HEADER, None)  # whatever its name
