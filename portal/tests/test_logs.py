import io
import json
import logging
import uuid
from collections.abc import Iterator

import pytest
import structlog
from celery.app.log import Logging
from django.conf import LazySettings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from portal import logs, redaction, tasks  # noqa: F401  the tasks' module listens to Celery
from portal.celery import app

TOKEN = "kX9vQ2rT7wLm3NpZs8YbUc4DfGh1JkEa5Ro6Ti0Wq_A"
PIN = "837154"


def fine(request: HttpRequest, device: str) -> HttpResponse:
    logging.getLogger("devices").info("looked at %s", "it")
    return HttpResponse("ok")


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError(f"invalid literal for int() with base 10: '{PIN}'")


def bad_host(request: HttpRequest) -> HttpResponse:
    raise DisallowedHost(f"Invalid HTTP_HOST header: {TOKEN}")


urlpatterns = [
    path("v1/fine/<str:device>", fine, name="device-status"),
    path("v1/broken", broken, name="broken"),
    path("v1/bad-host", bad_host, name="bad-host"),
]


class Lines(io.StringIO):
    """What was logged, read back."""

    def all(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def one(self) -> dict[str, object]:
        (line,) = self.all()
        return line


@pytest.fixture
def lines() -> Iterator[Lines]:
    stream = Lines()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


@pytest.fixture
def client(settings: LazySettings) -> Client:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["portal.requests.RequestContextMiddleware", "portal.metrics.MetricsMiddleware"]
    return Client(raise_request_exception=False, REMOTE_ADDR="127.0.0.1")


def test_a_line_of_anybody_has_time_level_event_and_logger(lines: Lines) -> None:
    logging.getLogger("somebody.else").warning("disk %s is full", "A", extra={"percent": 99})
    line = lines.one()
    assert str(line.pop("time")).endswith("Z")
    assert line == {"level": "warning", "event": "disk A is full", "logger": "somebody.else", "percent": 99}


def test_a_line_by_structlog_looks_the_same(lines: Lines) -> None:
    structlog.get_logger("ours").warning("disk full", percent=99)
    line = lines.one()
    assert line.pop("time")
    assert line == {"level": "warning", "event": "disk full", "logger": "ours", "percent": 99}


def test_an_event_of_several_lines_is_one_line(lines: Lines) -> None:
    logging.getLogger("ours").warning("first\nsecond")
    assert lines.one()["event"] == "first\nsecond"


def test_a_traceback_in_celerys_text_is_left_out(lines: Lines) -> None:
    logging.getLogger("celery.beat").error("Couldn't apply scheduled task\nTraceback: /some/where.py")
    assert lines.one()["event"] == "Couldn't apply scheduled task"


def test_a_request_is_one_line_without_path_query_or_token(client: Client, lines: Lines) -> None:
    client.get(f"/v1/fine/351756051523999?oauth_token={TOKEN}", headers={"Authorization": f"Bearer {TOKEN}"})
    looked, request = lines.all()
    assert looked["event"] == "looked at it"
    assert looked["route"] == "device-status"
    assert request["request_id"] == looked["request_id"]
    assert (request["event"], request["method"], request["route"]) == ("request", "GET", "device-status")
    assert (request["status"], request["actor"], request["logger"]) == (200, "anonymous", "portal.request")
    assert isinstance(request["ms"], float)
    assert_hidden(lines, TOKEN, "351756051523999", "/v1")


def test_an_unknown_path_is_one_line_without_it(client: Client, lines: Lines) -> None:
    client.get(f"/nowhere/{TOKEN}?oauth_token={TOKEN}")
    line = lines.one()
    assert (line["event"], line["route"], line["status"]) == ("request", "none", 404)
    assert_hidden(lines, TOKEN, "nowhere", "oauth_token")


def test_a_fault_is_told_by_its_class_and_places_without_values(client: Client, lines: Lines) -> None:
    client.get(f"/v1/broken?oauth_token={TOKEN}")
    failed, request = lines.all()
    assert (failed["event"], failed["level"], failed["route"]) == ("request failed", "error", "broken")
    assert failed["error"] == "builtins.ValueError"
    assert failed["error_text"] == "invalid literal for int() with base 10: '…'"
    assert str(failed["trace"]).endswith(" broken']")
    assert request["status"] == 500
    assert_hidden(lines, TOKEN, PIN, "/v1")


def test_a_suspicious_request_is_told_by_its_kind(client: Client, lines: Lines) -> None:
    client.get("/v1/bad-host")
    suspicious = lines.all()[0]
    assert (suspicious["event"], suspicious["kind"]) == ("suspicious request", "DisallowedHost")
    assert (suspicious["logger"], suspicious["route"]) == ("django.security.DisallowedHost", "bad-host")
    assert_hidden(lines, TOKEN)


def assert_hidden(lines: Lines, *texts: str) -> None:
    for text in texts:
        assert text not in lines.getvalue()


@pytest.mark.parametrize("key", ["token", "access_token", "client_secret", "Password", "pin", "new-pin", "resetCode"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_value_with_the_name_of_a_secret_is_hidden(lines: Lines, key: str, wrapped: bool) -> None:
    secret: object = {key: [PIN]} if wrapped else PIN
    logging.getLogger("ours").warning("a secret", extra={"facts" if wrapped else key: secret})
    assert_hidden(lines, PIN)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        f"bearer {TOKEN}",
        "basic YW5hOnBhc3N3b3Jk",
        f"GET /api/2/devices?oauth_token={TOKEN} failed",
        f"client_secret={TOKEN}&x=1",
        f'{{"accessToken": "{TOKEN}"}}',
        f"saw {TOKEN} again",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "pin=837154",
        "code: 40319275",
        "phrase=correct-horse",
    ],
)
def test_a_secret_inside_a_text_is_hidden(lines: Lines, text: str) -> None:
    logging.getLogger("ours").warning("%s", text)
    assert redaction.HIDDEN in str(lines.one()["event"])
    assert_hidden(lines, TOKEN, "YW5hOnBhc3N3b3Jk", "eyJzdWIiOiIxIn0", PIN, "40319275", "correct-horse")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", "6f1c2a54-91c5-4a52-8a4e-3f0b9f6f7a10"),
        ("device", "DEV_3F1C2A5491C54A528A4E3F0B9F"),
        ("fingerprint", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("code", "needs-second-person"),
        ("status_code", 404),
        ("task", "outbox.deliver"),
        ("zipped", "pinned codes"),
    ],
)
def test_what_is_no_secret_is_shown(lines: Lines, key: str, value: object) -> None:
    logging.getLogger("ours").warning("fact", extra={key: value})
    assert lines.one()[key] == value


def test_an_object_is_only_named(lines: Lines) -> None:
    request = RequestFactory().get(f"/v1/{PIN}")
    known = uuid.UUID(int=1)
    logging.getLogger("ours").warning("fact", extra={"about": request, "id": known, "request": request})
    line = lines.one()
    assert (line["about"], line["id"]) == ("<WSGIRequest>", str(known))
    assert "request" not in line


def test_a_deep_or_looping_value_does_not_break_the_log(lines: Lines) -> None:
    loop: list[object] = []
    loop.append(loop)
    logging.getLogger("ours").warning("fact", extra={"loop": loop})
    assert lines.one()["event"] == "fact"


def test_tests_can_still_read_the_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("django.request").error("one")
    structlog.get_logger("ours").warning("two", fact=3)
    assert caplog.messages[0] == "one"
    assert len(caplog.records) == 2


def test_the_level_is_the_one_asked_for_and_loggers_of_secrets_are_quiet() -> None:
    configuration = logs.configuration("DEBUG")
    loggers = configuration["loggers"]
    assert isinstance(loggers, dict)
    assert configuration["root"] == {"level": "DEBUG", "handlers": ["stderr"]}
    assert {loggers[name]["level"] for name in ["oauthlib", "oauth2_provider", "django.db.backends"]} == {"WARNING"}


def test_celery_leaves_levels_and_handlers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["LOGLEVEL", "LOGFILE", "LOGFORMAT"]:
        monkeypatch.setenv(f"_MP_FORK_{name}_", "")  # Celery sets them; this puts them back
    monkeypatch.setattr(Logging, "_setup", False)
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("celery").handlers)
    Logging(app).setup_logging_subsystem(loglevel="ERROR")
    assert (root.level, list(root.handlers), logging.getLogger("celery").handlers) == before
