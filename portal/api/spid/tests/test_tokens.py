"""The three places of a token, and that none of them leaves a trace."""

import io
import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory

from devices.models import Device
from devices.tests.factories import make_token
from portal.accounts.models import User
from portal.api.dialect import FORM, JSON
from portal.api.registry import MOUNTED
from portal.api.spid.tests.knocking import DEVICES, SAMPLE, send, turned_away
from portal.api.spid.tokens import tokens_of
from portal.api.tests.doors import ADIBA, ASSECO
from portal.audit.models import AuditEvent
from portal.logs import formatter
from portal.models import StoredAnswer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def token(ada: User) -> str:
    return make_token(user=ada)


def test_it_is_read_in_the_header_the_query_and_the_form(token: str) -> None:
    answers = [
        send(bearer=token),
        send(query={"oauth_token": token}),
        send(token),
        send(body=json.dumps({**SAMPLE, "oauth_token": token}).encode(), label=JSON),
    ]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["hash"] for answer in answers}) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(scheme: str, token: str) -> None:
    assert send(headers={"Authorization": f"{scheme} {token}"}).status_code == 201


def test_the_same_token_in_all_places_is_one(token: str) -> None:
    assert send(token, bearer=token, query={"oauth_token": token}).status_code == 201


def test_an_empty_place_is_no_place(token: str) -> None:
    assert send(bearer=token, query={"oauth_token": ""}, oauth_token="").status_code == 201


@pytest.mark.parametrize("places", [("bearer", "query"), ("bearer", "form"), ("query", "form")])
def test_two_tokens_at_once_are_refused_whosever_they_are(places: tuple[str, str], token: str, ada: User) -> None:
    for other in (make_token(user=ada), "never-seen"):
        tokens = dict(zip(places, (token, other), strict=True))
        query = {"oauth_token": tokens["query"]} if "query" in tokens else None
        events = AuditEvent.objects.count()
        response = send(tokens.get("form", ""), bearer=tokens.get("bearer", ""), query=query)
        assert response.status_code == 400
        assert response.json()["error"] == {
            "code": 400,
            "type": "ApiException",
            "description": "Invalid payload data: Several access tokens came with one call.",
        }
        assert AuditEvent.objects.count() == events + 1
        event = AuditEvent.objects.latest("id")
        assert (event.event, event.code, event.actor_kind) == ("request.refused", "several-tokens", "anonymous")
        assert event.actor_label.startswith("tokens ")
        assert token not in str(AuditEvent.objects.filter(pk=event.pk).values())


def test_two_tokens_in_one_place_are_refused_too(token: str) -> None:
    body = f"oauth_token={token}&oauth_token=other&{urlencode(SAMPLE)}".encode()
    assert send(body=body).status_code == 400
    assert (
        Client().post(f"{DEVICES}?oauth_token={token}&oauth_token=other", urlencode(SAMPLE), FORM).status_code == 400
    )
    assert set(AuditEvent.objects.values_list("code", flat=True)) == {"several-tokens"}


def test_the_same_token_twice_in_one_place_is_a_field_that_comes_twice(token: str) -> None:
    with turned_away("form-duplicate-field", who="Ada"):
        response = send(body=f"oauth_token={token}&oauth_token={token}&{urlencode(SAMPLE)}".encode())
    assert response.json()["error"]["description"] == "Invalid payload data: A field comes more than once."
    with turned_away("invalid-input", who="Ada"):
        response = Client().post(f"{DEVICES}?oauth_token={token}&oauth_token={token}", urlencode(SAMPLE), FORM)
    assert response.json()["error"]["description"] == "Invalid payload data: oauth_token: This comes more than once."


@pytest.mark.parametrize("mounted", MOUNTED, ids=lambda mounted: mounted.dialect.name)
def test_no_other_dialect_reads_it_in_query_or_body(mounted: Any) -> None:
    request = RequestFactory().post(
        f"/{mounted.mount}x?oauth_token=abc", {"oauth_token": "def"}, headers={"Authorization": "Bearer ghi"}
    )
    request.META["CONTENT_TYPE"] = FORM
    found = mounted.dialect.tokens_of(request)
    assert (found == ("ghi",)) == (mounted.dialect.name != "spid")


def test_a_token_in_the_query_opens_no_other_door(token: str, phone: Device) -> None:
    for path in (ASSECO, ADIBA, "/device/v1/devices"):
        assert Client().get(f"{path}?oauth_token={token}").status_code == 401


class Logged(logging.Handler):
    """Every line of every logger, as it would stand in the log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.stream = io.StringIO()
        self.setFormatter(formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(self.format(record) + record.getMessage() + "\n")


def test_no_token_stands_in_a_log_line_an_event_or_a_stored_answer(
    token: str, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(**values: object) -> None:
        raise ZeroDivisionError("broken")

    logged, root = Logged(), logging.getLogger()
    # Statements with their parameters are a level of their own, which is off for everybody (docs/operating.md).
    logging.getLogger("django.db.backends").setLevel(logging.WARNING)
    before = root.level
    root.addHandler(logged)
    root.setLevel(logging.DEBUG)
    try:
        for path in (DEVICES, f"{DEVICES}.json", f"{DEVICES}/", "/api/2/nothing"):
            send(path=path, query={"oauth_token": token}, headers={"Idempotency-Key": "k"})
            send(path=path, query={"oauth_token": token}, platform="x")
            send(token, path=path, query={"oauth_token": "unknown-token-text"})
            send(path=path, query={"oauth_token": token, "surprise": "1", "client_secret": "the-secret-text"})
            send(path=path, verb="GET", query={"oauth_token": token}, body=b"")
        send(query={"oauth_token": token}, headers={"Host": "elsewhere.example"})
        with monkeypatch.context() as broken:
            broken.setattr("portal.api.spid.views.record_fingerprint", failing)
            assert send(query={"oauth_token": token}).status_code == 500
    finally:
        root.removeHandler(logged)
        root.setLevel(before)
    lines = logged.stream.getvalue()
    assert '"route": "spid:devices"' in lines
    kept = lines + str(list(AuditEvent.objects.values())) + str(list(StoredAnswer.objects.values()))
    for secret in (token, "unknown-token-text", "the-secret-text"):
        assert secret not in kept


def test_what_cannot_be_read_has_no_token() -> None:
    factory = RequestFactory()
    for body, label in [
        (b"oauth_token=%ff", FORM),
        (b"\xff", FORM),
        (b"a=1&" * 60 + b"oauth_token=x", FORM),
        (b'{"oauth_token": 1}', JSON),
        (b'{"oauth_token": "x"', JSON),
        (b'["oauth_token"]', JSON),
        (b"oauth_token=x", "text/plain"),
        (b"oauth_token=" + b"x" * 70_000, FORM),
        (b"", JSON),
    ]:
        assert tokens_of(factory.post(DEVICES, body, content_type=label)) == (), body[:40]
    many = "&".join(f"a{number}=1" for number in range(300))
    assert tokens_of(factory.get(f"{DEVICES}?{many}&oauth_token=x")) == ()


def test_a_query_with_too_many_parameters_is_a_400_for_who_is_known(token: str) -> None:
    many = {f"a{number}": "1" for number in range(300)}
    with turned_away("bad-request", who="Ada"):
        response = send(bearer=token, query=many)
    assert response.status_code == 400
    assert response.json()["error"]["description"].startswith("Invalid payload data")
