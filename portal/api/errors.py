"""From an exception to a refusal that any dialect can write."""

import logging
from collections.abc import Mapping

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework.exceptions import APIException

from portal.api.dialect import Dialect, Refusal
from portal.core.errors import (
    DomainError,
    Forbidden,
    InvalidInput,
    RateLimited,
    RulesBroken,
    Unauthenticated,
    Unavailable,
)
from portal.core.json import BadJSON
from portal.ratelimit import Rate

logger = logging.getLogger("portal.api")

SECONDS_UNTIL_RETRY = 5  # our own guess of how long a database or cache needs to come back

# What HTTP itself can refuse: rule id and sentence, by status. The sentence quotes nothing that was sent.
PLAIN: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "The request cannot be read."),
    403: ("forbidden", "You are not allowed to do this."),
    404: ("not-found", "There is nothing at this address."),
    405: ("method-not-allowed", "This address does not know the method."),
    413: ("too-large", "The body is too large."),
    415: ("unsupported-media-type", "The body has to be JSON, labelled application/json."),
    500: ("server-error", "Something went wrong on our side."),
    503: ("unavailable", "The service is not available right now."),
}


class DoorError(Exception):
    """A refusal by the door itself, before any operation. `status` is a key of `PLAIN`."""

    def __init__(self, status: int, *, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        super().__init__(PLAIN[status][1])


def plain(status: int, *, headers: Mapping[str, str] | None = None, request_id: str = "") -> Refusal:
    """The refusal for an HTTP status that nothing more is known of."""
    code, message = PLAIN.get(status) or PLAIN[500 if status >= 500 else 400]
    return Refusal(status=status, code=code, message=message, headers=headers or {}, request_id=request_id)


def refusal_of(error: Exception, dialect: Dialect, *, request_id: str = "") -> Refusal:
    """What to answer. An exception nobody foresaw is logged with its traceback and tells the caller nothing."""
    match error:
        case DomainError():
            return _domain(error, dialect, request_id)
        case BadJSON():
            return Refusal(status=400, code=error.code, message=error.message)
        case DoorError():
            return plain(error.status, headers=error.headers)
        case OperationalError() | InterfaceError():
            logger.exception("the database does not answer", extra={"request_id": request_id})
            return plain(503, headers={"Retry-After": str(SECONDS_UNTIL_RETRY)}, request_id=request_id)
        case Http404():
            return plain(404)
        case PermissionDenied():
            return plain(403)
        case RequestDataTooBig():
            return plain(413)
        case BadRequest() | SuspiciousOperation() | UnreadablePostError():
            return plain(400)
        case APIException():
            return plain(error.status_code, request_id=request_id)
        case _:
            logger.error("an API call failed", exc_info=error, extra={"request_id": request_id})
            return plain(500, request_id=request_id)


def _domain(error: DomainError, dialect: Dialect, request_id: str) -> Refusal:
    return Refusal(
        status=dialect.status_of(error),
        code=error.code,
        message=error.message,
        fields=error.fields if isinstance(error, InvalidInput) else (),
        findings=error.findings if isinstance(error, RulesBroken) else (),
        headers=_headers(error, dialect),
        request_id=request_id,
        rate=_rate(error),
    )


def _rate(error: DomainError) -> Rate | None:
    """Of a caller that has no call left."""
    limit = error.details.get("limit")
    return Rate(limit, 0, error.retry_after) if isinstance(error, RateLimited) and isinstance(limit, int) else None


def _headers(error: DomainError, dialect: Dialect) -> dict[str, str]:
    match error:
        case Unauthenticated():  # RFC 6750 3.1: without a token no error is named
            return {"WWW-Authenticate": 'Bearer error="invalid_token"' if error.bearer_sent else "Bearer"}
        case Forbidden() if error.code == "insufficient-scope":
            return {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
        case Forbidden() if dialect.status_of(error) == 401:  # 401 names a challenge (RFC 9110 11.6.1)
            return {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
        case RateLimited():
            return {"Retry-After": str(error.retry_after)}
        case Unavailable():
            return {"Retry-After": str(SECONDS_UNTIL_RETRY)}
        case _:
            return {}
