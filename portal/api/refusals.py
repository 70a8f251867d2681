"""One audit event for each refusal whose caller showed a bearer, written after the operation was rolled back."""

import logging

from django.db import Error as DatabaseProblem
from django.db import models
from django.http import HttpRequest

from portal.api.auth import Bearer, identify
from portal.api.dialect import Dialect, Refusal
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import RateLimited, Unauthenticated
from portal.metrics import METHODS

logger = logging.getLogger("portal.api")


def write_event(
    request: HttpRequest, dialect: Dialect, error: Exception, refusal: Refusal, about: models.Model | None
) -> None:
    """Write who was refused what, and by which rule.

    Nothing is written for callers without a bearer, and for errors whose operation has written its own event
    (`error.audited`). Calls over the limit leave one event per caller and minute.
    """
    if getattr(error, "audited", False):
        return
    bearer = _bearer(request, dialect)
    if bearer is None:
        return
    event = Event.TOKEN_REFUSED if isinstance(error, Unauthenticated) else Event.REQUEST_REFUSED
    details = _details(request, refusal)
    if isinstance(error, RateLimited):
        audit.refuse_limited(bearer.actor, event, code=refusal.code, details=details)
    else:
        _refuse(bearer.actor, event, refusal, details, about)


def write_replay(request: HttpRequest, actor: Actor, status: int) -> None:
    """Write that a caller got an earlier refusal again, by its Idempotency-Key."""
    audit.refuse(actor, Event.REQUEST_REFUSED, code="refusal-replayed", details=_route(request, status))


def _bearer(request: HttpRequest, dialect: Dialect) -> Bearer | None:
    try:
        return identify(request, dialect)
    except DatabaseProblem:
        logger.exception("a refused caller could not be looked up")
        return None


def _refuse(
    actor: Actor, event: Event, refusal: Refusal, details: dict[str, object], about: models.Model | None
) -> None:
    audit.refuse(
        actor,
        event,
        code=refusal.code,
        object_type=str(about._meta.model_name) if about else "",
        object_id=str(about.pk) if about else "",
        object_label=str(about) if about else "",
        details=details,
    )


def _details(request: HttpRequest, refusal: Refusal) -> dict[str, object]:
    """The route's name, never the path: it may hold an identifier. Of fields, our names and the rule."""
    details = _route(request, refusal.status)
    if refusal.fields:
        details["fields"] = [
            problem.code if problem.code == "unknown-field" else f"{problem.field}: {problem.code}"
            for problem in refusal.fields
        ]
    if refusal.findings:
        details["rules"] = [finding.rule for finding in refusal.findings]
    return details


def _route(request: HttpRequest, status: int) -> dict[str, object]:
    """A method that nobody has is somebody's text, and is not repeated."""
    match = request.resolver_match
    method = request.method if request.method in METHODS else "other"
    return {"method": method, "route": match.view_name if match else "", "status": status}
