"""How tests knock at a door: a caller with a token, and what the log says afterwards."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from portal.audit.models import AuditEvent

ASSECO = "/v1/device/owned-devices"
ADIBA = "/v1/device/status"
HYPHEN = "/device/v1/devices"
SPID = "/api/2/devices"
PEERE = "/v1/bank/devices/list"
BOTH = [ASSECO, ADIBA]
JSON_TYPE = "application/json"
OURS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET CONSTRAINTS")


class Caller:
    """Somebody with a token (or without one) who sends JSON."""

    def __init__(self, token: str | None = None, **headers: str) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}

    def send(self, method: str, path: str, body: Any = None, *, label: str = JSON_TYPE, **headers: str) -> Any:
        """`body`: bytes are sent as they are, anything else as JSON, None not at all."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = label if data else ""
        return self.client.generic(method, path, data, kind, headers={**self.headers, **headers})

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("PUT", path, body, **headers)


def registered() -> list[dict[str, Any]]:
    """Every device as it stands in the database."""
    return list(Device.objects.order_by("pk").values())  # type: ignore[arg-type]


@contextmanager
def refused_once(code: str, *, who: str, event: str = "request.refused") -> Iterator[None]:
    """What is done inside changes no device and leaves exactly one event: a refusal by `code` that names `who`."""
    devices = registered()
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    yield
    assert registered() == devices
    found = AuditEvent.objects.exclude(pk__in=before)
    assert [(one.event, one.outcome, one.code, one.actor_label) for one in found] == [(event, "refused", code, who)]


@contextmanager
def nothing_written() -> Iterator[None]:
    """What is done inside changes no device and leaves no event."""
    devices, events = registered(), AuditEvent.objects.count()
    yield
    assert registered() == devices
    assert AuditEvent.objects.count() == events


@contextmanager
def at_most(queries: int) -> Iterator[None]:
    """What is done inside costs that many statements at most, not counting the borders of transactions."""
    with CaptureQueriesContext(connection) as captured:
        yield
    counted = [query["sql"] for query in captured if not query["sql"].lstrip().upper().startswith(OURS)]
    assert len(counted) <= queries, "\n".join(counted)


def golden(test_file: str, name: str) -> Any:
    """A sample body of the vendor's, from the `golden` folder beside a test."""
    return json.loads((Path(test_file).parent / "golden" / f"{name}.json").read_text(encoding="utf-8"))


def in_order(body: Any) -> list[str]:
    """Every key of a body in the order it was written, inner objects included."""
    if not isinstance(body, dict):
        return []
    return [key for name, value in body.items() for key in (name, *in_order(value))]
