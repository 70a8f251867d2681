"""Reading a request's body: bounded, labelled, strict JSON."""

from django.conf import settings
from django.http import HttpRequest

from portal.api.errors import DoorError
from portal.core.errors import InvalidInput
from portal.core.json import loads
from portal.requests import CutOff, whole_body


def require_size(request: HttpRequest) -> None:
    """Refuse a body whose announced length is over the limit, without reading any of it."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isascii() or not announced.isdigit():
        raise DoorError(400)
    if int(announced) > settings.BODY_LIMIT:
        raise DoorError(413)


def read_bytes(request: HttpRequest) -> bytes:
    """The body, at most `BODY_LIMIT` bytes of it. Raises DoorError 413 and 400, also for one that was cut off."""
    require_size(request)
    try:
        if not request.META.get("HTTP_TRANSFER_ENCODING"):
            return whole_body(request)
        # A chunked body announces no length, and Django reads none then; the server ends the stream for us.
        data = bytes(request.META["wsgi.input"].read(settings.BODY_LIMIT + 1))
    except (OSError, CutOff):  # the caller is gone; nobody will read the answer
        raise DoorError(400) from None
    if len(data) > settings.BODY_LIMIT:
        raise DoorError(413)
    return data


def read_object(request: HttpRequest, data: bytes, types: tuple[str, ...], *, required: bool) -> dict[str, object]:
    """The JSON object in a body. An empty body is an empty object unless it is required.

    types: media types the body may be labelled with; empty: any label. Raises DoorError 415, BadJSON, and
    InvalidInput for JSON that is no object.
    """
    if not data and not required:
        return {}
    if data and types:
        _require_type(request, types)
    value = loads(data, max_bytes=settings.BODY_LIMIT)
    if not isinstance(value, dict):
        raise InvalidInput("The body has to be a JSON object.", code="json-no-object")
    return value


def _require_type(request: HttpRequest, types: tuple[str, ...]) -> None:
    if request.content_type not in types:
        raise DoorError(415)
    charset = request.content_params.get("charset", "utf-8").lower() if request.content_params else "utf-8"
    if charset not in {"utf-8", "utf8"}:
        raise DoorError(415)
