"""Whatever is sent, the answer is one that the document names, and never a failure of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from devices.models import Device, DeviceKey
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_key, make_token
from merchants.tests.factories import make_link
from twofa.models import TwoFactorRequest
from twofa.operations.asking import request_two_factor
from twofa.tests.asking import SIGN_IN, server_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


application = get_wsgi_application()


def local(environ: dict[str, Any], start_response: Any) -> Any:
    """The portal, called from this machine."""
    return application({**environ, "REMOTE_ADDR": "127.0.0.1"}, start_response)


asseco = schemathesis.openapi.from_wsgi("/api/asseco/schema", local)
adiba = schemathesis.openapi.from_wsgi("/api/adiba/schema", local)
hyphen = schemathesis.openapi.from_wsgi("/api/hyphen/schema", local)
peere = schemathesis.openapi.from_wsgi("/api/peere/schema", local)
spid = schemathesis.openapi.from_wsgi("/api/spid/schema", local)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
generously = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """As with Django's own test client: a request does not close the connection that the test's rows live in."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def knocks() -> list[dict[str, str]]:
    """A customer, her phone, a bank's server, nobody: the headers of each. The phone is asked for an approval."""
    ada = make_customer(make_bank())
    phone = make_device(ada, external_id="990000862471854")
    make_key(phone)
    server = make_application(ada.bank, kind="bank")
    request_two_factor(actor=server_of(server), account_id=ada.public_id, kind="sign-in", facts=SIGN_IN)
    tokens = [make_token(user=ada), make_token(user=ada, device=phone), make_token(application=server)]
    return [*({"Authorization": f"Bearer {token}"} for token in tokens), {}]


@pytest.fixture
def shop(knocks: list[dict[str, str]]) -> dict[str, str]:
    """A merchant of the same bank, and a link of the phone that it may see."""
    device = Device.objects.get()
    make_link(device)
    merchant = make_application(device.bank, kind="merchant")
    return {"Authorization": f"Bearer {make_token(application=merchant)}"}


def call(case: Any, knocks: list[dict[str, str]]) -> None:
    for headers in knocks:
        case.call_and_validate(headers=headers, checks=CHECKS)
    if "device_id" in case.path_parameters:
        case.path_parameters["device_id"] = "990000862471854"
        case.call_and_validate(headers=knocks[0], checks=CHECKS)
    assert Device.objects.exists()


@asseco.parametrize()
@generously
def test_asseco_answers_anything(case: Any, knocks: list[dict[str, str]]) -> None:
    call(case, knocks)


@adiba.parametrize()
@generously
def test_adiba_answers_anything(case: Any, knocks: list[dict[str, str]]) -> None:
    call(case, knocks)


@hyphen.parametrize()
@generously
def test_hyphen_answers_anything(case: Any, knocks: list[dict[str, str]]) -> None:
    call(case, knocks)
    if "public_key" in case.path_parameters:
        case.path_parameters["public_key"] = DeviceKey.objects.get().spelling
        case.call_and_validate(headers=knocks[0], checks=CHECKS)
    if "id" in case.path_parameters:
        case.path_parameters["id"] = str(TwoFactorRequest.objects.get().pk)
        for headers in knocks:
            case.call_and_validate(headers=headers, checks=CHECKS)


@spid.parametrize()
@generously
def test_spid_answers_anything(case: Any, knocks: list[dict[str, str]]) -> None:
    call(case, knocks)


@peere.parametrize()
@generously
def test_peere_answers_anything(case: Any, knocks: list[dict[str, str]], shop: dict[str, str]) -> None:
    call(case, [*knocks, shop])
    if isinstance(case.body, dict) and "deviceId" in case.body:
        case.body["deviceId"] = "990000862471854"
        for headers in (knocks[2], shop):
            case.call_and_validate(headers=headers, checks=CHECKS)
