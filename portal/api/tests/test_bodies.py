"""Bodies that nobody means well with: refused in the dialect's form, nothing changed, one event."""

import io
import json
from typing import Any

import pytest
from django.conf import settings
from django.test import RequestFactory

from devices.models import Device
from devices.tests.factories import make_device
from portal.accounts.models import User
from portal.api.body import read_bytes
from portal.api.errors import DoorError
from portal.api.tests.doors import ADIBA, ASSECO, BOTH, Caller, refused_once
from portal.audit.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]
both_doors = pytest.mark.parametrize("path", BOTH)

GOOD: dict[str, dict[str, str]] = {
    ASSECO: {"external-device-identifier": "990000862471854"},
    ADIBA: {"deviceId": "990000862471854", "action": "DEACTIVATE", "reason": "Lost"},
}
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "json-malformed"),
    "spaces": (b"  ", "json-malformed"),
    "cut off": (b'{"a": ', "json-malformed"),
    "two values": (b"{} {}", "json-malformed"),
    "single quotes": (b"{'a': 1}", "json-malformed"),
    "trailing comma": (b'{"a": 1,}', "json-malformed"),
    "comment": (b"{} // no", "json-malformed"),
    "byte order mark": (b"\xef\xbb\xbf{}", "json-malformed"),
    "UTF-16": ("{}".encode("utf-16"), "json-nul"),
    "not UTF-8": (b'{"a": "\xff"}', "json-not-utf8"),
    "duplicate key": (b'{"deviceId": "1", "deviceId": "2"}', "json-duplicate-key"),
    "NaN": (b'{"a": NaN}', "json-not-a-number"),
    "infinity": (b'{"a": -Infinity}', "json-not-a-number"),
    "huge number": (b'{"a": 1e999}', "json-not-a-number"),
    "lone surrogate": (b'{"a": "\\ud800"}', "json-lone-surrogate"),
    "NUL": (b'{"a": "\\u0000"}', "json-nul"),
    "raw NUL": (b'{"a": "\x00"}', "json-nul"),
    "too deep": (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "json-too-deep"),
    "endlessly deep": (b"[" * 60_000, "json-too-deep"),
    "array": (b"[]", "json-no-object"),
    "text": (b'"x"', "json-no-object"),
    "number": (b"1", "json-no-object"),
    "null": (b"null", "json-no-object"),
}


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, external_id="359999999999999")


@both_doors
@pytest.mark.parametrize("name", HOSTILE)
def test_json_that_two_readers_could_read_differently_is_refused(path: str, name: str, caller: Caller) -> None:
    body, code = HOSTILE[name]
    with refused_once(code, who="Ada"):
        response = (
            caller.send("POST", path, body)
            if body
            else caller.client.generic("POST", path, b"", "application/json", headers=caller.headers)
        )
    assert response.status_code == 400
    assert response.json().get("code", code) == code


@both_doors
def test_an_unknown_field_is_named(path: str, caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        response = caller.post(path, {**GOOD[path], "surprise": 1})
    assert response.status_code == 400
    [problem] = response.json()["errors"]
    assert "surprise" in problem.values()
    assert "surprise" not in AuditEvent.objects.latest("id").data


@both_doors
def test_names_in_our_own_spelling_are_unknown(path: str, caller: Caller) -> None:
    response = caller.post(path, {"external_device_identifier": "1", "device_id": "1"})
    assert response.status_code == 400
    text = response.content.decode()
    assert "external_device_identifier" in text
    assert "device_id" in text


@both_doors
def test_of_many_unknown_fields_twenty_are_told(path: str, caller: Caller) -> None:
    response = caller.post(path, {f"x{number}" * 20: 1 for number in range(500)})
    assert response.status_code == 400
    assert len(response.json()["errors"]) == 20
    assert len(response.content) < 6000


@both_doors
def test_ten_megabytes_are_refused_unread(path: str, caller: Caller) -> None:
    class Unread(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise AssertionError("the body was read")

    length = str(10 * 1024 * 1024)
    with refused_once("too-large", who="Ada"):
        response = caller.client.post(
            path,
            headers=caller.headers,
            content_type="application/json",
            **{"wsgi.input": Unread(), "CONTENT_LENGTH": length},  # type: ignore[arg-type]
        )
    assert response.status_code == 413


@both_doors
def test_the_limit_is_exact(path: str, caller: Caller) -> None:
    with refused_once("too-large", who="Ada"):
        assert caller.post(path, b" " * (settings.BODY_LIMIT + 1)).status_code == 413
    with refused_once("json-malformed", who="Ada"):
        assert caller.post(path, b" " * settings.BODY_LIMIT).status_code == 400


@both_doors
def test_a_body_that_was_cut_off_is_not_read_as_a_whole_one(path: str, caller: Caller, phone: Device) -> None:
    body = json.dumps(GOOD[path]).encode()
    with refused_once("bad-request", who="Ada"):
        response = caller.client.post(
            path,
            headers=caller.headers,
            content_type="application/json",
            **{"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) + 1)},  # type: ignore[arg-type]
        )
    assert response.status_code == 400


class Chunks(io.BytesIO):
    """A body without an announced length; remembers how much of it was asked for."""

    asked = 0

    def read(self, size: int | None = -1) -> bytes:
        self.asked += size or 0
        return super().read(size)


def chunked(data: bytes) -> tuple[Any, Chunks]:
    stream = Chunks(data)
    request = RequestFactory().post("/", content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    request.META.update({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": stream})
    return request, stream


def test_a_chunked_body_is_read_up_to_the_limit_and_no_further() -> None:
    request, _ = chunked(b'{"a": 1}')
    assert read_bytes(request) == b'{"a": 1}'
    request, stream = chunked(b" " * 10_000_000)
    with pytest.raises(DoorError) as refused:
        read_bytes(request)
    assert refused.value.status == 413
    assert stream.asked == settings.BODY_LIMIT + 1


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "x"])
def test_a_length_that_is_no_number_is_refused(length: str, caller: Caller) -> None:
    response = caller.client.post(
        ASSECO, headers=caller.headers, content_type="application/json", CONTENT_LENGTH=length
    )
    assert response.status_code == 400


def test_a_caller_that_hangs_up_gets_no_server_error() -> None:
    class Gone(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise OSError("connection reset")

    request = RequestFactory().post("/", b"{}", content_type="application/json")
    request._stream = Gone()
    with pytest.raises(DoorError) as refused:
        read_bytes(request)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "label",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=latin-1",
        "application/problem+json",
        "nonsense",
    ],
)
def test_asseco_reads_only_what_is_labelled_json(label: str, caller: Caller) -> None:
    with refused_once("unsupported-media-type", who="Ada"):
        response = caller.send("POST", ASSECO, GOOD[ASSECO], label=label)
    assert response.status_code == 415
    assert response.json() == {
        "errors": [
            {
                "tag": None,
                "error": "unsupported-media-type",
                "message": "The body has to be JSON, labelled application/json.",
            }
        ]
    }


@pytest.mark.parametrize("label", ["application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"'])
def test_asseco_takes_utf8_however_it_is_labelled(label: str, caller: Caller) -> None:
    assert caller.send("POST", ASSECO, GOOD[ASSECO], label=label).status_code == 200


@pytest.mark.parametrize("label", ["application/x-www-form-urlencoded", "text/plain", "application/json", "x"])
def test_adiba_reads_json_whatever_the_label_says(label: str, caller: Caller, phone: Device) -> None:
    body = {**GOOD[ADIBA], "deviceId": phone.public_id}
    assert caller.send("POST", ADIBA, body, label=label).status_code == 200


@both_doors
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense", ""])
def test_the_answer_is_json_whatever_the_caller_accepts(path: str, accept: str, caller: Caller) -> None:
    response = caller.get(path, Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@both_doors
@pytest.mark.parametrize("query", ["surprise=1", "page=1&page=2&page=3", "deviceId=1&deviceId=2", "%00=1", "a[]=1"])
def test_a_query_that_the_endpoint_does_not_know_is_refused(path: str, query: str, caller: Caller) -> None:
    with refused_once("invalid-input", who="Ada"):
        assert caller.get(f"{path}?{query}").status_code == 400


WRONG_TYPES: list[Any] = [1, 1.5, True, None, [], {}, ["990000862471854"]]


@both_doors
@pytest.mark.parametrize("value", WRONG_TYPES)
def test_a_value_of_another_type_is_refused_not_turned_into_text(path: str, value: Any, caller: Caller) -> None:
    for name in GOOD[path]:
        with refused_once("invalid-input", who="Ada"):
            response = caller.post(path, {**GOOD[path], name: value})
        assert response.status_code == 400, name


@both_doors
@pytest.mark.parametrize("value", ["a\nb", "a\x1b[2J", "\u202eabc", "a\u0000b", "\u200b"])
def test_characters_that_cannot_be_shown_are_refused(path: str, value: str, caller: Caller) -> None:
    field = "nickname" if path == ASSECO else "reason"
    response = caller.post(path, {**GOOD[path], field: value})
    assert response.status_code == 400
    assert Device.objects.count() == 1
