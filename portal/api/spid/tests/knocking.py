"""How SPiD's clients call: a form, with the token where their SDK puts it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from devices.models import Fingerprint
from portal.api.dialect import FORM
from portal.api.tests.doors import refused_once

DEVICES = "/api/2/devices"
SAMPLE = {
    "deviceId": "392a0a88-a1ab-4832-b092-5269c8722328",
    "platform": "iPhone",
    "applicationName": "Sample app",
}
type Rows = list[dict[str, Any]]


def send(
    token: str = "",
    *,
    path: str = DEVICES,
    query: dict[str, str] | None = None,
    bearer: str = "",
    verb: str = "POST",
    label: str = FORM,
    body: bytes | None = None,
    ip: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
    **form: str,
) -> Any:
    """Post the vendor's sample, changed and completed by `form`; `token` as its form field. `body`: this instead."""
    fields = {**({"oauth_token": token} if token else {}), **SAMPLE, **form}
    address = f"{path}?{urlencode(query)}" if query else path
    sent = {**({"Authorization": f"Bearer {bearer}"} if bearer else {}), **(headers or {})}
    data = urlencode(fields).encode() if body is None else body
    return Client(raise_request_exception=False).generic(verb, address, data, label, headers=sent, REMOTE_ADDR=ip)


def recorded() -> Rows:
    """Every fingerprint as it stands in the database."""
    return list(Fingerprint.objects.order_by("pk").values())  # type: ignore[arg-type]


@contextmanager
def turned_away(code: str, *, who: str, event: str = "request.refused") -> Iterator[None]:
    """What is done inside records nothing, changes no device and leaves one event: a refusal by `code`."""
    before = recorded()
    with refused_once(code, who=who, event=event):
        yield
    assert recorded() == before
