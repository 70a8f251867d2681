"""Fixtures of the OAuth tests: a bank, its clients, a customer with a phone, and a caller."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device
from portal import ratelimit
from portal.accounts.models import Bank, User
from portal.accounts.operations.clients import Created
from portal.accounts.tests.people import make_client

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def _no_counts_from_another_test() -> Iterator[None]:
    ratelimit.breaker.reset()
    cache.clear()
    yield
    ratelimit.breaker.reset()
    cache.clear()


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


@pytest.fixture
def server(bank: Bank) -> Created:
    return make_client(bank, "bank")


@pytest.fixture
def merchant(bank: Bank) -> Created:
    return make_client(bank, "merchant")


@pytest.fixture
def mobile(bank: Bank) -> Created:
    return make_client(bank, "mobile")


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@dataclass
class Answer:
    """An answer, read; every one of /oauth is JSON that nobody keeps."""

    response: HttpResponse
    status: int
    body: dict[str, Any]


type Caller = Callable[..., Answer]


@pytest.fixture
def call() -> Caller:
    """`call("token", client, grant_type=…)`: as the client, by Basic, unless `client` is None."""

    def send(endpoint: str, client: Created | None = None, *, ip: str = "127.0.0.1", **form: str) -> Answer:
        headers = (
            {} if client is None else {"Authorization": basic(client.application.client_id, client.client_secret)}
        )
        response = Client().post(
            f"/oauth/{endpoint}", urlencode(form), content_type=FORM, headers=headers, REMOTE_ADDR=ip
        )
        return read(response)

    return send


def basic(client_id: str, secret: str) -> str:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def read(response: Any) -> Answer:
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    return Answer(response, response.status_code, json.loads(response.content))
