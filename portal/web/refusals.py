"""What the portal answers when an operation says no, and the one audit event that tells of it."""

from collections.abc import Mapping
from typing import Final

from django.db import models
from django.http import HttpRequest

from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import errors
from portal.core.actor import Actor
from portal.core.errors import DomainError

STATUS: Final[Mapping[type[DomainError], int]] = {
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.InvalidState: 409,
    errors.Expired: 410,
    errors.VerificationFailed: 422,
    errors.RateLimited: 429,
    errors.Locked: 423,
    errors.ApprovalRequired: 409,
    errors.Unavailable: 503,
}


def status_of(error: DomainError) -> int:
    """The status of an error, by the nearest class in `STATUS`."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)


def write_refusal(request: HttpRequest, actor: Actor, error: DomainError, about: models.Model | None = None) -> None:
    """Write who was refused what at the portal, and by which rule. Call it once, after the operation rolled back.

    Nothing is written for our own failures (5xx) and for errors whose operation wrote its own event. Calls over a
    limit leave one event per caller and minute.
    """
    status = status_of(error)
    if status >= 500 or getattr(error, "audited", False):
        return
    details: dict[str, object] = {**route_of(request), "status": status}
    if isinstance(error, errors.RulesBroken):
        details["rules"] = [finding.rule for finding in error.findings]
    if isinstance(error, errors.RateLimited):
        audit.refuse_limited(actor, Event.REQUEST_REFUSED, code=error.code, details=details)
        return
    audit.refuse(
        actor,
        Event.REQUEST_REFUSED,
        code=error.code,
        object_type=str(about._meta.model_name) if about else "",
        object_id=str(about.pk) if about else "",
        object_label=str(about) if about else "",
        details=details,
    )


def route_of(request: HttpRequest) -> dict[str, object]:
    """The method and the route's name, never the path: it may hold an identifier."""
    match = request.resolver_match
    return {"method": request.method, "route": match.view_name if match else ""}
