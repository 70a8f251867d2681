"""POST /oauth/token: who gets a token, and in which words the others are refused."""

import json
import socket
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import OperationalError
from django.test import Client

from portal import ratelimit
from portal.accounts.models import AccessToken, User
from portal.accounts.operations.clients import Created
from portal.accounts.scopes import BANK_SCOPES
from portal.accounts.tests.conftest import FORM, Answer, Caller, basic, read
from portal.accounts.tests.people import events, make_client, suspend
from portal.accounts.tokens import find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]

GRANT = {"grant_type": "client_credentials"}


def refused(answer: Answer, status: int, error: str) -> None:
    assert (answer.status, answer.body["error"]) == (status, error)
    assert set(answer.body) == {"error", "error_description"}
    assert AccessToken.objects.count() == 0


def test_a_banks_server_gets_what_it_asks_for(call: Caller, server: Created) -> None:
    answer = call("token", server, **GRANT, scope="devices:admin pki:sign")
    assert answer.status == 200
    raw = answer.body.pop("access_token")
    assert abs(answer.body.pop("server_time") - clock.now().timestamp()) < 5
    assert answer.body == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "devices:admin pki:sign",
        "user_id": False,
        "is_admin": False,
    }
    token = find_token(raw)
    assert token is not None
    assert reason_dead(token) is None
    assert token.application == server.application
    assert timedelta(minutes=59) < token.expires - clock.now() <= timedelta(hours=1)
    event = AuditEvent.objects.get(event="token.issued")
    assert (event.actor_kind, event.actor_id, event.channel) == ("bank", server.application.client_id, "oauth")
    assert (event.bank_id, event.ip) == (server.application.bank_id, "127.0.0.1")
    assert raw not in str(AuditEvent.objects.values())


def test_without_a_scope_it_gets_all_that_its_row_lists(call: Caller, server: Created) -> None:
    assert set(call("token", server, **GRANT).body["scope"].split()) == BANK_SCOPES


def test_credentials_may_stand_in_the_body(call: Caller, merchant: Created) -> None:
    form = {"client_id": merchant.application.client_id, "client_secret": merchant.client_secret}
    answer = call("token", None, **GRANT, **form)
    assert (answer.status, answer.body["scope"]) == (200, "phrases:lookup")


def test_the_body_may_repeat_the_client_id(call: Caller, server: Created) -> None:
    assert call("token", server, **GRANT, client_id=server.application.client_id).status == 200


def test_each_call_makes_another_token(call: Caller, server: Created) -> None:
    assert len({call("token", server, **GRANT).body["access_token"] for _ in range(3)}) == 3


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_schemes_case_does_not_matter(server: Created, scheme: str) -> None:
    sent = basic(server.application.client_id, server.client_secret).replace("Basic", scheme)
    response = Client().post(
        "/oauth/token", "grant_type=client_credentials", content_type=FORM, headers={"Authorization": sent}
    )
    assert response.status_code == 200


class TestClientAuthentication:
    def refused(self, answer: Answer, code: str) -> None:
        refused(answer, 401, "invalid_client")
        assert answer.response["WWW-Authenticate"] == 'Basic realm="oauth", charset="UTF-8"'
        assert answer.body["error_description"] == "Client authentication failed."
        assert events("token.refused") == [("token.refused", code)]

    def test_a_wrong_secret(self, call: Caller, server: Created) -> None:
        self.refused(call("token", Created(server.application, "wrong", ""), **GRANT), "client-secret-wrong")
        event = AuditEvent.objects.get(event="token.refused")
        assert (event.actor_kind, event.actor_label) == ("anonymous", server.application.name)
        assert event.bank_id == server.application.bank_id

    def test_an_empty_secret(self, call: Caller, server: Created) -> None:
        self.refused(call("token", None, **GRANT, client_id=server.application.client_id), "client-secret-wrong")

    def test_an_unknown_client(self, call: Caller) -> None:
        self.refused(call("token", None, **GRANT, client_id="nobody", client_secret="secret-text"), "client-unknown")
        assert "nobody" not in str(AuditEvent.objects.values())

    def test_no_credentials_at_all(self, call: Caller) -> None:
        self.refused(call("token", None, **GRANT), "client-credentials-missing")

    @pytest.mark.parametrize("sent", ["Bearer abc", "Basic", "Basic !!!", "Basic YQ==", "Basic /w==", "x"])
    def test_a_header_that_proves_nothing(self, sent: str) -> None:
        response = Client().post(
            "/oauth/token", "grant_type=client_credentials", content_type=FORM, headers={"Authorization": sent}
        )
        self.refused(read(response), "client-unknown")

    def test_a_suspended_client(self, call: Caller, server: Created) -> None:
        suspend(server.application)
        self.refused(call("token", server, **GRANT), "client-suspended")

    def test_an_address_that_is_not_on_the_list(self, call: Caller, server: Created) -> None:
        own = make_client(server.application.bank, ips=("192.0.2.0/24", "127.0.0.2"))
        self.refused(call("token", own, **GRANT), "ip-not-allowed")
        assert call("token", own, ip="127.0.0.2", **GRANT).status == 200

    def test_two_ways_at_once(self, call: Caller, server: Created) -> None:
        refused(call("token", server, **GRANT, client_secret=server.client_secret), 400, "invalid_request")
        refused(call("token", server, **GRANT, client_id="another"), 400, "invalid_request")

    def test_the_stored_hash_is_no_secret(self, call: Caller, server: Created) -> None:
        server.application.refresh_from_db()
        hashed = Created(server.application, server.application.client_secret, "")
        self.refused(call("token", hashed, **GRANT), "client-secret-wrong")


def test_after_thirty_failures_a_minute_the_next_is_429(call: Caller, server: Created) -> None:
    wrong = Created(server.application, "wrong", "")
    with time_machine.travel(clock.now().replace(second=15), tick=False):
        answers = [call("token", wrong, **GRANT) for _ in range(33)]
        assert [answer.status for answer in answers] == [401] * 30 + [429] * 3
        assert {answer.response["Retry-After"] for answer in answers[30:]} == {"45"}
        assert answers[30].body["error"] == "too_many_requests"
        codes = [code for _, code in events("token.refused")]
        assert (codes.count("client-secret-wrong"), codes.count("rate-limited")) == (30, 1)
        assert call("token", server, **GRANT).status == 200
        assert call("token", wrong, ip="127.0.0.9", **GRANT).status == 401


def test_without_a_cache_a_wrong_secret_is_503_and_a_right_one_passes(
    call: Caller, server: Created, settings: LazySettings
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{reserved.getsockname()[1]}/1"
        settings.CACHES = {"default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": address}}
        refused(call("token", Created(server.application, "wrong", ""), **GRANT), 503, "temporarily_unavailable")
        assert events("token.refused") == [("token.refused", "client-secret-wrong")]
        assert call("token", server, **GRANT).status == 200
    assert AccessToken.objects.count() == 1


def test_unknown_clients_of_one_address_share_a_limit(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    hit = ratelimit.hit

    def noted(name: str, key: str, *, limit: int, window: int, guards_secret: bool) -> ratelimit.Rate:
        keys.append(key)
        return hit(name, key, limit=limit, window=window, guards_secret=guards_secret)

    monkeypatch.setattr(ratelimit, "hit", noted)
    for number in range(3):
        call("token", None, **GRANT, client_id=f"nobody-{number}", client_secret="x")
    assert keys == ["|127.0.0.1"] * 3


class TestGrantsAndScopes:
    @pytest.mark.parametrize("grant", ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"])
    def test_a_grant_that_is_not_offered(self, call: Caller, server: Created, grant: str) -> None:
        form = {"grant_type": grant, "username": "bea", "password": "x", "code": "x", "device_code": "x"}
        refused(call("token", server, **form), 400, "unsupported_grant_type")

    def test_servers_trade_no_codes(self, call: Caller, server: Created) -> None:
        refused(call("token", server, grant_type="authorization_code", code="x"), 400, "unauthorized_client")

    def test_no_grant(self, call: Caller, server: Created) -> None:
        refused(call("token", server), 400, "invalid_request")

    def test_a_mobile_application_has_no_client_credentials(self, call: Caller, mobile: Created) -> None:
        refused(call("token", mobile, **GRANT), 400, "unauthorized_client")
        assert events("token.refused") == [("token.refused", "unauthorized-client")]
        event = AuditEvent.objects.get(event="token.refused")
        assert (event.actor_id, event.bank_id) == (mobile.application.client_id, mobile.application.bank_id)

    def test_servers_renew_nothing(self, call: Caller, server: Created) -> None:
        refused(call("token", server, grant_type="refresh_token", refresh_token="x"), 400, "unauthorized_client")

    @pytest.mark.parametrize("scope", ["devices", "staff", "devices:admin staff", "nonsense", "DEVICES:ADMIN"])
    def test_a_scope_of_another_kind(self, call: Caller, server: Created, scope: str) -> None:
        refused(call("token", server, **GRANT, scope=scope), 400, "invalid_scope")
        assert events("token.refused") == [("token.refused", "invalid-scope")]

    def test_a_scope_that_the_row_does_not_list(self, call: Caller, server: Created) -> None:
        server.application.allowed_scopes = ["devices:admin", "staff", "devices"]
        server.application.save()
        refused(call("token", server, **GRANT, scope="pki:sign"), 400, "invalid_scope")
        assert call("token", server, **GRANT).body["scope"] == "devices:admin"

    def test_a_token_for_another_server(self, call: Caller, server: Created, settings: LazySettings) -> None:
        for resource in ("https://elsewhere.example", "javascript:x", f"{settings.BASE_URL}.evil.example"):
            refused(call("token", server, **GRANT, resource=resource), 400, "invalid_target")
        assert call("token", server, **GRANT, resource=settings.BASE_URL).status == 200


class TestBadCalls:
    def post(
        self, body: bytes | str, content_type: str = FORM, address: str = "/oauth/token", **extra: Any
    ) -> Answer:
        return read(Client().generic("POST", address, body, content_type=content_type, **extra))

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
    @pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
    def test_another_method(self, method: str, endpoint: str) -> None:
        response = Client().generic(method, f"/oauth/{endpoint}")
        assert (response.status_code, response["Allow"]) == (405, "POST")
        assert response["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]
    )
    def test_another_content_type(self, content_type: str) -> None:
        refused(self.post(json.dumps(GRANT), content_type), 400, "invalid_request")

    def test_a_charset_is_no_other_content_type(self, server: Created) -> None:
        sent = basic(server.application.client_id, server.client_secret)
        answer = self.post("grant_type=client_credentials", f"{FORM}; charset=utf-8", headers={"Authorization": sent})
        assert answer.status == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"\xff\xfe=1",
            b"grant_type=%ff",
            b"grant_type=client%00credentials",
            b"grant_type=client_credentials&grant_type=client_credentials",
            b"client_id=a%0Ab&grant_type=client_credentials",
            b"a=1&" * 60,
            b"grant_type",
            b"&&&===",
            b"",
        ],
    )
    def test_a_body_that_is_no_form(self, body: bytes) -> None:
        refused(self.post(body), 400, "invalid_request")

    @pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
    def test_a_large_body_is_413_unread(self, endpoint: str) -> None:
        for size in (64 * 1024 + 1, 10 * 1024 * 1024):
            answer = self.post(b"grant_type=" + b"x" * (size - 11), address=f"/oauth/{endpoint}")
            refused(answer, 413, "invalid_request")

    @pytest.mark.parametrize("length", ["x", "-1", "99999999999999999999"])
    def test_a_length_that_is_none(self, length: str) -> None:
        assert self.post(b"", CONTENT_LENGTH=length).status in {400, 413}

    def test_a_body_that_was_cut_off(self, server: Created) -> None:
        form = f"client_id={server.application.client_id}&client_secret={server.client_secret}".encode()
        body = form + b"&grant_type=client_credentials"
        cut_off: dict[str, Any] = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": BytesIO(body)}
        refused(self.post(b"", **cut_off), 400, "invalid_request")
        assert self.post(body).status == 200

    def test_parameters_in_the_address(self, server: Created) -> None:
        form = f"client_id={server.application.client_id}&client_secret={server.client_secret}"
        refused(self.post(b"", address=f"/oauth/token?grant_type=client_credentials&{form}"), 400, "invalid_request")
        refused(self.post(b"", address="/oauth/token?%ff&="), 400, "invalid_request")

    def test_an_empty_parameter_counts_as_none(self, call: Caller, server: Created) -> None:
        assert call("token", server, **GRANT, scope="").status == 200

    def test_what_breaks_inside_says_nothing(self, server: Created, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: object, **kwargs: object) -> None:
            raise RuntimeError("select * from secrets")

        monkeypatch.setattr("portal.accounts.oauth_views.TokenCall", broken)
        answer = self.post("grant_type=client_credentials")
        refused(answer, 500, "server_error")
        assert "secrets" not in str(answer.body)

    def test_a_database_that_is_away_is_a_503(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr("portal.accounts.oauth_views.TokenCall", away)
        refused(self.post("grant_type=client_credentials"), 503, "temporarily_unavailable")

    def test_no_session_opens_it(self, ada: User) -> None:
        client = Client()
        client.force_login(ada, backend="portal.accounts.backends.StaffBackend")
        response = client.post("/oauth/token", "grant_type=client_credentials", content_type=FORM)
        assert response.status_code == 401
