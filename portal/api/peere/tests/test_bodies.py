"""Bodies and queries that nobody means well with: refused in the envelope, nothing changed, one event."""

import io
import json
from typing import Any

import pytest
from django.conf import settings

from portal.accounts.models import User
from portal.api.peere.tests.linking import LINK, LIST, LOOKUP, PHONE, UNLINK, fields, said, turned_away
from portal.api.tests.doors import Caller
from portal.api.tests.test_bodies import HOSTILE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("phone")]


@pytest.fixture(params=[LINK, UNLINK, LOOKUP], ids=["link", "unlink", "lookup"])
def door(request: Any, server: Caller, shop: Caller) -> tuple[Caller, str, str]:
    """Who posts there, the address, and the name of who posts."""
    return (shop, LOOKUP, "Shop") if request.param == LOOKUP else (server, request.param, "core banking")


type Door = tuple[Caller, str, str]


def good(path: str, ada: User) -> dict[str, str]:
    return {"deviceId": PHONE} if path == LOOKUP else fields(ada.customer_number)


@pytest.mark.parametrize("name", HOSTILE)
def test_json_that_two_readers_could_read_differently_is_refused(name: str, door: Door) -> None:
    caller, path, who = door
    body, code = HOSTILE[name]
    with turned_away(code, who=who):
        response = caller.client.generic("POST", path, body, "application/json", headers=caller.headers)
    assert said(response)[0] == 400


@pytest.mark.parametrize(
    "label",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/problem+json",
        "nonsense",
    ],
)
def test_only_what_is_labelled_json_is_read(label: str, door: Door, ada: User) -> None:
    caller, path, who = door
    with turned_away("unsupported-media-type", who=who):
        response = caller.send("POST", path, good(path, ada), label=label)
    assert said(response) == (415, "The body has to be JSON, labelled application/json.")


class Unread(io.BytesIO):
    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")


def test_ten_megabytes_are_refused_unread(door: Door) -> None:
    caller, path, who = door
    length: Any = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(10 * 1024 * 1024)}
    with turned_away("too-large", who=who):
        response = caller.client.post(path, headers=caller.headers, content_type="application/json", **length)
    assert said(response) == (413, "The body is too large.")
    stranger = Caller().client.post(path, content_type="application/json", **length)
    assert said(stranger)[0] == 401


def test_the_limit_is_exact(door: Door) -> None:
    caller, path, who = door
    with turned_away("too-large", who=who):
        assert caller.post(path, b" " * (settings.BODY_LIMIT + 1)).status_code == 413
    with turned_away("json-malformed", who=who):
        assert caller.post(path, b" " * settings.BODY_LIMIT).status_code == 400


def test_a_body_that_was_cut_off_is_not_read_as_a_whole_one(door: Door, ada: User) -> None:
    caller, path, who = door
    body = json.dumps(good(path, ada)).encode()
    cut: Any = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) + 1)}
    with turned_away("bad-request", who=who):
        response = caller.client.post(path, headers=caller.headers, content_type="application/json", **cut)
    assert said(response)[0] == 400


def test_of_many_unknown_fields_twenty_are_told(door: Door) -> None:
    caller, path, who = door
    with turned_away("invalid-input", who=who):
        response = caller.post(path, {f"x{number}" * 20: 1 for number in range(500)})
    assert said(response)[0] == 400
    assert response.content.decode().count("There is no such field.") == 20
    assert len(response.content) < 3000


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense", ""])
def test_the_answer_is_json_whatever_the_caller_accepts(accept: str, server: Caller) -> None:
    response = server.get(LIST, Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("query", ["%ff=1", "a[]=1", "page=1&page=2&page=3", "%00=1", "=", "search=a&search=b"])
def test_a_query_that_nobody_knows_is_refused(query: str, server: Caller) -> None:
    with turned_away("invalid-input"):
        assert said(server.get(f"{LIST}?{query}"))[0] == 400


def test_posts_take_no_query(door: Door, ada: User) -> None:
    caller, path, who = door
    with turned_away("invalid-input", who=who):
        response = caller.post(f"{path}?deviceId={PHONE}", good(path, ada))
    assert said(response) == (400, "deviceId: There is no such field.")
