"""The SMS gateway, and what all gateways that POST have in common."""

import base64
import hmac
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from portal.core import ids
from portal.outbox.gateways import GatewayError, Outgoing, gateway_for, http, problems
from portal.outbox.gateways.sms import SmsGateway
from portal.outbox.models import MessageKind
from portal.outbox.tests.certificates import make_certificate
from portal.outbox.tests.factories import BANK, BODY, RECIPIENT
from portal.outbox.tests.fakes import Answer, Service, http_service

KEY = b"k" * 32
MESSAGE = Outgoing(
    id=ids.uuid7(), bank_id=BANK, kind="sms", template="code", recipient=RECIPIENT, subject="A code", body=BODY
)


pytestmark = pytest.mark.usefixtures("new_connections")


@pytest.fixture
def provider(settings: LazySettings) -> Iterator[Service]:
    with http_service() as service:
        set_up(settings, service)
        yield service


def set_up(settings: LazySettings, service: Service) -> None:
    settings.DEMO = False
    settings.SMS_URL, settings.SMS_TOKEN = f"{service.url}/messages", "the-token"


def refused(message: Outgoing = MESSAGE) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        SmsGateway().send(message)
    assert RECIPIENT not in caught.value.reason
    assert caught.value.__cause__ is None
    return caught.value


def test_an_sms_is_one_post_with_the_token(provider: Service, settings: LazySettings) -> None:
    settings.SMS_FROM = "My Bank"
    SmsGateway().send(MESSAGE)
    [asked] = provider.asked
    assert (asked.method, asked.path) == ("POST", "/messages")
    assert asked.headers["authorization"] == "Bearer the-token"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == str(MESSAGE.id)
    assert asked.json == {"id": str(MESSAGE.id), "from": "My Bank", "to": RECIPIENT, "text": BODY}
    assert "webhook-signature" not in asked.headers


def test_with_a_key_the_body_is_signed(provider: Service, settings: LazySettings) -> None:
    settings.SMS_SIGNING_KEY = KEY
    SmsGateway().send(MESSAGE)
    [asked] = provider.asked
    name, moment = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    wanted = hmac.digest(KEY, f"{name}.{moment}.".encode() + asked.body, "sha256")
    assert name == str(MESSAGE.id)
    assert asked.headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"


def test_a_repeat_has_the_same_id_and_the_connection_is_kept(provider: Service) -> None:
    SmsGateway().send(MESSAGE)
    SmsGateway().send(MESSAGE)
    assert {asked.headers["idempotency-key"] for asked in provider.asked} == {str(MESSAGE.id)}
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (400, False),
        (401, True),
        (403, False),
        (404, False),
        (408, True),
        (422, False),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (302, False),
    ],
)
def test_what_the_provider_answers_decides_whether_it_is_tried_again(
    status: int, retry: bool, provider: Service
) -> None:
    provider.answers = [Answer(status, {"to": RECIPIENT}, {"Location": "http://127.0.0.1:1/"})]
    error = refused()
    assert (error.reason, error.retry) == (f"SMS gateway answered {status}", retry)
    assert len(provider.asked) == 1  # nothing is followed


@pytest.mark.parametrize(
    ("header", "after"),
    [("120", timedelta(minutes=2)), ("0", timedelta()), ("tomorrow", None), ("-1", None), ("999999999", None)],
)
def test_when_the_provider_says_how_long_to_wait(header: str, after: timedelta | None, provider: Service) -> None:
    provider.answers = [Answer(429, headers={"Retry-After": header})]
    assert refused().after == after


def test_a_provider_that_is_away_is_tried_again(settings: LazySettings) -> None:
    with http_service() as service:
        set_up(settings, service)
    error = refused()
    assert (error.reason, error.retry) == ("SMS gateway unavailable: ConnectError", True)


def test_a_provider_that_does_not_answer_is_tried_again(provider: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", httpx.Timeout(0.2))
    enough = threading.Event()
    provider.answers = [Answer(before=enough.wait)]
    error = refused()
    enough.set()
    assert (error.reason, error.retry) == ("SMS gateway unavailable: ReadTimeout", True)


def test_a_long_answer_is_cut(provider: Service) -> None:
    provider.answers = [Answer(500, b"x" * 10_000_000)]
    assert refused().reason == "SMS gateway answered 500"


def test_an_address_that_is_none_fails_for_good(settings: LazySettings) -> None:
    settings.SMS_URL = "https://sms.example:port/"
    error = refused()
    assert (error.reason, error.retry) == ("SMS gateway has an address that is none", False)


def test_a_certificate_has_to_be_trusted(settings: LazySettings, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with http_service(tls=tls) as service:
        set_up(settings, service)
        error = refused()
        assert (error.reason, error.retry) == ("SMS gateway unavailable: ConnectError", True)
        assert service.asked == []
        settings.CA_FILE = str(certificate)
        SmsGateway().send(MESSAGE)
        assert len(service.asked) == 1


def test_the_proxy_of_the_settings_is_used_and_the_environments_is_not(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with http_service() as proxy:
        set_up(settings, Service(url="http://sms.example"))
        settings.OUTGOING_PROXY = proxy.url
        SmsGateway().send(MESSAGE)
        assert [asked.path for asked in proxy.asked] == ["http://sms.example/messages"]


def test_nothing_of_a_message_is_logged(provider: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        SmsGateway().send(MESSAGE)
        provider.answers = [Answer(500, {"to": RECIPIENT})]
        refused()
    assert json.dumps([record.getMessage() for record in caplog.records]).count(RECIPIENT) == 0


@pytest.mark.parametrize("kind", MessageKind.values)
def test_only_what_is_set_up_has_a_gateway(kind: str, provider: Service) -> None:
    assert isinstance(gateway_for(kind), SmsGateway) is (kind == "sms")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, []),
        ({"SMS_URL": "https://sms.example/", "SMS_TOKEN": "t"}, []),
        ({"SMS_URL": "http://sms.example/", "SMS_TOKEN": "t"}, [("sms", "PORTAL_SMS_URL is not an https address.")]),
        ({"SMS_URL": "https://sms.example/"}, [("sms", "PORTAL_SMS_URL is set without PORTAL_SMS_TOKEN.")]),
        ({"OUTGOING_PROXY": "proxy:3128"}, [("http", "PORTAL_OUTGOING_PROXY is not an http address.")]),
        ({"CA_FILE": "/nowhere"}, [("http", "PORTAL_CA_FILE is not a readable file of certificates.")]),
    ],
)
def test_wrong_settings_are_named(
    values: dict[str, Any], found: list[tuple[str, str]], settings: LazySettings
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert problems() == found
