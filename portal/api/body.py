"""Reading a request's body: bounded, labelled, strict JSON."""

from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest

from portal.api.dialect import FORM
from portal.api.errors import DoorError
from portal.core.errors import InvalidInput
from portal.core.json import loads
from portal.requests import CutOff, whole_body

MOST_FIELDS = 50  # of a form; the largest of ours has nine
_KEPT = "portal.api.chunked"  # a name with a dot cannot come from a header


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
        data = _chunked(request)
    except (OSError, CutOff):  # the caller is gone; nobody will read the answer
        raise DoorError(400) from None
    if len(data) > settings.BODY_LIMIT:
        raise DoorError(413)
    return data


def _chunked(request: HttpRequest) -> bytes:
    """A chunked body announces no length, and Django reads none then; the server ends the stream for us. It can be
    read once only, so that it is kept."""
    if _KEPT not in request.META:
        request.META[_KEPT] = bytes(request.META["wsgi.input"].read(settings.BODY_LIMIT + 1))
    kept: bytes = request.META[_KEPT]
    return kept


def read_object(request: HttpRequest, data: bytes, types: tuple[str, ...], *, required: bool) -> dict[str, object]:
    """The JSON object, or the fields of the form, in a body. An empty body has none, unless one is required.

    types: media types the body may be labelled with; empty: any label, and always JSON. Raises DoorError 415,
    BadJSON, and InvalidInput for JSON that is no object and for a form that cannot be read.
    """
    if not data and not required:
        return {}
    if data and types:
        _require_type(request, types)
    if FORM in types and (request.content_type == FORM or not data):  # who sends nothing often labels it as nothing
        return dict(read_form(data))
    value = loads(data, max_bytes=settings.BODY_LIMIT)
    if not isinstance(value, dict):
        raise InvalidInput("The body has to be a JSON object.", code="json-no-object")
    return value


def read_form(data: bytes) -> list[tuple[str, str]]:
    """The fields of a form (URL standard 5.1), each once, in UTF-8. Raises InvalidInput."""
    pairs = form_pairs(data)
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidInput("A field comes more than once.", code="form-duplicate-field")
    return pairs


def form_pairs(data: bytes) -> list[tuple[str, str]]:
    """Every field of a form as it was sent. Raises InvalidInput."""
    try:
        return parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise InvalidInput("The body cannot be read as a form.", code="form-malformed") from None


def _require_type(request: HttpRequest, types: tuple[str, ...]) -> None:
    if request.content_type not in types:
        raise DoorError(415)
    charset = request.content_params.get("charset", "utf-8").lower() if request.content_params else "utf-8"
    if charset not in {"utf-8", "utf8"}:
        raise DoorError(415)
