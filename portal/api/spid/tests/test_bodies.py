"""Forms and JSON: what is read, what is ignored, and what nobody means well with."""

import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from devices.models import Fingerprint
from devices.tests.factories import make_token
from portal.accounts.models import User
from portal.api.dialect import FORM, JSON
from portal.api.spid.tests.knocking import DEVICES, SAMPLE, send, turned_away
from portal.api.tests.doors import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def token(ada: User) -> str:
    return make_token(user=ada)


def test_what_sdks_send_along_is_ignored(token: str) -> None:
    extras: dict[str, Any] = {
        "method": "POST",
        "client_id": "x",
        "client_secret": "y",
        "redirect_uri": "https://app.example/",
    }
    assert send(token, **extras).status_code == 201
    assert send(query={"oauth_token": token, **extras}).status_code == 201
    empty: dict[str, Any] = dict.fromkeys(extras, "")
    assert send(token, **empty).status_code == 201


def test_fields_are_not_read_in_the_query(token: str) -> None:
    with turned_away("invalid-input", who="Ada"):
        response = send(token, query={"deviceId": "1"})
    assert response.json()["error"]["description"] == "Invalid payload data: deviceId: There is no such field."


@pytest.mark.parametrize("label", [JSON, "application/json; charset=utf-8"])
def test_json_is_read_too(label: str, token: str) -> None:
    form = send(token).json()["hash"]
    response = send(bearer=token, body=json.dumps(SAMPLE).encode(), label=label)
    assert (response.status_code, response.json()["hash"]) == (201, form)


@pytest.mark.parametrize("label", [FORM, f"{FORM}; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"])
def test_a_form_is_taken_however_it_is_labelled(label: str, token: str) -> None:
    assert send(token, label=label).status_code == 201


@pytest.mark.parametrize(
    "label", ["text/plain", "multipart/form-data; boundary=x", f"{FORM}; charset=latin-1", "application/xml", ""]
)
def test_another_label_is_refused(label: str, token: str) -> None:
    with turned_away("unsupported-media-type", who="Ada"):
        response = send(bearer=token, label=label)
    assert response.status_code == 415
    assert FORM in response.json()["error"]["description"]


def test_a_form_may_hold_any_text(token: str) -> None:
    names = ["Sämple äpp", "应用", "a+b=c&d", "  two spaces  "]
    bodies = [urlencode({**SAMPLE, "applicationName": name}).encode() for name in names]
    bodies.append("&".join(f"{key}={value}" for key, value in {**SAMPLE, "applicationName": "ünï"}.items()).encode())
    for body in bodies:
        assert send(bearer=token, body=body).status_code == 201
    stored = set(Fingerprint.objects.values_list("application_name", flat=True))
    assert stored == {*names, "ünï"}


@pytest.mark.parametrize(
    ("body", "label", "code"),
    [
        (b"deviceId=%ff&platform=iPhone&applicationName=a", FORM, "form-malformed"),
        (b"\xff\xfe", FORM, "form-malformed"),
        (b"a=1&" * 60, FORM, "form-malformed"),
        (b"platform=iPhone&platform=iPad&deviceId=1&applicationName=a", FORM, "form-duplicate-field"),
        (b"", FORM, "invalid-input"),
        (b"&&&===", FORM, "invalid-input"),
        (b"=", FORM, "invalid-input"),
        (b'{"deviceId": "1", "deviceId": "2"}', JSON, "json-duplicate-key"),
        (b'{"deviceId": NaN}', JSON, "json-not-a-number"),
        (b'{"deviceId": "\\u0000"}', JSON, "json-nul"),
        (b'{"deviceId": "\\ud800"}', JSON, "json-lone-surrogate"),
        (b"[" * 60_000, JSON, "json-too-deep"),
        (b"[]", JSON, "json-no-object"),
        (b"{} {}", JSON, "json-malformed"),
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(
    body: bytes, label: str, code: str, token: str
) -> None:
    with turned_away(code, who="Ada"):
        response = send(bearer=token, body=body, label=label)
    assert response.status_code == 400
    assert response.json()["error"]["description"].startswith("Invalid payload data: ")


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}])
@pytest.mark.parametrize("name", [*SAMPLE, "applicationVersion"])
def test_a_value_of_another_type_is_refused(name: str, value: Any, token: str) -> None:
    with turned_away("invalid-input", who="Ada"):
        response = Caller(token).post(DEVICES, {**SAMPLE, name: value})
    assert response.status_code == 400


class Unread(io.BytesIO):
    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("label", [FORM, JSON])
def test_ten_megabytes_are_refused_unread(label: str, token: str) -> None:
    length: Any = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(10 * 1024 * 1024)}
    headers = {"Authorization": f"Bearer {token}"}
    with turned_away("too-large", who="Ada"):
        response = Client().post(DEVICES, headers=headers, content_type=label, **length)
    assert response.status_code == 413
    assert Client().post(DEVICES, content_type=label, **length).status_code == 401


def test_the_limit_is_exact(token: str) -> None:
    whole = f"oauth_token={token}&{urlencode(SAMPLE)}&redirect_uri="
    fits = whole + "x" * (settings.BODY_LIMIT - len(whole))
    assert send(body=fits.encode()).status_code == 201
    with turned_away("too-large", who="Ada"):
        assert send(bearer=token, body=(fits + "x").encode()).status_code == 413


def test_a_body_that_was_cut_off_is_not_read_as_a_whole_one(token: str) -> None:
    body = urlencode(SAMPLE).encode()
    cut: Any = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) + 1)}
    with turned_away("bad-request", who="Ada"):
        response = Client().post(DEVICES, headers={"Authorization": f"Bearer {token}"}, content_type=FORM, **cut)
    assert response.status_code == 400


def test_a_chunked_body_is_read_for_the_token_and_for_the_fields(token: str) -> None:
    body = urlencode({**SAMPLE, "oauth_token": token}).encode()
    chunked: Any = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert Client().post(DEVICES, content_type=FORM, **chunked).status_code == 201


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense", ""])
def test_the_answer_is_json_that_nobody_keeps(accept: str, token: str) -> None:
    response = send(token, headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (201, "application/json")
    assert response["Cache-Control"] == "no-store"


def test_an_idempotency_key_gives_the_first_answer_again(token: str) -> None:
    first, again = (send(token, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert send(token, headers={"Idempotency-Key": "k1"}, platform="iPad").status_code == 422
