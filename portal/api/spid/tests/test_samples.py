"""The vendor's samples, with its own bodies, and the calls its SDKs make of them."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from devices.models import Fingerprint
from devices.tests.factories import make_token
from portal.accounts.models import User
from portal.api.dialect import FORM
from portal.api.spid.tests.knocking import DEVICES
from portal.api.tests.doors import golden, in_order

pytestmark = pytest.mark.django_db
NOON = "2026-03-01T12:01:03Z"  # 3537 seconds before the next hour


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def token(ada: User) -> str:
    with time_machine.travel(NOON, tick=False):
        return make_token(user=ada)


def expected(hash: str) -> Any:
    return {**golden(__file__, "container.answer"), "data": {"hash": hash}, "hash": hash}


@pytest.mark.parametrize(("sample", "version"), [("minimal.request", ""), ("full.request", "139.83.13")])
def test_the_curl_line_is_answered_as_printed_and_in_the_container(sample: str, version: str, token: str) -> None:
    form = {**golden(__file__, sample), "oauth_token": token}
    # curl -d joins its parts with & and sends them as they are, with the space in it.
    body = "&".join(f"{name}={value}" for name, value in form.items())
    with time_machine.travel(NOON, tick=False):
        response = Client().generic("POST", DEVICES, body, FORM)
    assert (response.status_code, response["Content-Type"]) == (201, "application/json")
    answer = response.json()
    printed = golden(__file__, "hash.answer")
    assert {name: type(answer[name]) for name in printed} == {name: type(value) for name, value in printed.items()}
    assert re.fullmatch(r"[0-9a-f]{64}", answer["hash"])
    assert answer == expected(answer["hash"])
    assert in_order(answer) == in_order(expected(""))
    row = Fingerprint.objects.get()
    assert (row.hash, row.platform, row.application_name) == (answer["hash"], "ios", "Sample app")
    assert row.application_version == version


def php(form: dict[str, str], token: str) -> Any:
    """The PHP SDK: token, method and context in the query, the rest as a form."""
    query = urlencode({"method": "POST", "oauth_token": token})
    return Client().generic("POST", f"{DEVICES}?{query}", urlencode(form), FORM)


def java(form: dict[str, str], token: str) -> Any:
    """The Java and Clojure SDKs: everything in the form."""
    return Client().generic("POST", DEVICES, urlencode({**form, "oauth_token": token}), FORM)


def mobile(form: dict[str, str], token: str) -> Any:
    """The iOS and Android SDKs: the token in the header."""
    headers = {"Authorization": f"Bearer {token}"}
    return Client().generic("POST", f"{DEVICES}.json", urlencode(form), FORM, headers=headers)


@pytest.mark.parametrize("sdk", [php, java, mobile])
@pytest.mark.parametrize("sample", ["minimal.request", "full.request"])
def test_every_sdk_gets_the_hash_where_it_reads_it(sdk: Any, sample: str, token: str) -> None:
    form = golden(__file__, sample)
    del form["oauth_token"]
    with time_machine.travel(NOON, tick=False):
        response = sdk(form, token)
    assert response.status_code == 201
    answer = response.json()
    assert answer["name"] == "SPP Container"
    assert "sig" not in answer
    assert answer["error"] is None
    assert answer["data"] == {"hash": Fingerprint.objects.get().hash}


def test_refusals_are_in_the_container_too(token: str) -> None:
    with time_machine.travel(NOON, tick=False):
        form = {**golden(__file__, "minimal.request"), "oauth_token": token, "contextClientId": "nobody"}
        response = Client().generic("POST", DEVICES, urlencode(form), FORM)
    assert (response.status_code, response.json()) == (404, golden(__file__, "error.answer"))
    assert in_order(response.json()) == in_order(golden(__file__, "error.answer"))


def test_what_is_wrong_with_a_token_is_said_without_one() -> None:
    response = Client().generic("POST", DEVICES, urlencode(golden(__file__, "minimal.request")), FORM)
    assert (response.status_code, response.json()) == (401, golden(__file__, "token_error.answer"))
    assert in_order(response.json()) == in_order(golden(__file__, "token_error.answer"))
