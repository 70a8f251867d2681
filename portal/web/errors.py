"""Pages that say no. They need no database, no session and no menu, so they also come when those are the trouble."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import loader

from portal.accounts.roles import who_can
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.errors import DomainError, RateLimited
from portal.requests import request_id
from portal.web.actor import actor_of, signed_in_person
from portal.web.refusals import route_of, status_of
from portal.web.theme import theme_of

NOT_FOUND: Final = "There is no such page, or it is not yours to see."
TITLES: Final = {
    400: "This request cannot be read",
    403: "You are not allowed to do this",
    404: "Not found",
    409: "Not possible now",
    410: "Too late",
    423: "Locked",
    429: "Too many attempts",
    503: "Not available right now",
}


def error_page(
    request: HttpRequest, status: int, *, title: str = "", message: str = "", hint: str = ""
) -> HttpResponse:
    """A page that says what went wrong, what to do about it, and under which id our log knows it."""
    context = {
        "demo": settings.DEMO,
        "theme": theme_of(request),
        "status": status,
        "title": title or TITLES.get(status, ""),
        "message": message,
        "hint": hint,
        "request_id": request_id(request),
    }
    response = HttpResponse(loader.render_to_string("web/error.html", context), status=status)
    response["Cache-Control"] = "no-store"
    return response


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page for an operation's refusal: its sentence, and who could grant it."""
    status = status_of(error)
    message = NOT_FOUND if status == 404 else error.message
    response = error_page(request, status, message=message, hint=_who_can(error.details.get("capability")))
    if isinstance(error, RateLimited):
        response["Retry-After"] = str(error.retry_after)
    return response


def _who_can(capability: object) -> str:
    """Who has the right that is missing; "" where it was not about a right."""
    names = ", ".join(who_can(str(capability))).lower() if capability else ""
    return f"Roles that have it: {names}. An administrator gives out roles." if names else ""


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What cannot be read: a bad host, a broken form, too many fields."""
    return error_page(request, 400, message="The portal could not read what the browser sent. Nothing was changed.")


def handler403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What Django itself refuses."""
    return error_page(request, 403, message="This page is not for your role. Nothing was changed.")


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """No such address."""
    return error_page(request, 404, message=NOT_FOUND)


def handler500(request: HttpRequest) -> HttpResponse:
    """Our own failure. Says nothing but the request's id."""
    return error_page(
        request,
        500,
        title="Something went wrong",
        message="The portal could not answer. Nothing was changed.",
        hint="Try again. If it stays, tell whoever runs the portal the request id below.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form this browser was not given, or an old one. Signed-in senders are written down."""
    person = signed_in_person(request)
    if person is not None:
        details = {**route_of(request), "status": 403}
        audit.refuse(actor_of(request, person), Event.REQUEST_REFUSED, code="csrf", details=details)
    return error_page(
        request,
        403,
        title="This form is too old",
        message="The page was open for too long, or you have signed in anew since. Nothing was changed.",
        hint="Go back, reload the page and send it again.",
    )
