"""Reading a request's body: bounded, labelled, strict JSON."""

from django.conf import settings
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from portal.api.errors import DoorError
from portal.core.errors import InvalidInput
from portal.core.json import loads


def require_size(request: HttpRequest) -> None:
    """Refuse a body whose announced length is over the limit, without reading any of it."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isascii() or not announced.isdigit():
        raise DoorError(400)
    if int(announced) > settings.BODY_LIMIT:
        raise DoorError(413)


def read_json(request: HttpRequest, types: tuple[str, ...], *, required: bool) -> tuple[bytes, dict[str, object]]:
    """The body's bytes and the object in them. An empty body is an empty object unless it is required.

    types: media types the body may be labelled with; empty: any label. Raises DoorError 413 and 415, BadJSON, and
    InvalidInput for JSON that is no object.
    """
    data = _read(request)
    if not data and not required:
        return data, {}
    if types:
        _require_type(request, types)
    value = loads(data, max_bytes=settings.BODY_LIMIT)
    if not isinstance(value, dict):
        raise InvalidInput("The body has to be a JSON object.", code="json-no-object")
    return data, value


def _read(request: HttpRequest) -> bytes:
    require_size(request)
    try:
        if not request.META.get("HTTP_TRANSFER_ENCODING"):
            return request.body
        # A chunked body announces no length, and Django reads none then; the server ends the stream for us.
        data = bytes(request.META["wsgi.input"].read(settings.BODY_LIMIT + 1))
    except (OSError, UnreadablePostError):
        raise DoorError(400) from None
    if len(data) > settings.BODY_LIMIT:
        raise DoorError(413)
    return data


def _require_type(request: HttpRequest, types: tuple[str, ...]) -> None:
    if request.content_type not in types:
        raise DoorError(415)
    charset = request.content_params.get("charset", "utf-8").lower() if request.content_params else "utf-8"
    if charset not in {"utf-8", "utf8"}:
        raise DoorError(415)
