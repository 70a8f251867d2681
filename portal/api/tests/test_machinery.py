"""Methods, unknown addresses, failures, replays, preferences: what every endpoint does without saying so."""

from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from devices import queries
from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_token
from portal.accounts.models import User
from portal.api.adiba.wire import DIALECT
from portal.api.base import Call, DialectView, serves
from portal.api.prefer import wants_representation
from portal.api.tests.doors import ADIBA, ASSECO, BOTH, Caller, nothing_written, refused_once
from portal.audit.models import AuditEvent
from portal.core.errors import InvalidState, Unavailable
from portal.models import StoredAnswer

pytestmark = pytest.mark.django_db
both_doors = pytest.mark.parametrize("path", BOTH)


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@pytest.fixture
def caller(ada: User, phone: Device) -> Caller:
    return Caller(make_token(user=ada))


# A view that forgot something fails when it is written.


def test_a_view_without_scopes_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Open.get names no scope"):

        class Open(DialectView):
            dialect = DIALECT

            @serves(Call(summary="No scope"))
            def get(self) -> HttpResponse: ...


def test_a_view_with_scopes_for_another_method_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Half.post names no scope"):

        class Half(DialectView):
            dialect = DIALECT
            required_scopes = {"GET": frozenset({"devices"})}  # noqa: RUF012

            @serves(Call(summary="Another method"))
            def post(self) -> HttpResponse: ...


def test_a_view_that_does_not_say_what_it_takes_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Silent.get does not say"):

        class Silent(DialectView):
            dialect = DIALECT
            required_scopes = frozenset({"devices"})

            def get(self) -> HttpResponse: ...


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
        ("/v1/device/issued-devices", "errors"),
        ("/v1/device/classifications", "errors"),
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
    error.audited = True  # type: ignore[attr-defined]
    fail(monkeypatch, error)
    with nothing_written():
        assert caller.get(path).status_code in {409, 440}


def test_a_database_that_is_gone_for_the_token_too_is_a_503(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(raw: str) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr("portal.api.auth.find_token", failing)
    assert caller.get(ADIBA).status_code == 503


# Idempotency-Key.

PHONE = {"external-device-identifier": "990000862471854", "nickname": "My Phone"}


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_does_nothing(caller: Caller) -> None:
    first = caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    assert (first.status_code, "Idempotent-Replayed" in first) == (200, False)
    Device.objects.filter(nickname="My Phone").update(nickname="changed", nickname_key="changed")
    with nothing_written():
        again = caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert (again["Location"], again["Content-Type"]) == (first["Location"], "application/json")


def test_an_empty_first_answer_stays_empty(caller: Caller, phone: Device) -> None:
    path = f"{ASSECO}/{phone.external_id}/block"
    assert caller.post(path, **{"Idempotency-Key": "k1"}).status_code == 204
    again = caller.post(path, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, "Content-Type" in again) == (204, b"", False)
    assert again["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(caller: Caller) -> None:
    caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    with refused_once("idempotency-key-reused", who="Ada"):
        response = caller.post(ASSECO, {**PHONE, "nickname": "Other"}, **{"Idempotency-Key": "k1"})
    assert response.status_code == 422


def test_a_refusal_is_an_answer_too(caller: Caller) -> None:
    first = caller.post(ASSECO, {}, **{"Idempotency-Key": "k1"})
    again = caller.post(ASSECO, {}, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, again.content) == (400, 400, first.content)
    assert again["Idempotent-Replayed"] == "true"


def test_a_failure_of_ours_gives_the_key_back(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("devices.operations.registration.register_device", lambda **kwargs: 1 / 0)
        assert caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"}).status_code == 500
    assert StoredAnswer.objects.count() == 0
    assert caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"}).status_code == 200


@both_doors
@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(path: str, key: str, caller: Caller) -> None:
    assert caller.post(path, PHONE, **{"Idempotency-Key": key}).status_code == 400
    assert Device.objects.count() == 1


def test_other_peoples_keys_are_other_keys(caller: Caller, ada: User) -> None:
    bea = make_customer(ada.bank, "Bea")
    caller.post(ASSECO, PHONE, **{"Idempotency-Key": "k1"})
    other = Caller(make_token(user=bea)).post(
        ASSECO, {"external-device-identifier": "990000862471855"}, **{"Idempotency-Key": "k1"}
    )
    assert other.status_code == 200
    assert "Idempotent-Replayed" not in other


@both_doors
def test_dead_tokens_get_no_replay(path: str, ada: User, phone: Device) -> None:
    body = PHONE if path == ASSECO else {"deviceId": str(phone.pk), "action": "DEACTIVATE", "reason": "Lost"}
    caller = Caller(make_token(user=ada, device=phone))
    assert caller.post(path, body, **{"Idempotency-Key": "k1"}).status_code == 200
    if path == ASSECO:
        caller.post(f"{ASSECO}/{phone.pk}/block")
    assert caller.post(path, body, **{"Idempotency-Key": "k1"}).status_code == 401


# Prefer.


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("return=representation", True),
        ("Return = Representation", True),
        ('return="representation"', True),
        ("respond-async, return=representation; foo=1", True),
        ("return=minimal", False),
        ("return=minimal, return=representation", False),
        ("representation", False),
        ("", False),
    ],
)
def test_a_preference_is_read(header: str, wanted: bool) -> None:
    assert wants_representation(RequestFactory().get("/", headers={"prefer": header})) is wanted


def test_who_prefers_a_body_gets_one_instead_of_204(caller: Caller, phone: Device) -> None:
    path = f"{ASSECO}/{phone.pk}/nickname"
    plain = caller.put(path, {"nickname": "One"})
    assert (plain.status_code, plain.content, "Content-Type" in plain) == (204, b"", False)
    full = caller.put(path, {"nickname": "Two"}, Prefer="return=representation")
    assert (full.status_code, full["Preference-Applied"]) == (200, "return=representation")
    assert full.json() == caller.get(f"{ASSECO}/{phone.pk}").json()
    assert full.json()["nickname"] == "Two"


@override_settings(DEBUG=False)
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
