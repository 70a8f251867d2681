"""Where a call shows its token. Each dialect names one of these readers, or its own."""

from collections.abc import Callable

from django.http import HttpRequest

type Reader = Callable[[HttpRequest], tuple[str, ...]]


def from_header(request: HttpRequest) -> tuple[str, ...]:
    """The token in the Authorization header, good or not; none without one. Never raises, like every reader."""
    sent = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")[2].strip()
    return (sent,) if scheme_of(request) in {"bearer", "dpop"} and sent else ()


def scheme_of(request: HttpRequest) -> str:
    """The scheme of the Authorization header, in lower case; "" without one. DPoP is RFC 9449's."""
    return str(request.META.get("HTTP_AUTHORIZATION", "")).strip().partition(" ")[0].lower()
