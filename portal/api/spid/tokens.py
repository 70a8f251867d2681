"""Where SPiD's clients put the access token: in the header, in the query or in the body, each used by a real SDK."""

from contextlib import suppress

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict

from portal.api.bearers import from_header
from portal.api.body import form_pairs, read_bytes, read_object
from portal.api.dialect import FORM, JSON
from portal.api.errors import DoorError
from portal.core.errors import InvalidInput
from portal.core.json import BadJSON

FIELD = "oauth_token"


def tokens_of(request: HttpRequest) -> tuple[str, ...]:
    """Every token that a call shows, each once. What cannot be read has none here; the door says later why."""
    found = [*from_header(request), *_in_query(request), *_in_body(request)]
    return tuple(dict.fromkeys(token for token in found if token))


def _in_query(request: HttpRequest) -> list[str]:
    query = QueryDict()
    with suppress(SuspiciousOperation):  # too many parameters
        query = request.GET
    return query.getlist(FIELD)


def _in_body(request: HttpRequest) -> list[str]:
    try:
        data = read_bytes(request)
        if request.content_type == FORM:
            return [value for name, value in form_pairs(data) if name == FIELD]
        if request.content_type != JSON or not data:
            return []
        token = read_object(request, data, (JSON,), required=True).get(FIELD)
    except (DoorError, BadJSON, InvalidInput, SuspiciousOperation):
        return []
    return [token] if isinstance(token, str) else []
