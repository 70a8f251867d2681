"""Logs: one JSON object a line on stderr, for our own lines and everybody else's.

Each has time, level, event and logger; within a request also request_id and route. Names of routes, never paths or
queries. This module is imported while the settings load, so it imports no Django.
"""

import logging
import traceback
from types import TracebackType
from typing import Protocol, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from portal import redaction

_FRAMES = 12  # innermost calls of a traceback
# Whole objects in Django's and Celery's lines, and the text as another handler's formatter put it on the record.
_DROPPED = frozenset({"request", "response", "data", "message", "asctime"})
_OWN_REPORT = ("django.request", "django.security")  # loggers whose text is a path or a caller's input
_PROBES = frozenset({"healthz", "readyz", "metrics"})

_request_log = logging.getLogger("portal.request")


def configuration(level: str) -> dict[str, object]:
    """Django's LOGGING for one level ("INFO", …); also sets structlog up, so that both write the same lines."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    quiet = {"level": "WARNING"}
    silent: dict[str, object] = {"handlers": [], "propagate": True}  # undoes Django's own handlers
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "django": silent,
            "django.server": silent,
            "django.request": {"level": "ERROR"},  # 4xx: the line of the request says it
            "django.db.backends": quiet,  # statements with their parameters
            "oauthlib": quiet,  # requests with their credentials
            "oauth2_provider": quiet,
            "httpx": quiet,  # addresses with their queries
            "httpcore": quiet,  # headers with their tokens, and so has hpack
            "hpack": quiet,
            "axes": {"level": "ERROR"},  # the audit log says it
            "celery": quiet,  # two lines for each task, several tasks a second
            "kombu": quiet,
        },
    }


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """The formatter of every handler."""
    foreign: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        _report_of_django,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=foreign,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _problem,
            _one_line,
            _redacted,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _report_of_django(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Our own words for lines whose text is a path or a header, and no whole objects."""
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    if record.name.startswith(_OWN_REPORT):
        failed = record.levelno >= logging.ERROR and record.name == "django.request"
        event["event"] = "request failed" if failed else "suspicious request"
        event["route"] = route_of(event.get("request"))
        if not failed:
            event["kind"] = record.name.rpartition(".")[2]
    for extra in _DROPPED:
        event.pop(extra, None)
    return event


def _problem(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """An exception as its class, its cleaned text and the places it went through: no values, no source lines."""
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        event["error_text"] = redaction.clean_problem(str(error))
        event["trace"] = _places(error.__traceback__)
    return event


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]


def _one_line(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Celery puts a whole traceback, with its paths, behind the first line of its text."""
    if str(event.get("logger", "")).startswith("celery"):
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _redacted(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    return {key: redaction.clean(value, key) for key, value in event.items()}


class _Match(Protocol):
    view_name: str


def route_of(request: object) -> str:
    """The name of the route that answers a request, e.g. `web:sign-in`; "none" where no route matched."""
    match = cast(_Match | None, getattr(request, "resolver_match", None))
    return (match.view_name if match else "") or "none"


def log_request(*, method: str, route: str, status: int, milliseconds: float, actor: str) -> None:
    """The one line of a request. Probes are worth a line only when somebody looks for them."""
    level = logging.DEBUG if route in _PROBES else logging.INFO
    extra = {"method": method, "route": route, "status": status, "ms": round(milliseconds, 1), "actor": actor}
    _request_log.log(level, "request", extra=extra)
