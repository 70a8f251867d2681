"""Apple's push service against a local one that speaks HTTP/2 alone."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from jwcrypto import jwk, jwt

from portal.core import ids
from portal.outbox.gateways import (
    GatewayError,
    Outgoing,
    RecipientGone,
    apns,
    gateway_for,
    http,
    problems,
    push,
    pushes_to,
)
from portal.outbox.gateways.push import PushGateway
from portal.outbox.models import MessageKind
from portal.outbox.tests.certificates import service_account, team_key, team_key_pem
from portal.outbox.tests.factories import BANK
from portal.outbox.tests.fakes import Answer, Service, http2_service
from portal.tests.threads import race

pytestmark = pytest.mark.usefixtures("new_connections")

HANDLE = "740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad"
MESSAGE = Outgoing(
    id=ids.uuid7(),
    bank_id=BANK,
    kind="push",
    template="device-lost",
    recipient=f"apns:{HANDLE}",
    subject="A device was reported lost",
    body="Ada’s phone was blocked.",
)


@pytest.fixture
def apple(settings: LazySettings) -> Iterator[Service]:
    push._apple.cache_clear()  # a token that an earlier test let be dropped
    with http2_service() as service:
        settings.DEMO = False
        settings.APNS_URL = service.url
        settings.APNS_KEY = team_key_pem()
        settings.APNS_KEY_ID, settings.APNS_TEAM_ID, settings.APNS_TOPIC = "ABC123DEFG", "DEF123GHIJ", "com.bank.app"
        yield service
        http.close_clients()


def refused(message: Outgoing = MESSAGE) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        PushGateway().send(message)
    assert HANDLE not in caught.value.reason
    return caught.value


def read_token(asked: Any) -> Any:
    scheme, _, token = asked.headers["authorization"].partition(" ")
    assert scheme == "bearer"
    return jwt.JWT(jwt=token, key=jwk.JWK.from_pyca(team_key().public_key()))


def test_a_push_is_one_post_to_the_handle(apple: Service) -> None:
    PushGateway().send(MESSAGE)
    [asked] = apple.asked
    assert (asked.method, asked.path) == ("POST", f"/3/device/{HANDLE}")
    assert asked.headers["apns-id"] == str(MESSAGE.id)
    assert (asked.headers["apns-topic"], asked.headers["apns-push-type"]) == ("com.bank.app", "alert")
    assert asked.json == {
        "aps": {
            "alert": {"title": "A device was reported lost", "body": "Ada’s phone was blocked."},
            "sound": "default",
        },
        "message-id": str(MESSAGE.id),
        "template": "device-lost",
    }


def test_what_an_application_reads_comes_as_data_beside_the_title(apple: Service) -> None:
    PushGateway().send(replace(MESSAGE, template="hyphen:2fa-request", body='{"twoFactorAuth":{}}'))
    [asked] = apple.asked
    assert asked.json["aps"]["alert"] == {"title": "A device was reported lost"}
    assert (asked.json["hyphen:type"], asked.json["hyphen:data"]) == ("2fa-request", '{"twoFactorAuth":{}}')


def test_the_token_is_the_teams_and_is_kept(apple: Service) -> None:
    with time_machine.travel("2026-12-01T12:00:00Z", tick=False):
        for _ in range(3):
            PushGateway().send(MESSAGE)
    assert len({asked.headers["authorization"] for asked in apple.asked}) == 1
    signed = read_token(apple.asked[0])
    assert json.loads(signed.header) == {"alg": "ES256", "kid": "ABC123DEFG"}
    moment = int(datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp())
    assert json.loads(signed.claims) == {"iss": "DEF123GHIJ", "iat": moment}


def test_many_that_send_at_once_share_the_connection(apple: Service) -> None:
    assert race(8, lambda number: PushGateway().send(MESSAGE)) == [None] * 8
    assert len(apple.asked) == 8


def test_a_handle_that_apple_knows_no_more_is_gone_since(apple: Service) -> None:
    apple.answers = [Answer(410, {"reason": "Unregistered", "timestamp": 1_796_126_400_000})]
    found = refused()
    assert isinstance(found, RecipientGone)
    assert (found.reason, found.retry) == ("APNs answered 410 Unregistered", False)
    assert found.since == datetime.fromtimestamp(1_796_126_400, UTC)


@pytest.mark.parametrize("moment", [None, "yesterday", -1, 2**60, {}])
def test_a_moment_that_is_none_is_left_out(moment: object, apple: Service) -> None:
    apple.answers = [Answer(410, {"reason": "Unregistered", "timestamp": moment})]
    found = refused()
    assert isinstance(found, RecipientGone)
    assert found.since is None


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (Answer(400, {"reason": "BadDeviceToken"}), "APNs answered 400 BadDeviceToken", False),
        (Answer(403, {"reason": "Forbidden"}), "APNs answered 403 Forbidden", False),
        (Answer(413, {"reason": "PayloadTooLarge"}), "APNs answered 413 PayloadTooLarge", False),
        (Answer(429, {"reason": "TooManyRequests"}), "APNs answered 429 TooManyRequests", True),
        (Answer(500, {"reason": "InternalServerError"}), "APNs answered 500 InternalServerError", True),
        (Answer(503, {"reason": "Shutdown"}), "APNs answered 503 Shutdown", True),
        (Answer(400, {"reason": HANDLE}), "APNs answered 400", False),
        (Answer(400, b"not json"), "APNs answered 400", False),
    ],
)
def test_what_apple_answers_decides_whether_it_is_tried_again(
    answer: Answer, reason: str, retry: bool, apple: Service
) -> None:
    apple.answers = [answer]
    found = refused()
    assert not isinstance(found, RecipientGone)
    assert (found.reason, found.retry) == (reason, retry)


@pytest.mark.parametrize("reason", ["ExpiredProviderToken", "InvalidProviderToken"])
def test_a_refused_token_is_made_anew_and_the_message_tried_again(reason: str, apple: Service) -> None:
    with time_machine.travel("2026-12-01T12:00:00Z", tick=False) as traveller:
        apple.answers = [Answer(403, {"reason": reason})]
        found = refused()
        assert (found.reason, found.retry) == (f"APNs answered 403 {reason}", True)
        traveller.shift(60)
        PushGateway().send(MESSAGE)
    first, second = (json.loads(read_token(asked).claims)["iat"] for asked in apple.asked)
    assert second == first + 60


@pytest.mark.parametrize("handle", ["", "no hex", "../../evil", "0" * 401])
def test_a_handle_that_apple_never_gave_goes_nowhere(handle: str, apple: Service) -> None:
    found = refused(Outgoing(**{**vars(MESSAGE), "recipient": f"apns:{handle}"}))
    assert (found.reason, found.retry) == ("not a handle of APNs", False)
    assert apple.asked == []


def test_a_service_that_hangs_up_is_tried_again_and_the_next_message_gets_through(apple: Service) -> None:
    def hang_up() -> None:
        raise OSError

    apple.answers = [Answer(before=hang_up)]
    found = refused()
    assert found.retry
    assert found.reason.startswith("APNs unavailable: ")
    PushGateway().send(MESSAGE)
    assert len(apple.asked) == 2


def test_a_service_that_is_away_is_tried_again(settings: LazySettings, apple: Service) -> None:
    settings.APNS_URL = "http://127.0.0.1:1"
    found = refused()
    assert (found.reason, found.retry) == ("APNs unavailable: ConnectError", True)


def test_neither_handle_nor_token_is_logged(apple: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        PushGateway().send(MESSAGE)
        apple.answers = [Answer(410, {"reason": "Unregistered"})]
        refused()
    said = repr([(record.getMessage(), record.__dict__) for record in caplog.records])
    assert HANDLE not in said
    assert apple.asked[0].headers["authorization"].removeprefix("bearer ") not in said


def test_it_is_the_gateway_for_apple_only(apple: Service) -> None:
    assert isinstance(gateway_for(MessageKind.PUSH), PushGateway)
    assert (pushes_to("apns"), pushes_to("gcm")) == (True, False)


GOOD = {"APNS_KEY_ID": "ABC123DEFG", "APNS_TEAM_ID": "DEF123GHIJ", "APNS_TOPIC": "com.bank.app"}
TOGETHER = "PORTAL_APNS_KEY comes with PORTAL_APNS_KEY_ID, PORTAL_APNS_TEAM_ID and PORTAL_APNS_TOPIC."
NO_KEY = "PORTAL_APNS_KEY is not the .p8 file of a team's key."


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"APNS_KEY": team_key_pem(), **GOOD}, []),
        ({"APNS_KEY": team_key_pem(), **GOOD, "APNS_TOPIC": ""}, [("apns", TOGETHER)]),
        ({"APNS_KEY": "none", **GOOD}, [("apns", NO_KEY)]),
        (
            {"APNS_KEY": json.loads(service_account("https://x.example"))["private_key"], **GOOD},
            [("apns", NO_KEY)],
        ),
        (GOOD, []),
    ],
)
def test_wrong_settings_are_named(
    values: dict[str, str], found: list[tuple[str, str]], settings: LazySettings
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert problems() == found


def test_the_key_is_in_no_repr() -> None:
    assert "PRIVATE" not in repr(apns.TeamKey("k", "t", "com.bank.app", team_key_pem()))


def test_the_slowest_service_holds_a_worker_for_seconds(apple: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.2)
    enough = threading.Event()
    apple.answers = [Answer(before=enough.wait)]
    found = refused()
    enough.set()
    assert (found.reason, found.retry) == ("APNs unavailable: ReadTimeout", True)
