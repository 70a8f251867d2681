"""Django's error handlers: the form of the dialect whose path it was, else a page.

They answer what no view sees: an unknown host, an unknown address, a failing middleware. The pages are another
door's, so that they are named, not imported.
"""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from portal.api.errors import plain
from portal.api.registry import dialect_of_path
from portal.requests import request_id

PAGES: Final = "portal.web.errors.handler{status}"


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500)


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    dialect = dialect_of_path(request.path)
    if dialect:
        return dialect.refuse(plain(status, request_id=request_id(request)))
    page: HttpResponse = import_string(PAGES.format(status=status))(request)
    return page
