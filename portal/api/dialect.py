"""What makes a dialect: the few things in which one client's wire differs from another's."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers

from portal.api.bearers import Reader, from_header
from portal.api.spelling import Spelling
from portal.core.actor import ActorKind, Channel
from portal.core.errors import ApprovalRequired, BrokenRule, DomainError, FieldProblem
from portal.ratelimit import Rate

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


_PHRASES = {
    413: "Content Too Large",
    420: "Request Ratelimit Exceeded",
    422: "Unprocessable Content",
    440: "Business Rule Broken",
}


def phrase(status: int) -> str:
    """The status in words (RFC 9110); the same on every version of Python."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A call that is refused, in no dialect yet.

    code: kebab-case rule id. fields: names as operations and serializers know them; an unknown field's as it was
    sent. findings: rules of its own kind that the input breaks. headers: those that every dialect sends. rate: of the
    caller, where its call was counted.
    """

    status: int
    code: str
    message: str
    fields: tuple[FieldProblem, ...] = ()
    findings: tuple[BrokenRule, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    rate: Rate | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many calls one token has. setting: the name of the setting that says it; window: in seconds."""

    name: str
    setting: str
    window: int


A_MINUTE = Limit(name="api", setting="API_CALLS_PER_MINUTE", window=60)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How a dialect tells that a call is stored and waits for a second person: 202, which is no refusal.

    path: where the caller asks what became of it, `{}` for the request's id. answer: writes the body out of the
    ApprovalRequired.
    """

    path: str
    answer: type[serializers.Serializer[Any]]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One client's way of writing.

    paths: the paths (with the leading slash) that answer in this dialect, also those that do not exist.
    problem_names: what operations call a field → what the wire does, where the spelling does not give it.
    statuses: HTTP status by class of error; every class has one. statuses_by_code: the exceptions, by rule id.
    error_body: the body of a refusal, in wire names, or the text itself. error_type: its media type.
    error_serializers: the same for the schema, by status, and for all other statuses under 0; empty where there is
    no schema.
    body_types: media types a body may be labelled with; empty means that the label is not looked at. A body labelled
    as a form (`FORM`) is read as one, any other as JSON.
    tokens_of: finds the tokens that a call shows. bearers: the kinds of callers it is for. dead_tokens: the rule id
    of a dead token by its reason, where that is told; without one it is `unauthorized`. limit: of one token's calls.
    waiting: None where no call can wait for a second person; it is then refused as `statuses` says.
    """

    name: str
    channel: Channel
    title: str
    about: str
    paths: re.Pattern[str]
    spelling: Spelling
    statuses: Mapping[type[DomainError], int]
    error_body: Callable[[Refusal], Mapping[str, object] | str]
    error_serializers: Mapping[int, type[serializers.Serializer[object]]] = field(default_factory=dict)
    problem_names: Mapping[str, str] = field(default_factory=dict)
    statuses_by_code: Mapping[str, int] = field(default_factory=dict)
    error_type: str = JSON
    body_types: tuple[str, ...] = (JSON,)
    tokens_of: Reader = from_header
    bearers: frozenset[ActorKind] = frozenset(ActorKind)
    dead_tokens: Mapping[str, str] = field(default_factory=dict)
    limit: Limit = A_MINUTE
    waiting: Waiting | None = None

    def status_of(self, error: DomainError) -> int:
        """The HTTP status of a domain error: by its rule id, else by its class."""
        if error.code in self.statuses_by_code:
            return self.statuses_by_code[error.code]
        return next(self.statuses[kind] for kind in type(error).__mro__ if kind in self.statuses)

    def field_name(self, problem: FieldProblem) -> str:
        """The field of a problem as the wire spells it; an unknown one as it was sent, cut to 64 characters."""
        if problem.code == "unknown-field":
            return problem.field[:64]
        if not problem.field:
            return ""
        return self.problem_names.get(problem.field) or self.spelling.name(problem.field)

    def answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """An answer; the keys of `body` are ours and are spelled here."""
        return respond(status, self.spelling.body(body), JSON, headers)

    def wait(self, error: ApprovalRequired) -> HttpResponse | None:
        """The answer to a call that waits for a second person now; None where this dialect has none."""
        if self.waiting is None:
            return None
        location = self.waiting.path.format(error.request_id)
        return self.answer(202, self.waiting.answer(error).data, {"Location": location})

    def refuse(self, refusal: Refusal) -> HttpResponse:
        """A refusal in this dialect's form."""
        body = self.error_body(refusal)
        if not isinstance(body, str):
            return respond(refusal.status, body, self.error_type, refusal.headers)
        response = respond(refusal.status, None, headers=refusal.headers)
        response["Content-Type"] = self.error_type
        response.content = body.encode()
        return response


def respond(
    status: int, body: object, content_type: str = JSON, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """JSON, never kept by anybody on the way (RFC 9111 5.2.2.5). `None` is an empty body, without a type."""
    response = HttpResponse(status=status, content_type=content_type)
    if body is None:
        del response["Content-Type"]
    else:
        response.content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response
