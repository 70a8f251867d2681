"""Signing in in a browser: to the bank's provider and back, and the code for a session."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from devices.tests.factories import make_application, make_bank, make_customer
from portal.accounts.actors import client_actor
from portal.accounts.models import AccessToken, Application, Grant, User
from portal.accounts.operations.authorization import redeem_code
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Channel
from portal.core.errors import Forbidden
from portal.outbox.gateways import http
from portal.outbox.gateways.base import GatewayError
from twofa.models import BrowserSignIn, IdentityProvider
from twofa.tests.identities import id_token, make_provider

pytestmark = pytest.mark.django_db

BACK, VERIFIER = "com.example.bank:/back", "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Scene:
    """Ada's browser, the application that sent her, and her bank's provider."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ada: User = make_customer(make_bank())
        self.provider = make_provider(
            self.ada.bank,
            authorization_endpoint="https://id.bank.example/authorize",
            token_endpoint="https://id.bank.example/token",
        )
        self.application: Application = make_application(
            self.ada.bank, client_secret="secret-of-the-app", redirect_uris=BACK
        )
        self.browser = Client(raise_request_exception=False)
        self.claims: dict[str, Any] = {}
        self.posted: list[dict[str, str]] = []
        self.reply: Callable[[], http.Reply] = self._token
        monkeypatch.setattr(http, "post", self._post)

    def _post(self, who: str, url: str, *, headers: Any, body: bytes, outside: bool = False) -> http.Reply:
        assert (url, outside) == ("https://id.bank.example/token", True)
        self.posted.append(dict(parse_qsl(body.decode())))
        return self.reply()

    def _token(self) -> http.Reply:
        nonce = BrowserSignIn.objects.get().nonce
        token = id_token(self.ada, **{"nonce": nonce, **self.claims})
        return http.Reply(200, {}, json.dumps({"id_token": token}).encode())

    def leave(self, **values: Any) -> Any:
        asked = {
            "response_type": "code",
            "client_id": self.application.client_id,
            "redirect_uri": BACK,
            "scope": "devices twofa",
            "state": "xyz",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return self.browser.get("/oauth/authorize", {k: v for k, v in {**asked, **values}.items() if v is not None})

    def come_back(self, left: Any, **values: Any) -> Any:
        state = parse_qs(urlsplit(left["Location"]).query)["state"][0]
        return self.browser.get("/oauth/callback", {"code": "theirs", "state": state, **values})

    def trade(self, code: str, **values: Any) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
            "client_id": self.application.client_id,
            "client_secret": "secret-of-the-app",
        }
        sent = {k: v for k, v in {**form, **values}.items() if v is not None}
        return Client().post(
            "/oauth/token", "&".join(f"{k}={v}" for k, v in sent.items()), "application/x-www-form-urlencoded"
        )

    def renew(self, raw: str) -> Any:
        return self.trade("", grant_type="refresh_token", refresh_token=raw)

    def code(self) -> str:
        return answered(self.come_back(self.leave()))["code"]


def refusals() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.filter(outcome="refused").values_list("event", "code"))


def live(raw: str) -> bool:
    token = find_token(raw)
    return token is not None and reason_dead(token) is None


def answered(response: Any) -> dict[str, str]:
    assert response.status_code == 302, response.content
    assert response["Location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(response["Location"]).query))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_a_customer_goes_to_the_banks_provider_and_comes_back_with_a_session(scene: Scene, settings: Any) -> None:
    left = scene.leave()
    address = urlsplit(left["Location"])
    asked = dict(parse_qsl(address.query))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://id.bank.example/authorize"
    assert (asked["client_id"], asked["code_challenge_method"], asked["scope"]) == ("mobile-app", "S256", "openid")
    back = answered(scene.come_back(left))
    assert (back["state"], back.get("iss", "")) == ("xyz", settings.BASE_URL)
    sent = scene.posted[0]
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    answer = scene.trade(back["code"])
    assert answer.status_code == 200, answer.content
    body = answer.json()
    token = find_token(body["access_token"])
    assert token is not None
    assert (token.user_id, token.device_id, token.scope) == (scene.ada.pk, None, "devices")
    assert set(body) == {
        "access_token", "token_type", "expires_in", "refresh_token", "scope", "user_id", "is_admin", "server_time"
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?x=1"},
        {"redirect_uri": "https://evil.example/"},
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_the_clients(scene: Scene, values: dict[str, Any]) -> None:
    response = scene.leave(**values)
    assert (response.status_code, response.has_header("Location")) == (400, False)
    assert not BrowserSignIn.objects.exists()
    code = "client-unknown" if "client_id" in values else "redirect-uri-unknown"
    assert refusals() == [("token.refused", code)]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"suspended_at": clock.now()}, "client-suspended"),
        ({"allowed_ips": ["203.0.113.0/24"]}, "ip-not-allowed"),
        ({"kind": "bank"}, "client-unknown"),
    ],
)
def test_a_client_that_cannot_call_sends_nobody_anywhere(scene: Scene, values: dict[str, Any], code: str) -> None:
    Application.objects.update(**values)
    response = scene.leave()
    assert (response.status_code, response.has_header("Location")) == (400, False)
    assert refusals() == [("token.refused", code)]


def test_too_many_calls_are_told_how_long_to_wait_and_written_once(scene: Scene, settings: Any) -> None:
    cache.clear()  # of what other tests counted
    settings.API_CALLS_PER_MINUTE = 2
    with time_machine.travel(clock.now(), tick=False):
        answers = [scene.leave() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [302, 302, 429, 429]
    assert int(answers[2]["Retry-After"]) in range(1, 61)
    assert refusals() == [("token.refused", "rate-limited")]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "devices:admin"}, "invalid_scope"),
        ({"scope": "sign-in"}, "invalid_scope"),
        ({"method": "other"}, "invalid_request"),
    ],
)
def test_what_the_client_asks_wrongly_it_is_told(scene: Scene, values: dict[str, Any], error: str) -> None:
    back = answered(scene.leave(**values))
    assert (back["error"], back["state"]) == (error, "xyz")
    assert back["error_description"].endswith(".")
    assert not BrowserSignIn.objects.exists()
    assert refusals() == [("token.refused", error.replace("_", "-"))]


def test_another_browser_does_not_come_back(scene: Scene) -> None:
    left = scene.leave()
    scene.browser = Client(raise_request_exception=False)
    assert scene.come_back(left).status_code == 400
    assert scene.posted == []
    assert refusals() == [("device-sign-in.refused", "sign-in-unknown")]


def test_two_tabs_of_one_browser_do_not_disturb_each_other(scene: Scene) -> None:
    first, second = scene.leave(state="one"), scene.leave(state="two")
    BrowserSignIn.objects.update(nonce="n")
    scene.claims = {"nonce": "n"}
    scene.reply = lambda: http.Reply(200, {}, json.dumps({"id_token": id_token(scene.ada, nonce="n")}).encode())
    assert [answered(scene.come_back(left))["state"] for left in (first, second)] == ["one", "two"]


@pytest.mark.parametrize("kept", ["short", "x" * 44, "ü" * 43])
def test_a_browser_keeps_only_what_we_gave_it(scene: Scene, kept: str) -> None:
    scene.browser.cookies["portal_signing_in"] = kept
    scene.leave()
    assert scene.browser.cookies["portal_signing_in"].value not in {kept, ""}


def test_what_means_nothing_here_is_ignored(scene: Scene) -> None:
    """RFC 6749 3.1: unknown parameters, however they were sent."""
    assert "Location" in scene.leave(prompt="login", ui_locales="en", unknown=["1", "\x00"])
    BrowserSignIn.objects.all().delete()
    left = scene.leave(prompt="none", response_mode="fragment")
    assert "code" in answered(scene.come_back(left, session_state="x", scope="openid"))


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "method"])
def test_what_means_something_comes_once(scene: Scene, name: str) -> None:
    response = scene.leave(**{name: ["a", "a"]})
    assert (response.status_code, response.has_header("Location")) == (400, False)
    assert "A parameter was sent twice." in response.content.decode()
    assert refusals() == [("token.refused", "invalid-request")]


def test_one_comes_back_once_and_in_time(scene: Scene) -> None:
    left = scene.leave()
    cookies = dict(scene.browser.cookies)
    assert "code" in answered(scene.come_back(left))
    scene.browser.cookies.load({name: morsel.value for name, morsel in cookies.items()})
    assert scene.come_back(left).status_code == 400
    late = scene.leave()
    with time_machine.travel(clock.now() + timedelta(minutes=10, seconds=1)):
        assert scene.come_back(late).status_code == 400


@pytest.mark.parametrize("claims", [{"nonce": "another"}, {"nonce": None}, {"aud": "x"}, {"sub": "nobody"}])
def test_a_wrong_id_token_signs_nobody_in(scene: Scene, claims: dict[str, Any]) -> None:
    scene.claims = claims
    assert answered(scene.come_back(scene.leave()))["error"] == "access_denied"
    assert AuditEvent.objects.filter(event="device-sign-in.refused").count() == 1
    assert not AccessToken.objects.exists()


def test_a_customer_who_does_not_sign_in_goes_back_without_a_code(scene: Scene) -> None:
    assert answered(scene.come_back(scene.leave(), code=""))["error"] == "access_denied"
    assert refusals() == [("device-sign-in.refused", "sign-in-declined")]


def test_another_providers_answer_is_none(scene: Scene) -> None:
    assert answered(scene.come_back(scene.leave(), iss="https://other.example"))["error"] == "access_denied"
    assert scene.posted == []
    assert refusals() == [("device-sign-in.refused", "issuer-mismatch")]


def test_a_provider_that_was_suspended_meanwhile_is_sent_nothing(scene: Scene) -> None:
    left = scene.leave()
    IdentityProvider.objects.update(suspended_at=clock.now())
    assert answered(scene.come_back(left))["error"] == "access_denied"
    assert scene.posted == []
    assert refusals() == [("device-sign-in.refused", "provider-suspended")]


def test_a_provider_that_is_down_is_told_as_such(scene: Scene) -> None:
    def down() -> http.Reply:
        raise GatewayError("down", retry=True)

    scene.reply = down
    assert answered(scene.come_back(scene.leave()))["error"] == "temporarily_unavailable"
    assert refusals() == [("device-sign-in.refused", "identity-provider-unavailable")]


def test_a_code_is_good_once(scene: Scene) -> None:
    code = scene.code()
    assert scene.trade(code).status_code == 200
    answer = scene.trade(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert AccessToken.objects.count() == 1


def test_a_second_use_of_a_code_ends_the_session_of_the_first_and_all_that_renewed_it(scene: Scene) -> None:
    code = scene.code()
    first = scene.trade(code).json()
    renewed = scene.renew(first["refresh_token"]).json()
    assert live(renewed["access_token"])
    with time_machine.travel(clock.now() + timedelta(minutes=10)):  # long after the code itself would have ended
        assert scene.trade(code).json()["error"] == "invalid_grant"
        assert not live(renewed["access_token"])
        again = scene.renew(renewed["refresh_token"])
        assert again.json()["error"] == "invalid_grant"
    event = AuditEvent.objects.get(event="token.refused", code="code-reused")
    assert json.loads(event.data)["details"] == {"ended": 1, "user": scene.ada.public_id}


def test_a_second_use_by_another_client_ends_nothing(scene: Scene) -> None:
    code = scene.code()
    first = scene.trade(code).json()
    other = make_application(scene.ada.bank, client_secret="secret-of-another")
    scene.trade(code, client_id=other.client_id, client_secret="secret-of-another")
    assert live(first["access_token"])


def test_a_customer_who_was_suspended_meanwhile_gets_no_session_and_the_code_is_over(scene: Scene) -> None:
    code = scene.code()
    User.objects.filter(pk=scene.ada.pk).update(is_active=False)
    assert scene.trade(code).json()["error"] == "invalid_grant"
    User.objects.filter(pk=scene.ada.pk).update(is_active=True)
    assert scene.trade(code).json()["error"] == "invalid_grant"
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "values", [{"code_verifier": "w" * 43}, {"redirect_uri": "com.example.bank:/other"}, {"code": "x"}]
)
def test_a_code_in_other_hands_opens_nothing(scene: Scene, values: dict[str, Any]) -> None:
    code = scene.code()
    assert scene.trade(**{"code": code, **values}).json()["error"] == "invalid_grant"
    assert not AccessToken.objects.exists()
    if "code" not in values:  # and it is used up by the attempt
        assert scene.trade(code).status_code == 400


def test_a_code_ends_after_a_minute(scene: Scene) -> None:
    code = scene.code()
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert scene.trade(code).status_code == 400


def test_another_client_cannot_use_the_code(scene: Scene) -> None:
    code = scene.code()
    other = make_application(scene.ada.bank, client_secret="secret-of-another")
    answer = scene.trade(code, client_id=other.client_id, client_secret="secret-of-another")
    assert answer.json()["error"] == "invalid_grant"
    assert scene.trade(code).status_code == 200


def test_a_client_whose_sessions_are_bound_gets_none_without_a_key(scene: Scene) -> None:
    code = scene.code()
    Application.objects.update(proves_possession=True)
    answer = scene.trade(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert refusals() == [("token.refused", "unauthorized-client")]
    assert not AccessToken.objects.exists()


def test_nobody_leaves_for_a_client_that_could_not_trade_the_code(scene: Scene) -> None:
    Application.objects.update(proves_possession=True)
    assert answered(scene.leave())["error"] == "unauthorized_client"
    assert refusals() == [("token.refused", "unauthorized-client")]
    assert not BrowserSignIn.objects.exists()


@pytest.mark.parametrize("values", [{"proves_possession": True}, {"kind": "bank", "allowed_scopes": []}])
def test_whoever_trades_a_code_the_rule_holds(scene: Scene, values: dict[str, Any]) -> None:
    code = scene.code()
    Application.objects.update(**values)
    scene.application.refresh_from_db()
    actor = client_actor(scene.application, channel=Channel.OAUTH)
    with pytest.raises(Forbidden) as refused:
        redeem_code(actor=actor, application=scene.application, code=code, redirect_uri=BACK, verifier=VERIFIER)
    assert refused.value.code == "unauthorized-client"
    assert not Grant.objects.filter(used_at__isnull=False).exists()
