"""Every refusal there can be, in every dialect."""

import json
import re
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from portal.accounts.sessions import NoSession, PortalSessionMiddleware
from portal.api.dialect import Dialect
from portal.api.errors import PLAIN, DoorError, refusal_of
from portal.api.est.wire import DIALECT as EST
from portal.api.registry import MOUNTED, dialect_of_path
from portal.core.errors import (
    ALL_ERRORS,
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    RateLimited,
    RulesBroken,
    Unauthenticated,
)
from portal.core.json import BadJSON
from portal.core.tests.errors import made

DIALECTS = [mounted.dialect for mounted in MOUNTED]
JSON_DIALECTS = [mounted.dialect for mounted in MOUNTED if mounted.has_schema]
STATUSES = {
    "asseco": [400, 400, 401, 403, 404, 440, 440, 440, 403, 429, 403, 440, 503],
    "hyphen": [400, 400, 401, 403, 404, 409, 409, 409, 403, 429, 423, 409, 503],
    "spid": [400, 400, 401, 403, 404, 409, 409, 410, 403, 420, 423, 409, 503],
    "peere": [400, 400, 401, 403, 404, 409, 409, 410, 403, 429, 423, 409, 503],
    "adiba": [400, 422, 401, 403, 404, 409, 409, 410, 403, 429, 423, 409, 503],
    "est": [400, 400, 401, 403, 404, 409, 409, 410, 403, 429, 423, 409, 503],
}
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
with_keys = pytest.mark.parametrize("dialect", JSON_DIALECTS, ids=lambda dialect: dialect.name)


def refused(error: Exception, dialect: Dialect, **values: Any) -> tuple[int, Any, dict[str, str]]:
    """The body of EST is its text, of all others what the JSON says."""
    response = dialect.refuse(refusal_of(error, dialect, **values))
    assert response["Content-Type"] == dialect.error_type
    assert response["Cache-Control"] == "no-store"
    text = response.content.decode()
    return response.status_code, text if dialect is EST else json.loads(text), dict(response.items())


def has_form(dialect: Dialect, status: int, body: Any) -> bool:
    if dialect is EST:
        return re.fullmatch(r"([a-z-]+: .+|[a-z-]+\n([a-z-]+: .+ \(.+\)\n)+)\n?", body) is not None
    serializer = dialect.error_serializers.get(status) or dialect.error_serializers[0]
    needed = {dialect.spelling.name(str(name)) for name, field in serializer().fields.items() if field.required}
    return needed <= set(body)


def test_no_dialect_opens_by_a_cookie() -> None:
    for mounted in MOUNTED:
        request = RequestFactory().get(f"/{mounted.mount}x")
        PortalSessionMiddleware(lambda _: HttpResponse()).process_request(request)
        assert isinstance(request.session, NoSession), mounted.dialect.name


@every_dialect
def test_each_class_of_error_has_a_status_and_the_dialects_form(dialect: Dialect) -> None:
    answers = [refused(made(kind), dialect) for kind in ALL_ERRORS]
    assert [status for status, _, _ in answers] == STATUSES[dialect.name]
    for status, body, _ in answers:
        assert has_form(dialect, status, body), body


@every_dialect
@pytest.mark.parametrize("status", sorted(PLAIN))
def test_what_http_itself_refuses_has_the_dialects_form(dialect: Dialect, status: int) -> None:
    answered, body, _ = refused(DoorError(status), dialect)
    assert answered == status
    assert has_form(dialect, status, body), body
    assert PLAIN[status][1] in json.dumps(body)


@with_keys
@pytest.mark.parametrize(
    ("code", "status"), [("idempotency-key-reused", 422), ("idempotency-key-in-use", 409), ("answer-not-kept", 409)]
)
def test_idempotency_keys_have_statuses_of_their_own(dialect: Dialect, code: str, status: int) -> None:
    kind = InvalidInput if status == 422 else Conflict
    assert refused(kind("Told.", code=code), dialect)[0] == status


@every_dialect
def test_headers_that_every_dialect_sends(dialect: Dialect) -> None:
    assert refused(Unauthenticated(), dialect)[2]["WWW-Authenticate"] == "Bearer"
    assert (
        refused(Unauthenticated(bearer_sent=True), dialect)[2]["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    )
    challenge = refused(Forbidden(code="insufficient-scope"), dialect)[2]["WWW-Authenticate"]
    assert challenge == 'Bearer error="insufficient_scope"'
    assert "WWW-Authenticate" not in refused(Forbidden(), dialect)[2]
    assert refused(RateLimited(retry_after=17), dialect)[2]["Retry-After"] == "17"


@every_dialect
def test_an_unforeseen_exception_tells_its_request_id_and_nothing_else(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    status, body, _ = refused(RuntimeError("SELECT secret FROM /srv/app"), dialect, request_id="0123abcd")
    assert status == 500
    text = json.dumps(body)
    assert "0123abcd" in text
    assert "secret" not in text
    assert "/srv" not in text
    assert "SELECT secret FROM /srv/app" in caplog.text


def test_fields_are_named_as_each_wire_has_them() -> None:
    problems = (
        FieldProblem("external_id", "max-length", "Too long."),
        FieldProblem("device_id", "required", "This is required."),
        FieldProblem("deviceID", "unknown-field", "There is no such field."),
    )
    by_name = {dialect.name: refused(InvalidInput(fields=problems), dialect)[1] for dialect in JSON_DIALECTS}
    asseco, adiba = (by_name[name]["errors"] for name in ("asseco", "adiba"))
    assert by_name["spid"]["error"]["description"] == (
        "Invalid payload data: externalId: Too long. deviceId: This is required. deviceID: There is no such field."
    )
    assert by_name["peere"]["message"] == (
        "externalId: Too long. deviceId: This is required. deviceID: There is no such field."
    )
    assert asseco == [
        {"tag": "external-device-identifier", "error": "max-length", "message": "Too long."},
        {"tag": "device-id", "error": "required", "message": "This is required."},
        {"tag": "deviceID", "error": "not-on-list", "message": "There is no such field."},
    ]
    assert adiba == [
        {"field": "externalId", "code": "max-length", "message": "Too long."},
        {"field": "deviceId", "code": "required", "message": "This is required."},
        {"field": "deviceID", "code": "unknown-field", "message": "There is no such field."},
    ]


def test_rules_that_an_input_breaks_are_named_where_requests_are_read() -> None:
    by_name = {dialect.name: refused(made(RulesBroken), dialect)[1] for dialect in DIALECTS}
    finding = {"rule": "rsa-too-short", "message": "The key is too short.", "source": "SP 800-57"}
    assert by_name["adiba"]["findings"] == [finding]
    assert by_name["est"] == "rules-broken\nrsa-too-short: The key is too short. (SP 800-57)\n"


def test_a_database_that_does_not_answer_in_est_s_text() -> None:
    body = refused(OperationalError("connection to 10.0.0.1 failed"), EST, request_id="0123abcd")[1]
    assert body == "unavailable: The service is not available right now.\nrequest-id: 0123abcd\n"


def test_bad_json_is_a_400_that_quotes_nothing() -> None:
    by_name = {dialect.name: refused(BadJSON("json-duplicate-key"), dialect)[1] for dialect in DIALECTS}
    message = "An object has the same key twice."
    assert by_name["asseco"] == {"errors": [{"tag": None, "error": "invalid-format", "message": message}]}
    assert by_name["peere"] == {"statusCode": 400, "success": False, "message": message}
    assert by_name["adiba"] == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": message,
        "code": "json-duplicate-key",
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/device", "asseco"),
        ("/v1/device/", "asseco"),
        ("/v1/device/owned-devices/1", "asseco"),
        ("/v1/device/statuses", "asseco"),
        ("/v1/device/status", "adiba"),
        ("/v1/device/status/", "adiba"),
        ("/v1/device/status/a/b", "adiba"),
        ("/device/v1", "hyphen"),
        ("/device/v1/", "hyphen"),
        ("/device/v1/devices/a/b", "hyphen"),
        ("/device/v12", None),
        ("/api/2", "spid"),
        ("/api/2/devices.json/", "spid"),
        ("/api/2/schema", "spid"),
        ("/api/spid/schema", None),
        ("/v1/bank", "peere"),
        ("/v1/bank/", "peere"),
        ("/v1/bank/devices/list", "peere"),
        ("/v1/customer", "peere"),
        ("/v1/customer/device/lookup/x", "peere"),
        ("/v1/customers", None),
        ("/v1/banking", None),
        ("/v1", None),
        ("/.well-known/est", "est"),
        ("/.well-known/est/harbour/simpleenroll", "est"),
        ("/.well-known/jwks.json", None),
        ("/v1/devices", None),
        ("/", None),
    ],
)
def test_a_path_answers_in_its_dialect(path: str, name: str | None) -> None:
    found = dialect_of_path(path)
    assert (found.name if found else None) == name
