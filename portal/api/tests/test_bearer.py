"""Who may come in: the token, its client, its scopes and its rate, at both doors alike."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import OperationalError
from django.test import override_settings

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_application,
    make_bank,
    make_staff,
    make_token,
)
from portal.accounts.models import AccessToken, User
from portal.api.tests.doors import ADIBA, ASSECO, BOTH, Caller, at_most, nothing_written, refused_once
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db
both_doors = pytest.mark.parametrize("path", BOTH)


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


@both_doors
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(path: str, scheme: str, ada: User, phone: Device) -> None:
    assert Caller(Authorization=f"{scheme} {make_token(user=ada)}").get(path).status_code == 200


@both_doors
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token abc"])
def test_without_a_bearer_the_challenge_names_no_error_and_nothing_is_written(
    path: str, header: str | None, phone: Device
) -> None:
    with nothing_written():
        response = Caller(**({} if header is None else {"Authorization": header})).get(path)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


@both_doors
@pytest.mark.parametrize("sent", ["a b", "a,b", "a, Bearer b", "ä", "a" * 1025, '"quoted"', "=a"])
def test_a_bearer_that_cannot_be_a_token_is_refused_without_a_look_at_the_database(
    path: str, sent: str, phone: Device
) -> None:
    response = Caller(Authorization=f"Bearer {sent}").get(path)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert AuditEvent.objects.get().event == "token.refused"


@both_doors
def test_an_unknown_token_leaves_an_event_that_names_a_digest_only(path: str, phone: Device) -> None:
    response = Caller("nobody-has-this-token").get(path)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    event = AuditEvent.objects.get()
    assert (event.event, event.outcome, event.code) == ("token.refused", "refused", "unauthorized")
    assert event.actor_kind == "anonymous"
    assert event.actor_label.startswith("unknown token ")
    assert len(event.actor_label) == len("unknown token ") + 12
    assert "nobody-has-this-token" not in str(AuditEvent.objects.values().get())


def kill(how: str, ada: User, phone: Device) -> None:
    if how == "expired":
        AccessToken.objects.update(expires=clock.now() - timedelta(seconds=1))
    elif how == "ended":
        AccessToken.objects.update(ended_at=clock.now())
    elif how == "user":
        User.objects.filter(pk=ada.pk).update(is_active=False)
    elif how == "client":
        AccessToken.objects.select_related("application").get().application.__class__.objects.update(
            suspended_at=clock.now()
        )
    else:
        off = {"held_by": "bank", "switched_off_at": clock.now()}
        Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.INACTIVE, **off)


@both_doors
@pytest.mark.parametrize("how", ["expired", "ended", "user", "client", "device"])
def test_a_dead_token_opens_nothing_and_its_bearer_is_named(path: str, how: str, ada: User, phone: Device) -> None:
    caller = Caller(make_token(user=ada, device=phone))
    assert caller.get(path).status_code == 200
    kill(how, ada, phone)
    with refused_once("unauthorized", who="Ada", event="token.refused"):
        response = caller.get(path)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


@both_doors
def test_all_reasons_for_a_dead_token_give_one_answer(path: str, ada: User, phone: Device) -> None:
    dead = make_token(user=ada, lifetime=timedelta(seconds=-1))
    assert Caller(dead).get(path).content == Caller("never-seen").get(path).content


@both_doors
def test_a_client_calls_only_from_its_addresses(path: str, ada: User, phone: Device) -> None:
    client = make_application(ada.bank, allowed_ips=["192.0.2.0/24"])
    caller = Caller(make_token(user=ada, application=client))
    with refused_once("ip-not-allowed", who="Ada"):
        assert caller.get(path).status_code == 403
    client.allowed_ips = ["192.0.2.0/24", "127.0.0.0/8"]
    client.save()
    assert caller.get(path).status_code == 200


def test_a_client_reaches_only_its_dialects(ada: User, phone: Device) -> None:
    caller = Caller(make_token(user=ada, application=make_application(ada.bank, dialects=["adiba"])))
    assert caller.get(ADIBA).status_code == 200
    with refused_once("dialect-not-open", who="Ada"):
        assert caller.get(ASSECO).status_code == 403


@both_doors
def test_a_token_without_the_scope_is_told_so_and_the_object_does_not_matter(
    path: str, ada: User, phone: Device
) -> None:
    caller = Caller(make_token(user=ada, scope="twofa pin"))
    with refused_once("insufficient-scope", who="Ada"):
        response = caller.get(path)
    assert response.status_code == 403
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    known, unknown = (caller.get(f"/v1/device/devices/{name}") for name in (phone.external_id, "no-such"))
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (
        403,
        response.content,
    ) or (path == ADIBA)


@both_doors
def test_a_merchant_has_no_business_here(path: str) -> None:
    shop = make_application(make_bank(), kind="merchant")
    with refused_once("insufficient-scope", who=shop.name):
        assert Caller(make_token(application=shop)).get(path).status_code == 403


def test_staff_tokens_reach_every_dialect(ada: User, phone: Device) -> None:
    caller = Caller(make_token(user=make_staff(ada.bank)))
    assert caller.get(f"{ASSECO}/{phone.pk}").status_code == 200
    assert caller.get(f"{ADIBA}?deviceId={phone.pk}").status_code == 200


@both_doors
def test_calls_are_limited_per_token_with_one_event_a_minute(
    path: str, ada: User, phone: Device, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, other = Caller(make_token(user=ada)), Caller(make_token(user=ada))
    noon = clock.now().replace(second=0)
    monkeypatch.setattr(clock, "now", lambda: noon)
    with override_settings(API_CALLS_PER_MINUTE=2):
        assert [caller.get(path).status_code for _ in range(5)] == [200, 200, 429, 429, 429]
        assert int(caller.get(path)["Retry-After"]) == 60
        assert other.get(path).status_code == 200
    assert [event.code for event in AuditEvent.objects.all()] == ["rate-limited"]


def test_tokens_that_are_not_good_are_limited_per_address() -> None:
    with override_settings(API_CALLS_PER_MINUTE=2), time_machine.travel(clock.now(), tick=False):
        codes = [Caller(f"guess-{number}").get(ADIBA).status_code for number in range(4)]
    assert codes == [401, 401, 429, 429]
    assert AuditEvent.objects.filter(code="rate-limited").count() == 1


@both_doors
def test_a_refused_caller_costs_one_query_and_its_event(path: str, phone: Device) -> None:
    caller = Caller("never-seen")
    caller.get(path)
    with at_most(2):  # the token, the event
        caller.get(path)


def test_activity_of_a_bound_device_is_written_once_a_minute(
    ada: User, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, start = Caller(make_token(user=ada, device=phone)), clock.now()
    seen = []
    for seconds in (0, 59, 60):
        now = start + timedelta(seconds=seconds)
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        assert caller.get(ADIBA).status_code == 200
        phone.refresh_from_db()
        assert phone.last_activity_at is not None
        seen.append((phone.last_activity_at - start).total_seconds())
    assert seen == [0, 0, 60]


def test_a_sign_of_life_that_cannot_be_written_stops_no_read(
    ada: User, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **values: object) -> int:
        raise OperationalError("database or disk is full")

    caller = Caller(make_token(user=ada, device=phone))
    monkeypatch.setattr("django.db.models.query.QuerySet.update", full)
    assert caller.get(ADIBA).status_code == 200
    phone.refresh_from_db()
    assert phone.last_activity_at is None


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/device/nothing"), ("GET", f"{ADIBA}/x"), ("PUT", ADIBA)])
@pytest.mark.parametrize("known", [True, False])
def test_calls_that_no_endpoint_takes_are_limited_too(
    method: str, path: str, known: bool, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = clock.now()
    monkeypatch.setattr(clock, "now", lambda: noon)
    caller = Caller(make_token(user=ada) if known else "nobody's")
    with override_settings(API_CALLS_PER_MINUTE=2):
        statuses = [caller.send(method, path).status_code for _ in range(5)]
    assert statuses[2:] == [429, 429, 429]
    assert [event.code for event in AuditEvent.objects.order_by("id")][2:] == ["rate-limited"]


@both_doors
def test_a_token_in_the_query_is_not_read(path: str, ada: User, phone: Device) -> None:
    token = make_token(user=ada)
    assert Caller().get(f"{path}?access_token={token}").status_code == 401
