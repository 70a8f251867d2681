"""POST /oauth/introspect, POST /oauth/revoke, and the server's metadata."""

import json

import pytest
from django.conf import LazySettings
from django.test import Client

from devices.models import Device
from devices.states import DeviceStatus, HeldBy
from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import AccessToken, RefreshToken, User
from portal.accounts.operations.clients import Created
from portal.accounts.operations.tokens import TokenPair, issue_staff_token, issue_token_pair
from portal.accounts.tests.conftest import Caller
from portal.accounts.tests.people import HOUR, SYSTEM, events, make_client
from portal.accounts.tokens import find_token, reason_dead
from portal.core import clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]


@pytest.fixture
def pair(mobile: Created, ada: User, phone: Device) -> TokenPair:
    application = mobile.application
    return issue_token_pair(
        actor=SYSTEM, application=application, user=ada, scopes=["pin"], lifetime=HOUR, device=phone
    )


def dead(raw: str) -> str | None:
    token = find_token(raw)
    assert token is not None
    return reason_dead(token)


class TestIntrospection:
    def test_a_live_token_is_described_to_its_client_and_its_bank(
        self,
        call: Caller,
        mobile: Created,
        server: Created,
        pair: TokenPair,
        ada: User,
        phone: Device,
        settings: LazySettings,
    ) -> None:
        expected = {
            "active": True,
            "scope": "pin",
            "token_type": "Bearer",
            "client_id": mobile.application.client_id,
            "sub": ada.public_id,
            "exp": int(pair.token.expires.timestamp()),
            "iat": int(pair.token.created.timestamp()),
            "iss": settings.BASE_URL,
            "aud": settings.BASE_URL,
            "device_id": phone.public_id,
        }
        for client in (mobile, server):
            answer = call("introspect", client, token=pair.raw)
            assert (answer.status, answer.body) == (200, expected)

    def test_a_servers_own_token_names_the_client(self, call: Caller, server: Created) -> None:
        raw = call("token", server, grant_type="client_credentials").body["access_token"]
        body = call("introspect", server, token=raw, token_type_hint="access_token").body
        assert (body["active"], body["sub"]) == (True, server.application.client_id)

    def test_other_clients_and_other_banks_see_nothing(
        self, call: Caller, merchant: Created, pair: TokenPair
    ) -> None:
        bank = merchant.application.bank
        foreign = make_client(make_bank("second"), "bank")
        for client in (merchant, make_client(bank, "mobile", name="another app"), foreign):
            answer = call("introspect", client, token=pair.raw)
            assert (answer.status, answer.body) == (200, {"active": False})

    def test_staff_tokens_are_their_banks(self, call: Caller, server: Created, mobile: Created) -> None:
        bea = make_staff(server.application.bank)
        raw = issue_staff_token(actor=SYSTEM, user=bea)[1]
        body = call("introspect", server, token=raw).body
        assert (body["active"], body["sub"], body["scope"]) == (True, bea.public_id, "staff")
        assert "client_id" not in body
        assert call("introspect", mobile, token=raw).body == {"active": False}

    def test_dead_and_unknown_tokens_look_alike(
        self, call: Caller, mobile: Created, pair: TokenPair, phone: Device
    ) -> None:
        Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.INACTIVE, held_by=HeldBy.OWNER)
        for raw in (pair.raw, pair.refresh_raw, "unknown"):
            answer = call("introspect", mobile, token=raw)
            assert (answer.status, answer.body) == (200, {"active": False})

    def test_nobody_asks_without_proof(self, call: Caller, mobile: Created, pair: TokenPair) -> None:
        wrong = Created(mobile.application, "wrong", "")
        for client in (None, wrong):
            answer = call("introspect", client, token=pair.raw)
            assert (answer.status, answer.body["error"]) == (401, "invalid_client")
        assert len(events("token.refused")) == 2

    def test_without_a_token_the_request_is_not_valid(self, call: Caller, mobile: Created) -> None:
        assert call("introspect", mobile).status == 400

    def test_asking_leaves_no_event(self, call: Caller, mobile: Created, pair: TokenPair) -> None:
        before = events()
        call("introspect", mobile, token=pair.raw)
        assert events() == before


class TestRevocation:
    def test_an_access_token_takes_its_refresh_token_with_it(
        self, call: Caller, mobile: Created, pair: TokenPair
    ) -> None:
        answer = call("revoke", mobile, token=pair.raw)
        assert (answer.status, answer.body) == (200, {})
        assert dead(pair.raw) == "ended"
        assert RefreshToken.objects.unused().count() == 0
        assert events("token.revoked") == [("token.revoked", "")]

    def test_a_refresh_token_takes_its_family_with_it(self, call: Caller, mobile: Created, pair: TokenPair) -> None:
        renewed = call("token", mobile, grant_type="refresh_token", refresh_token=pair.refresh_raw).body
        assert call("revoke", mobile, token=renewed["refresh_token"]).status == 200
        assert AccessToken.objects.live().count() == 0
        assert RefreshToken.objects.unused().count() == 0

    def test_an_idle_session_is_revoked_by_its_refresh_token(
        self, call: Caller, mobile: Created, pair: TokenPair
    ) -> None:
        AccessToken.objects.update(expires=clock.now())
        assert call("revoke", mobile, token=pair.refresh_raw).status == 200
        assert RefreshToken.objects.unused().count() == 0
        assert events("token.revoked") == [("token.revoked", "")]

    def test_a_repeat_is_quiet(self, call: Caller, mobile: Created, pair: TokenPair) -> None:
        for _ in range(3):
            assert call("revoke", mobile, token=pair.raw).status == 200
        assert len(events("token.revoked")) == 1

    @pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
    def test_the_hint_decides_nothing(self, call: Caller, mobile: Created, pair: TokenPair, hint: str) -> None:
        assert call("revoke", mobile, token=pair.raw, token_type_hint=hint).status == 200
        assert dead(pair.raw) == "ended"

    def test_a_foreign_or_unknown_token_is_200_and_lives_on(
        self, call: Caller, server: Created, pair: TokenPair
    ) -> None:
        for raw in (pair.raw, pair.refresh_raw, "unknown"):
            answer = call("revoke", server, token=raw)
            assert (answer.status, answer.body) == (200, {})
        assert dead(pair.raw) is None
        assert RefreshToken.objects.unused().count() == 1
        assert events("token.revoked") == []

    def test_nobody_revokes_without_proof(self, call: Caller, mobile: Created, pair: TokenPair) -> None:
        assert call("revoke", Created(mobile.application, "wrong", ""), token=pair.raw).status == 401
        assert dead(pair.raw) is None

    def test_without_a_token_the_request_is_not_valid(self, call: Caller, mobile: Created) -> None:
        assert call("revoke", mobile).status == 400


class TestMetadata:
    def test_it_names_what_works_and_nothing_else(self, settings: LazySettings) -> None:
        settings.BASE_URL = "https://portal.bank.example"
        response = Client().get("/.well-known/oauth-authorization-server")
        assert response["Content-Type"] == "application/json"
        described = json.loads(response.content)
        scopes = described.pop("scopes_supported")
        proofs = ["client_secret_basic", "client_secret_post"]
        assert described == {
            "issuer": "https://portal.bank.example",
            "token_endpoint": "https://portal.bank.example/oauth/token",
            "token_endpoint_auth_methods_supported": proofs,
            "introspection_endpoint": "https://portal.bank.example/oauth/introspect",
            "introspection_endpoint_auth_methods_supported": proofs,
            "revocation_endpoint": "https://portal.bank.example/oauth/revoke",
            "revocation_endpoint_auth_methods_supported": proofs,
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "authorization_endpoint": "https://portal.bank.example/oauth/authorize",
            "authorization_response_iss_parameter_supported": True,
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "response_types_supported": ["code"],
        }
        assert "devices:admin" in scopes
        assert "staff" not in scopes

    def test_it_is_only_read(self) -> None:
        response = Client().post("/.well-known/oauth-authorization-server")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize("address", ["/oauth/token/", "/oauth/authorize", "/oauth/introspect/", "/oauth/"])
    def test_there_is_nothing_beside_it(self, address: str) -> None:
        assert Client().get(address).status_code == 404
