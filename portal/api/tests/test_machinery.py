"""Methods, unknown addresses, failures, replays, preferences: what every endpoint does without saying so."""

from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from devices import queries
from devices.models import Device
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.api.tests.doors import ADIBA, ASSECO, BOTH, Caller, nothing_written, refused_once
from portal.audit.models import AuditEvent
from portal.core.errors import InvalidState, Unavailable

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]
both_doors = pytest.mark.parametrize("path", BOTH)


# A view that forgot something fails when it is written.


def test_a_view_without_scopes_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Open.get names no scope"):

        class Open(DialectView):
            dialect = DIALECT

            @serves(Call(summary="No scope"))
            def get(self) -> HttpResponse:
                raise NotImplementedError


def test_a_view_with_scopes_for_another_method_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Half.post names no scope"):

        class Half(DialectView):
            dialect = DIALECT
            required_scopes = {"GET": frozenset({"devices"})}

            @serves(Call(summary="Another method"))
            def post(self) -> HttpResponse:
                raise NotImplementedError


def test_a_view_that_does_not_say_what_it_takes_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Silent.get does not say"):

        class Silent(DialectView):
            dialect = DIALECT
            required_scopes = frozenset({"devices"})

            def get(self) -> HttpResponse:
                raise NotImplementedError


# Methods.


@both_doors
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"])
def test_a_method_that_is_not_offered_is_told_which_ones_are(path: str, method: str, caller: Caller) -> None:
    with refused_once("method-not-allowed", who="Ada"):
        response = caller.send(method, path)
    assert (response.status_code, response["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert response.json().get("code", response.json().get("errors", [{}])[0].get("error")) == "method-not-allowed"


@both_doors
def test_options_says_what_is_offered_to_anybody_and_nothing_else(path: str) -> None:
    with nothing_written():
        response = Caller().send("OPTIONS", path)
    assert (response.status_code, response["Allow"], response.content) == (204, "GET, POST, HEAD, OPTIONS", b"")


@both_doors
def test_head_is_get_without_the_body(path: str, caller: Caller) -> None:
    response = caller.send("HEAD", path)
    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"", "application/json")
    assert Caller().send("HEAD", path).status_code == 401


# Addresses.


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/device", "errors"),
        ("/v1/device/", "errors"),
        ("/v1/device/nothing", "errors"),
        ("/v1/device/issued-cards", "errors"),
        ("/v1/device/classification", "errors"),
        ("/v1/device/owned-devices/", "errors"),
        ("/v1/device/owned-devices/1/", "errors"),
        ("/v1/device/owned-devices/1/nickname/", "errors"),
        ("/v1/device/devices/1/unregister/", "errors"),
        ("/v1/device/devices", "errors"),
        ("/v1/device/devices/a%0Ab/unregister/x", "errors"),
        ("/v1/device/status/", "code"),
        ("/v1/device/status/x", "code"),
        ("/v1/device/status%0A", "errors"),
    ],
)
def test_an_address_with_nothing_answers_404_in_its_dialect_and_never_redirects(
    path: str, form: str, caller: Caller
) -> None:
    for method in ("GET", "POST", "DELETE"):
        with refused_once("not-found", who="Ada"):
            response = caller.send(method, path)
        assert (response.status_code, form in response.json()) == (404, True)
    with nothing_written():
        assert Caller().get(path).status_code == 404


# What is answered where no view is reached.


@pytest.mark.parametrize(("path", "form"), [(ASSECO, "errors"), (ADIBA, "code")])
def test_a_foreign_host_gets_the_dialects_400(path: str, form: str) -> None:
    response = Client().get(path, headers={"host": "elsewhere.example"})
    assert (response.status_code, form in response.json()) == (400, True)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize(("path", "form"), [(ASSECO, "errors"), (ADIBA, "code")])
def test_djangos_own_errors_have_the_dialects_form(path: str, form: str, status: int) -> None:
    from django.utils.module_loading import import_string

    from portal import urls

    handler = import_string(getattr(urls, f"handler{status}"))
    arguments = () if status == 500 else (None,)
    response = handler(RequestFactory().get(path), *arguments)
    assert response.status_code == status
    assert response["Content-Type"] in {"application/json", "application/problem+json"}
    page = handler(RequestFactory().get("/elsewhere"), *arguments)
    assert (page.status_code, page["Content-Type"]) == (status, "text/html; charset=utf-8")


# Our own failures.


def fail(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def failing(*args: object, **kwargs: object) -> Any:
        raise error

    monkeypatch.setattr(queries, "device_for_status", failing)
    monkeypatch.setattr(queries, "owned_devices_page", failing)


@both_doors
def test_an_unforeseen_failure_says_its_request_id_and_writes_no_event(
    path: str, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, ZeroDivisionError("/srv/secret/path"))
    with nothing_written():
        response = caller.get(path)
    assert response.status_code == 500
    assert response["X-Request-Id"] in response.content.decode()
    assert "secret" not in response.content.decode()


@both_doors
@pytest.mark.parametrize("error", [OperationalError("connection to server at 10.0.0.1 failed"), Unavailable()])
def test_what_does_not_answer_is_told_to_come_back(
    path: str, error: Exception, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, error)
    with nothing_written():
        response = caller.get(path)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "10.0.0.1" not in response.content.decode()


@both_doors
def test_a_refusal_that_the_operation_has_written_itself_is_not_written_twice(
    path: str, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = InvalidState("No.")
    error.audited = True
    fail(monkeypatch, error)
    with nothing_written():
        assert caller.get(path).status_code in {409, 440}


def test_a_database_that_is_gone_for_the_token_too_is_a_503(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(raw: str) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr("portal.api.auth.find_token", failing)
    assert caller.get(ADIBA).status_code == 503


def test_answers_are_never_kept_on_the_way(caller: Caller) -> None:
    for path in BOTH:
        assert caller.get(path)["Cache-Control"] == "no-store"
        assert caller.get(f"{path}/nothing/at/all")["Cache-Control"] == "no-store"


def test_a_refusals_event_names_the_route_and_the_device_but_no_path(caller: Caller, phone: Device) -> None:
    Device.objects.filter(pk=phone.pk).update(status="BLOCKED", held_by="bank", switched_off_at=phone.registered_at)
    assert caller.post(f"{ASSECO}/{phone.external_id}/unblock").status_code == 440
    event = AuditEvent.objects.get()
    assert (event.object_type, event.object_id) == ("device", str(phone.pk))
    assert event.data == '{"details":{"method":"POST","route":"asseco:unblock","status":440}}'
    assert phone.external_id not in str(AuditEvent.objects.values().get())
