"""The view behind every endpoint of every dialect.

A view says which scopes open it and, for each method, what it takes and answers (`Call`); the machinery here does
the rest: the caller, the size of the body, strict input, stored answers, refusals in the dialect's form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from django.db import Error as DatabaseProblem
from django.db import models
from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView

from portal import metrics
from portal.accounts.models import AccessToken
from portal.api import once
from portal.api.auth import authenticate, count_stray
from portal.api.body import read_bytes, read_object, require_size
from portal.api.dialect import Dialect, respond
from portal.api.errors import DoorError, refusal_of
from portal.api.prefer import wants_representation
from portal.api.refusals import write_event
from portal.api.serializing import Input, Output, Values, names_of, read
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, DomainError, FieldProblem, InvalidInput
from portal.ratelimit import Rate
from portal.requests import request_id

METHODS = ("get", "post", "put", "patch", "delete")

type Handler = Callable[..., HttpResponse]


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one method of one endpoint takes and answers. The machinery and the schema both read it.

    status: of the answer when all goes well. answer: None is an empty body. representation: what a caller that
    prefers one gets instead of an empty answer. refusals: statuses that this call may answer besides those that
    every call may. headers: of the answer, by name, with what they say. may_wait: whether it may be answered with
    202, because a second person has to approve it.
    """

    summary: str
    status: int = 200
    answer: type[Output] | None = None
    representation: type[Output] | None = None
    body: type[Input] | None = None
    body_required: bool = True
    query: type[Input] = Input
    refusals: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    may_wait: bool = False


def serves(call: Call) -> Callable[[Handler], Handler]:
    """Say what a method takes and answers."""

    def mark(handler: Handler) -> Handler:
        handler.call = call  # type: ignore[attr-defined]
        return handler

    return mark


def call_of(handler: Handler) -> Call:
    call: Call = handler.call  # type: ignore[attr-defined]
    return call


class DialectView(APIView):
    """One endpoint.

    required_scopes: for all methods, or by method ("GET"); one of them is enough. secret_body: a POST's body holds a
    PIN or a code, so that with an Idempotency-Key neither body nor answer is kept. secret_answer: the answer holds a
    key: it is given once, and a repeat with the same Idempotency-Key finds none. without_token: it says itself who
    calls (`knock`). keeps_answers: whether an Idempotency-Key counts here at all. A handler gets the path's
    arguments; `self.actor` is the caller, `self.values` the body's values, `self.query` the query's.
    """

    dialect: ClassVar[Dialect]
    required_scopes: ClassVar[frozenset[str] | Mapping[str, frozenset[str]]] = frozenset()
    secret_body: ClassVar[bool] = False
    secret_answer: ClassVar[bool] = False
    without_token: ClassVar[bool] = False
    keeps_answers: ClassVar[bool] = True

    http: HttpRequest
    actor: Actor  # from the moment the token has opened the endpoint
    token: AccessToken
    rate: Rate | None = None  # of the caller, from the moment its call is counted
    query: Values
    values: Values

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A view that forgot its scopes or its call fails when it is written, not when it is called."""
        super().__init_subclass__(**kwargs)
        for name in METHODS:
            handler = getattr(cls, name, None)
            if handler is None:
                continue
            if not cls.without_token and not cls.scopes_for(name.upper()):
                raise TypeError(f"{cls.__name__}.{name} names no scope")
            if not hasattr(handler, "call"):
                raise TypeError(f"{cls.__name__}.{name} does not say what it takes and answers")

    @classmethod
    def scopes_for(cls, method: str) -> frozenset[str]:
        if isinstance(cls.required_scopes, Mapping):
            return cls.required_scopes.get("GET" if method == "HEAD" else method, frozenset())
        return cls.required_scopes

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Answer in JSON whatever the caller accepts: these clients send all sorts of Accept."""
        self.http, self.args, self.kwargs = request, args, kwargs
        self.values, self.query = {}, {}
        try:
            return self._serve(request)
        except Exception as error:  # noqa: BLE001  the last line before the server
            return self.handle_exception(error)

    def _serve(self, request: HttpRequest) -> HttpResponse:
        method = str(request.method)
        handler = self._handler(method)
        if method == "OPTIONS":
            return respond(204, None, headers={"Allow": self.allow})
        if handler is None:
            count_stray(request, self.dialect)
            raise DoorError(405, headers={"Allow": self.allow})
        self.knock(method)
        request.actor = self.actor  # type: ignore[attr-defined]  # for the request log
        self.admit()
        require_size(request)
        data = read_bytes(request) if call_of(handler).body else b""
        work = partial(self._answer, request, handler, data)
        if not self.keeps_answers:
            return work()
        return once.answer(request, self.actor, data, work, secret=self.secret_body, kept=not self.secret_answer)

    def knock(self, method: str) -> None:
        """Find out who calls: by default by the token. Raises DomainError."""
        self.actor, self.token, self.rate = authenticate(self.http, self.dialect, self.scopes_for(method))

    def admit(self) -> None:
        """What a dialect asks of a caller besides its token. Raises DomainError."""

    def _handler(self, method: str) -> Handler | None:
        name = "get" if method == "HEAD" else method.lower()
        handler: Handler | None = getattr(self, name, None) if name in METHODS else None
        return handler

    def _answer(self, request: HttpRequest, handler: Handler, data: bytes) -> HttpResponse:
        call = call_of(handler)
        try:
            self.query = self._read_query(request, call.query)
            if call.body:
                sent = read_object(request, data, self.dialect.body_types, required=call.body_required)
                self.values = read(call.body, sent, self.dialect.spelling)
            return handler(**self.kwargs)
        except Exception as error:  # noqa: BLE001
            return self.handle_exception(error)

    def _read_query(self, request: HttpRequest, kind: type[Input]) -> Values:
        """A parameter that is not declared, or comes twice, is refused: ignored, it would change the question."""
        names = {self.dialect.spelling.name(name): name for name in names_of(kind)}
        twice = [name for name, values in request.GET.lists() if len(values) > 1]
        if twice:
            raise InvalidInput(
                fields=tuple(
                    FieldProblem(names[name], "invalid-format", "This comes more than once.")
                    if name in names
                    else FieldProblem(name, "unknown-field", "There is no such parameter.")
                    for name in twice
                )
            )
        return read(kind, request.GET.dict(), self.dialect.spelling)

    @property
    def allow(self) -> str:
        """The methods of this endpoint, for the Allow header."""
        offered = [name.upper() for name in METHODS if hasattr(self, name)]
        return ", ".join([*offered, *(["HEAD"] if "GET" in offered else []), "OPTIONS"])

    def answer(self, body: Output, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """The answer, spelled as this dialect does."""
        return self.dialect.answer(status, body.data, headers)

    def no_content(self, representation: Callable[[], Output]) -> HttpResponse:
        """An empty 204, or 200 with the representation for a caller that prefers one (RFC 7240 4.2)."""
        if wants_representation(self.http):
            return self.answer(representation(), headers={"Preference-Applied": "return=representation"})
        return respond(204, None)

    def about(self, actor: Actor) -> models.Model | None:
        """What a refused call named, for the audit log; only what the caller may know of. Raises DomainError."""
        return None

    def _about(self, status: int) -> models.Model | None:
        if "actor" not in vars(self) or status == 404:
            return None
        try:
            return self.about(self.actor)
        except (DomainError, DatabaseProblem):
            return None


def handle_exception(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler: one refusal, one event, the dialect's own form.

    What waits for a second person now is no refusal: the operation has written who asked for what.
    """
    view: DialectView = context["view"]
    request = view.http
    if isinstance(error, ApprovalRequired) and (waits := view.dialect.wait(error)):
        return waits
    refusal = refusal_of(error, view.dialect, request_id=request_id(request))
    refusal = replace(refusal, rate=refusal.rate or view.rate)
    metrics.count_refusal(view.dialect.name, refusal.code)
    if refusal.status < 500:
        write_event(request, view.dialect, error, refusal, view._about(refusal.status))
    return view.dialect.refuse(refusal)
