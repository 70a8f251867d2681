"""The eleven rows of failure cases in the vendor's description, each reached, and in which order they are asked."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import override_settings

from devices.models import Fingerprint
from devices.tests.factories import make_application, make_bank, make_customer, make_staff, make_token
from portal.accounts.models import AccessToken, Application, User
from portal.accounts.roles import Role
from portal.api.spid.tests.knocking import DEVICES, recorded, send, turned_away
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db
CALLER = "bearer"


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def app(ada: User) -> Application:
    return make_application(ada.bank)


@pytest.fixture
def token(ada: User, app: Application) -> str:
    return make_token(user=ada, application=app)


def api_error(response: Any, status: int, description: str) -> None:
    """A container of type error, whose sentence is that of the vendor's description."""
    body = response.json()
    assert (response.status_code, body["code"], body["type"], body["data"]) == (status, status, "error", None)
    assert body["error"] == {"code": status, "type": "ApiException", "description": description}
    assert "hash" not in body


def token_error(response: Any, status: int, error: str, description: str) -> None:
    assert response.status_code == status
    assert response.json() == {
        "error": error,
        "error_code": status,
        "type": "OAuthException",
        "error_description": description,
    }


# 400 Bad Request: Invalid payload data


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"deviceId": ""}, "deviceId: This is required."),
        ({"deviceId": "x" * 129}, "deviceId: Ensure this field has no more than 128 characters."),
        ({"deviceId": "a b"}, "deviceId: 1 to 128 letters, digits and . _ : - are allowed."),
        ({"deviceId": "a\nb"}, "deviceId: This has characters that cannot be shown."),
        ({"platform": ""}, "platform: One of: iPad, iPhone, Android."),
        ({"platform": "iphone"}, "platform: One of: iPad, iPhone, Android."),
        ({"platform": " iPhone"}, "platform: One of: iPad, iPhone, Android."),
        ({"platform": "Windows"}, "platform: One of: iPad, iPhone, Android."),
        ({"applicationName": ""}, "applicationName: This is required."),
        ({"applicationName": " "}, "applicationName: This is required."),
        ({"applicationName": "x" * 101}, "applicationName: Ensure this field has no more than 100 characters."),
        ({"applicationName": "a\x00b"}, "applicationName: This has characters that cannot be shown."),
        ({"applicationVersion": "x" * 65}, "applicationVersion: Ensure this field has no more than 64 characters."),
        ({"applicationVersion": "1\t2"}, "applicationVersion: This has characters that cannot be shown."),
        ({"surprise": "1"}, "surprise: There is no such field."),
        ({"device_id": "1"}, "device_id: There is no such field."),
    ],
)
def test_invalid_payload_data_names_its_fields(form: dict[str, Any], told: str, token: str) -> None:
    with turned_away("invalid-input", who="Ada"):
        response = send(token, **form)
    api_error(response, 400, f"Invalid payload data: {told}")


def test_all_wrong_fields_are_named_at_once(token: str) -> None:
    with turned_away("invalid-input", who="Ada"):
        response = send(token, body=f"oauth_token={token}&platform=x".encode())
    api_error(
        response,
        400,
        "Invalid payload data: deviceId: This is required. platform: One of: iPad, iPhone, Android. "
        "applicationName: This is required.",
    )


# 401 Unauthorized: administration rights


def test_a_client_that_administers_no_other_speaks_for_none(token: str, ada: User) -> None:
    other = make_application(ada.bank)
    with turned_away("client-administers-nothing", who="Ada"):
        response = send(token, contextClientId=other.client_id)
    api_error(response, 401, "Your client doesn't have administration rights for this client.")
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


def test_a_person_who_administers_no_client_speaks_for_none(token: str, app: Application, ada: User) -> None:
    Application.objects.filter(pk=app.pk).update(administers=True)
    other = make_application(ada.bank)
    with turned_away("administers-nothing", who="Ada"):
        response = send(token, contextClientId=other.client_id)
    api_error(response, 401, "You don't have administration rights for this client.")
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


@pytest.mark.parametrize("place", ["query", "form"])
def test_a_client_names_itself_as_it_likes(place: str, token: str, app: Application) -> None:
    if place == "query":
        assert send(token, query={"contextClientId": app.client_id}).status_code == 201
    else:
        assert send(token, contextClientId=app.client_id).status_code == 201


def test_two_contexts_are_none(token: str, app: Application) -> None:
    with turned_away("invalid-input", who="Ada"):
        response = send(token, query={"contextClientId": app.client_id}, contextClientId="another")
    api_error(response, 400, "Invalid payload data: contextClientId: Query and body name different clients.")


# 401 Unauthorized: Invalid token


def test_no_token_is_an_invalid_one_and_leaves_no_event() -> None:
    response = send()
    token_error(response, 401, "invalid_token", "Invalid token")
    assert response["WWW-Authenticate"] == "Bearer"
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("sent", ["never-seen", "a b", "ä", "x" * 2000])
def test_an_unknown_token(sent: str) -> None:
    response = send(sent)
    token_error(response, 401, "invalid_token", "Invalid token")
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    event = AuditEvent.objects.get()
    assert (event.event, event.code, event.actor_kind) == ("token.refused", "unauthorized", "anonymous")
    assert sent not in str(AuditEvent.objects.values().get())


def test_an_ended_token_and_one_of_a_suspended_client(token: str, app: Application, ada: User) -> None:
    AccessToken.objects.update(ended_at=clock.now())
    with turned_away("unauthorized", who="Ada", event="token.refused"):
        token_error(send(token), 401, "invalid_token", "Invalid token")
    Application.objects.filter(pk=app.pk).update(suspended_at=clock.now())
    fresh = make_token(user=ada, application=app)
    with turned_away("unauthorized", who="Ada", event="token.refused"):
        token_error(send(fresh), 401, "invalid_token", "Invalid token")


def test_an_expired_token_is_told_so_that_the_client_renews_it(ada: User) -> None:
    old = make_token(user=ada, lifetime=timedelta(seconds=-1))
    with turned_away("token-expired", who="Ada", event="token.refused"):
        response = send(old)
    token_error(response, 401, "expired_token", "Invalid token: it has expired")
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'


# 403 Forbidden


@pytest.mark.parametrize("kind", ["bank", "merchant", "staff"])
def test_only_a_customers_token_is_served(kind: str, ada: User) -> None:
    if kind == "staff":
        raw, who = make_token(user=(bea := make_staff(ada.bank, Role.ADMINISTRATOR))), f"Bea ({bea.username})"
    else:
        application = make_application(ada.bank, kind=kind, name="server")
        raw, who = make_token(application=application), "server"
    with turned_away("bearer-not-served", who=who):
        response = send(raw)
    text = "Client is not authorized to access this API endpoint. Contact SPiD to request access."
    api_error(response, 403, text)


def test_an_address_that_is_not_on_the_list(ada: User) -> None:
    raw = make_token(user=ada, application=make_application(ada.bank, allowed_ips=["192.0.2.0/24"]))
    with turned_away("ip-not-allowed", who="Ada"):
        response = send(raw)
    api_error(response, 403, "Requesting IP is not whitelisted")


def test_a_suspended_customer_has_unauthorised_access(token: str, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with turned_away("user-suspended", who="Ada", event="token.refused"):
        response = send(token)
    api_error(response, 403, "Unauthorised access")


def test_a_token_without_the_scope_has_unauthorised_access(ada: User) -> None:
    raw = make_token(user=ada, scope="devices pin")
    with turned_away("insufficient-scope", who="Ada"):
        response = send(raw)
    token_error(response, 403, "insufficient_scope", "Unauthorised access")
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


def test_a_live_token_of_a_client_for_other_dialects_is_rejected(ada: User) -> None:
    raw = make_token(user=ada, application=make_application(ada.bank, dialects=["asseco"]))
    with turned_away("dialect-not-open", who="Ada"):
        response = send(raw)
    api_error(response, 403, "Access token rejected")


# 404 Not Found


def test_a_context_that_nobody_is(token: str) -> None:
    for name in ("nobody", "ä", "x" * 100):
        with turned_away("client-unknown", who="Ada"):
            response = send(token, contextClientId=name)
        api_error(response, 404, "Unknown client ID")
    assert "nobody" not in str(list(AuditEvent.objects.values()))


def test_a_context_of_another_bank(token: str) -> None:
    foreign = make_application(make_bank())
    with turned_away("client-mismatch", who="Ada"):
        response = send(token, contextClientId=foreign.client_id)
    api_error(
        response,
        404,
        "Client ID mismatch. The client making the request is no the owner of this resource, and does not have "
        "administrative privileges for it.",
    )


# 420 Request Ratelimit exceeded


@override_settings(SPID_CALLS_PER_HOUR=2)
def test_over_the_limit_is_420_with_the_live_state(token: str, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now().replace(minute=1, second=3)
    monkeypatch.setattr(clock, "now", lambda: now)
    left = [send(token).json()["request"] for _ in range(2)]
    assert left == [{"reset": 3537, "limit": 2, "remaining": 1}, {"reset": 3537, "limit": 2, "remaining": 0}]
    with turned_away("rate-limited", who="Ada"):
        response = send(token)
        again = send(token)
    for refused in (response, again):
        api_error(refused, 420, "Request Ratelimit exceeded")
        assert refused.json()["request"] == {"reset": 3537, "limit": 2, "remaining": 0}
        assert refused["Retry-After"] == "3537"
    assert send(make_token(user=ada)).status_code == 201  # each token has its own
    later = now + timedelta(seconds=3537)
    monkeypatch.setattr(clock, "now", lambda: later)
    AccessToken.objects.update(expires=later + timedelta(hours=1))
    assert send(token).json()["request"] == {"reset": 3600, "limit": 2, "remaining": 1}


@override_settings(SPID_CALLS_PER_HOUR=5)
def test_refusals_count_and_tell_the_state_once_the_token_has_come_in(token: str, ada: User) -> None:
    def state(response: Any) -> Any:
        told = response.json()["request"]
        return told and told["remaining"]

    with time_machine.travel(clock.now(), tick=False):
        assert state(send(token, platform="x")) == 4
        assert state(send(token, contextClientId="nobody")) == 3
        assert state(send(make_token(application=make_application(ada.bank, kind="bank")))) is None
        assert state(send(token)) == 2


@override_settings(API_CALLS_PER_MINUTE=2)
def test_bad_tokens_are_limited_by_address() -> None:
    with time_machine.travel(clock.now(), tick=False):
        statuses = [send(f"guess-{number}").status_code for number in range(4)]
    assert statuses == [401, 401, 420, 420]
    assert AuditEvent.objects.filter(code="rate-limited").count() == 1


# The order in which it is asked: what the token alone decides comes before anything it names.


def test_what_a_dead_token_names_makes_no_difference(token: str, ada: User) -> None:
    AccessToken.objects.update(ended_at=clock.now())
    known, foreign = make_application(ada.bank), make_application(make_bank())
    answers = {send(token, contextClientId=name).content for name in (known.client_id, foreign.client_id, "nobody")}
    answers |= {send(token, deviceId="").content, send(token).content}
    assert len(answers) == 1


def test_address_before_kind_before_dialect_before_scope_before_form(ada: User) -> None:
    bank = make_application(ada.bank, kind="bank", dialects=[], allowed_ips=["192.0.2.1"], name="server")
    raw = make_token(application=bank)
    told = [send(raw, platform="x").json()["error"]["description"]]
    Application.objects.filter(pk=bank.pk).update(allowed_ips=[])
    told.append(send(raw, platform="x").json()["error"]["description"])
    app = make_application(ada.bank, dialects=["adiba"])
    poor = make_token(user=ada, application=app, scope="pin")
    told.append(send(poor, platform="x").json()["error"]["description"])
    Application.objects.filter(pk=app.pk).update(dialects=["spid"])
    told.append(send(poor, platform="x").json()["error_description"])
    assert told == [
        "Requesting IP is not whitelisted",
        "Client is not authorized to access this API endpoint. Contact SPiD to request access.",
        "Access token rejected",
        "Unauthorised access",
    ]
    assert Fingerprint.objects.count() == 0


def test_form_before_context(token: str) -> None:
    api_error(
        send(token, platform="x", contextClientId="nobody"),
        400,
        "Invalid payload data: platform: One of: iPad, iPhone, Android.",
    )


# Addresses and methods.


@pytest.mark.parametrize(
    "path", ["/api/2", "/api/2/", f"{DEVICES}/", f"{DEVICES}.xml", f"{DEVICES}.json/", "/api/2/me"]
)
def test_an_address_with_nothing_is_a_404_in_the_container(path: str, token: str) -> None:
    with turned_away("not-found", who="Ada"):
        response = send(path=path, bearer=token)
    api_error(response, 404, "There is nothing at this address.")
    api_error(send(path=path), 404, "There is nothing at this address.")


@pytest.mark.parametrize("path", [DEVICES, f"{DEVICES}.json"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_another_method(path: str, method: str, token: str) -> None:
    with turned_away("method-not-allowed", who="Ada"):
        response = send(path=path, verb=method, query={"oauth_token": token}, body=b"")
    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")


def test_nothing_is_recorded_by_any_refusal_at_all(token: str) -> None:
    assert send(token).status_code == 201
    before = recorded()
    wrong: list[dict[str, Any]] = [{"platform": "x"}, {"contextClientId": "nobody"}, {"surprise": "1"}]
    for form in wrong:
        send(token, **form)
    assert recorded() == before


def test_a_customer_of_another_bank_has_a_hash_of_their_own(token: str) -> None:
    cem = make_customer(make_bank(), "Cem")
    hashes = {send(raw).json()["hash"] for raw in (token, make_token(user=cem))}
    assert len(hashes) == 2
