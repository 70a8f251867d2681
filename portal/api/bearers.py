"""Where a call shows its token. Each dialect names one of these readers, or its own."""

from collections.abc import Callable

from django.http import HttpRequest

type Reader = Callable[[HttpRequest], tuple[str, ...]]


def from_header(request: HttpRequest) -> tuple[str, ...]:
    """The token in the Authorization header, good or not; none without one. Never raises, like every reader."""
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    sent = sent.strip()
    return (sent,) if scheme.lower() == "bearer" and sent else ()
