"""Firebase Cloud Messaging against a local service."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from django.conf import LazySettings
from jwcrypto import jwk, jwt

from portal.core import clock, ids
from portal.outbox.gateways import GatewayError, Outgoing, RecipientGone, fcm, gateway_for, problems, pushes_to
from portal.outbox.gateways.push import PushGateway
from portal.outbox.models import MessageKind
from portal.outbox.tests.certificates import account_key, service_account, team_key_pem
from portal.outbox.tests.factories import BANK
from portal.outbox.tests.fakes import Answer, Service, http_service
from portal.tests.threads import race

pytestmark = pytest.mark.usefixtures("new_connections")

HANDLE = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"
MESSAGE = Outgoing(
    id=ids.uuid7(),
    bank_id=BANK,
    kind="push",
    template="device-lost",
    recipient=f"gcm:{HANDLE}",
    subject="A device was reported lost",
    body="Ada’s phone was blocked.",
)


@pytest.fixture
def signing_in() -> Iterator[Service]:
    """Google's token endpoint. The first token is token-1."""
    with http_service() as service:
        service.answers = [token(number) for number in range(1, 9)]
        yield service


@pytest.fixture
def firebase(settings: LazySettings, signing_in: Service) -> Iterator[Service]:
    with http_service() as service:
        settings.DEMO = False
        settings.FCM_URL = service.url
        settings.FCM_CREDENTIALS = service_account(f"{signing_in.url}/token")
        yield service


def token(number: int, seconds: int = 3599) -> Answer:
    return Answer(200, {"access_token": f"token-{number}", "expires_in": seconds, "token_type": "Bearer"})


def error(status: int, word: str, **headers: str) -> Answer:
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": word}]
    return Answer(status, {"error": {"code": status, "message": HANDLE, "details": details}}, headers)


def refused() -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        PushGateway().send(MESSAGE)
    assert HANDLE not in caught.value.reason
    return caught.value


def bearers(service: Service) -> list[str]:
    return [asked.headers["authorization"] for asked in service.asked]


def test_a_push_is_one_post_to_the_project(firebase: Service) -> None:
    PushGateway().send(MESSAGE)
    [asked] = firebase.asked
    assert (asked.method, asked.path) == ("POST", "/v1/projects/my-bank/messages:send")
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.json == {
        "message": {
            "token": HANDLE,
            "notification": {"title": "A device was reported lost", "body": "Ada’s phone was blocked."},
            "data": {"message-id": str(MESSAGE.id), "template": "device-lost"},
            "android": {"priority": "HIGH"},
        }
    }


def test_what_an_application_reads_comes_as_data_and_wakes_it_silently(firebase: Service) -> None:
    PushGateway().send(replace(MESSAGE, template="hyphen:2fa-request", body='{"twoFactorAuth":{}}'))
    [asked] = firebase.asked
    message = asked.json["message"]
    assert "notification" not in message
    assert message["data"] == {
        "message-id": str(MESSAGE.id),
        "template": "hyphen:2fa-request",
        "hyphen:type": "2fa-request",
        "hyphen:data": '{"twoFactorAuth":{}}',
    }
    assert (message["android"], message["apns"]["payload"]) == (
        {"priority": "HIGH"},
        {"aps": {"content-available": 1}},
    )


def test_the_account_signs_in_with_its_key(firebase: Service, signing_in: Service) -> None:
    PushGateway().send(MESSAGE)
    [asked] = signing_in.asked
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    signed = jwt.JWT(jwt=form["assertion"][0], key=jwk.JWK.from_pyca(account_key().public_key()))
    assert json.loads(signed.header) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    claims = json.loads(signed.claims)
    assert claims["exp"] - claims["iat"] == 3600
    assert (claims["iss"], claims["aud"]) == ("portal@my-bank.iam.example", f"{signing_in.url}/token")
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"


def test_a_token_is_used_until_shortly_before_its_end(firebase: Service, signing_in: Service) -> None:
    for _ in range(3):
        PushGateway().send(MESSAGE)
    assert (len(signing_in.asked), bearers(firebase)) == (1, ["Bearer token-1"] * 3)


def test_many_that_send_at_once_fetch_one_token(firebase: Service, signing_in: Service) -> None:
    assert race(8, lambda number: PushGateway().send(MESSAGE)) == [None] * 8
    assert (len(signing_in.asked), len(firebase.asked)) == (1, 8)


def test_a_token_that_is_about_to_end_is_made_anew(firebase: Service, signing_in: Service) -> None:
    signing_in.answers = [token(1, 300), token(2)]
    PushGateway().send(MESSAGE)
    PushGateway().send(MESSAGE)
    assert bearers(firebase) == ["Bearer token-1", "Bearer token-2"]


def test_a_refused_token_is_dropped_and_the_message_tried_again(firebase: Service) -> None:
    firebase.answers = [error(401, "THIRD_PARTY_AUTH_ERROR")]
    found = refused()
    assert (found.reason, found.retry) == ("FCM answered 401 THIRD_PARTY_AUTH_ERROR", True)
    PushGateway().send(MESSAGE)
    assert bearers(firebase) == ["Bearer token-1", "Bearer token-2"]


def test_a_handle_that_firebase_knows_no_more_is_gone(firebase: Service) -> None:
    firebase.answers = [error(404, "UNREGISTERED")]
    found = refused()
    assert isinstance(found, RecipientGone)
    assert (found.reason, found.retry, found.since) == ("FCM answered 404 UNREGISTERED", False, None)


@pytest.mark.parametrize(
    ("answer", "reason", "retry", "after"),
    [
        (error(400, "INVALID_ARGUMENT"), "FCM answered 400 INVALID_ARGUMENT", False, None),
        (error(403, "SENDER_ID_MISMATCH"), "FCM answered 403 SENDER_ID_MISMATCH", False, None),
        (Answer(404, b"no such project"), "FCM answered 404", False, None),
        (
            error(429, "QUOTA_EXCEEDED", **{"Retry-After": "60"}),
            "FCM answered 429 QUOTA_EXCEEDED",
            True,
            timedelta(minutes=1),
        ),
        (error(500, "INTERNAL"), "FCM answered 500 INTERNAL", True, None),
        (error(503, "UNAVAILABLE"), "FCM answered 503 UNAVAILABLE", True, None),
        (error(400, f"not a word {HANDLE}"), "FCM answered 400", False, None),
        (Answer(400, b"[" * 10_000), "FCM answered 400", False, None),
        (Answer(400, {"error": [1]}), "FCM answered 400", False, None),
        (Answer(400, {"error": {"details": [1, {"errorCode": 1}]}}), "FCM answered 400", False, None),
    ],
)
def test_what_firebase_answers_decides_whether_it_is_tried_again(
    answer: Answer, reason: str, retry: bool, after: timedelta | None, firebase: Service
) -> None:
    firebase.answers = [answer]
    found = refused()
    assert not isinstance(found, RecipientGone)
    assert (found.reason, found.retry, found.after) == (reason, retry, after)


@pytest.mark.parametrize("answer", [Answer(400, {"error": "invalid_grant"}), Answer(503), Answer(200, b"?")])
def test_an_account_that_cannot_sign_in_lets_messages_wait(
    answer: Answer, firebase: Service, signing_in: Service
) -> None:
    signing_in.answers = [answer]
    found = refused()
    assert (found.reason, found.retry) == (f"FCM sign-in answered {answer.status}", True)
    assert firebase.asked == []


def test_the_assertion_is_of_this_moment(firebase: Service, signing_in: Service) -> None:
    with time_machine.travel("2026-12-01T12:00:00Z", tick=False):
        PushGateway().send(MESSAGE)
        now = int(clock.now().timestamp())
    assertion = parse_qs(signing_in.asked[0].body.decode())["assertion"][0]
    assert json.loads(jwt.JWS.from_jose_token(assertion).objects["payload"])["iat"] == now


def test_a_service_that_is_not_set_up_fails_for_good(firebase: Service) -> None:
    assert isinstance(gateway_for(MessageKind.PUSH), PushGateway)
    assert (pushes_to("gcm"), pushes_to("apns"), pushes_to("wns")) == (True, False, False)
    other = Outgoing(**{**vars(MESSAGE), "recipient": "apns:00ff"})
    with pytest.raises(GatewayError) as caught:
        PushGateway().send(other)
    assert (caught.value.reason, caught.value.retry) == ("no gateway for apns", False)


def test_without_any_service_push_messages_wait(settings: LazySettings) -> None:
    settings.DEMO = False
    assert gateway_for(MessageKind.PUSH) is None
    assert not pushes_to("gcm")


def without(name: str) -> str:
    values = json.loads(service_account("https://oauth2.example/token"))
    del values[name]
    return json.dumps(values)


@pytest.mark.parametrize(
    "credentials",
    [
        "no json",
        "[]",
        "[" * 10_000,
        without("private_key"),
        without("token_uri"),
        json.dumps({**json.loads(service_account("https://oauth2.example/token")), "private_key": "none"}),
        json.dumps({**json.loads(service_account("https://oauth2.example/token")), "private_key": team_key_pem()}),
    ],
)
def test_credentials_that_are_none_stop_the_start(credentials: str, settings: LazySettings) -> None:
    settings.FCM_CREDENTIALS = credentials
    assert problems() == [("fcm", "PORTAL_FCM_CREDENTIALS is not the JSON file of a service account.")]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://oauth2.example/token", []),
        ("http://oauth2.example/token", [("fcm", "PORTAL_FCM_CREDENTIALS names no https address.")]),
    ],
)
def test_the_account_signs_in_over_https_only(
    address: str, found: list[tuple[str, str]], settings: LazySettings
) -> None:
    settings.FCM_CREDENTIALS = service_account(address)
    assert problems() == found


def test_the_key_is_in_no_repr() -> None:
    account: Any = fcm.read_account(service_account("https://oauth2.example/token"))
    assert "PRIVATE" not in repr(account)
