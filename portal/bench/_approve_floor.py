"""What an approval is measured against: the same token check, one ECDSA verification, the same rows by a cursor.

Also two addresses that make requests: some that are approved, and many that only wait.
"""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from devices.models import Device, DeviceKey
from portal.accounts.models import Application
from portal.api.auth import authenticate
from portal.api.dialect import respond
from portal.api.hyphen.wire import DIALECT
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as portal_urls
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.asking import Keyed, open_request
from twofa.operations.contents import Content, message_of

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

SIGN_IN: Final = {"type": "sign-in", "signIn": {"email": "ada@example.org", "ip": "192.0.2.7", "location": "Seoul"}}
DAY: Final = timedelta(days=1)
BATCH: Final = 2000


def _body(request: HttpRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.body)
    return found


def _asked(actor: Actor, device_id: str) -> tuple[Application, Device, DeviceKey]:
    device = Device.objects.select_related("owner").get(pk=device_id)
    application = Application.objects.select_related("bank").get(pk=actor.application_id or 0)
    return application, device, DeviceKey.objects.get(device=device, retired_at=None)


@csrf_exempt
def ask(request: HttpRequest) -> HttpResponse:
    """So many requests, as the operation makes them: their ids and messages. No budget counts them."""
    actor, _, _ = authenticate(request, DIALECT, frozenset({"twofa:request"}))
    wanted = _body(request)
    application, device, key = _asked(actor, wanted["device"])
    content = Content(operation=SIGN_IN, text="", source=None)
    with transaction.atomic():
        made = [
            open_request(actor, application, device.owner, content, Keyed(device, key)).request
            for _ in range(wanted["count"])
        ]
    return respond(200, {"requests": [{"id": str(one.pk), "message": message_of(one)} for one in made]})


@csrf_exempt
def fill(request: HttpRequest) -> HttpResponse:
    """So many requests that wait at the same device, and that nobody will answer."""
    actor, _, _ = authenticate(request, DIALECT, frozenset({"twofa:request"}))
    wanted = _body(request)
    application, device, _ = _asked(actor, wanted["device"])
    now = clock.now()
    for start in range(0, wanted["count"], BATCH):
        TwoFactorRequest.objects.bulk_create(
            TwoFactorRequest(
                bank=application.bank,
                account=device.owner,
                application=application,
                destination=device,
                kind="sign-in",
                proof="signature",
                content_sealed="x",
                message_sealed="x",
                requested_at=now - DAY,
                expires_at=now + DAY,
                cap_at=now + DAY,
            )
            for _ in range(start, min(start + BATCH, wanted["count"]))
        )
    return respond(200, {"open": TwoFactorRequest.objects.open().count()})


@csrf_exempt
def floor(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """What no implementation can do without: find, verify, decide, keep the answer, write it down."""
    actor, _, _ = authenticate(request, DIALECT, frozenset({"twofa"}))
    sent = _body(request)
    with connection.cursor() as cursor:
        found = TwoFactorRequest.objects.visible_to(actor).whole().filter(pk=request_id)
        cursor.execute(*found.query.sql_with_params())
        if cursor.fetchone() is None:
            return respond(404, None)
        key = load_pem_public_key(sent["key"].encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101  the benchmark made it
        key.verify(bytes.fromhex(sent["signature"]), sent["message"].encode(), ec.ECDSA(SHA256()))
        with transaction.atomic():
            _decide(cursor, actor, request_id)
    return respond(204, None)


def _decide(cursor: Any, actor: Actor, request_id: UUID) -> None:
    now, device = clock.now(), actor.device_id
    assert device is not None  # noqa: S101  the benchmark's token is bound to one
    cursor.execute(*Device.objects.select_for_update(of=("self",)).filter(pk=device).query.sql_with_params())
    cursor.fetchone()
    cursor.execute(
        "UPDATE twofa_twofactorrequest SET state = 'approved', closed_at = %s WHERE id = %s AND state = 'pending' "
        "AND destination_id = %s AND expires_at > %s AND EXISTS "
        "(SELECT 1 FROM devices_devicekey WHERE device_id = %s AND retired_at IS NULL)",
        [_time(now), _id(request_id), _id(device), _time(now), _id(device)],
    )
    if cursor.rowcount != 1:
        raise RuntimeError("the request was closed")
    answer = Answer(
        request_id=request_id, decision="approved", device_id=device, proof="transaction-id", verified=False,
        signature="0" * 128, tx_id="0" * 64, message_sealed="x" * 1200, answered_at=now,
    )  # fmt: skip
    event = AuditEvent(
        at=now, event="bench.floor", outcome="done", actor_kind="customer", actor_id="0" * 32, channel="hyphen",
        bank_id=actor.bank_id, device_id=device, object_type="twofactorrequest", object_id=str(request_id),
        data="x" * 500, mac_key="a1", mac="0" * 64,
    )  # fmt: skip
    event.id = ids.uuid7()
    for row in (answer, event):
        _insert(cursor, row)


def _insert(cursor: Any, row: models.Model) -> None:
    fields = [field for field in row._meta.concrete_fields if field.column]
    names = ", ".join(str(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    cursor.execute(f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({marks})", values)  # noqa: S608  our own names


def _id(value: UUID) -> object:
    return value if connection.features.has_native_uuid_field else value.hex


def _time(value: Any) -> object:
    return connection.ops.adapt_datetimefield_value(value)


urlpatterns = [
    path("device/v1/bench-ask", ask),
    path("device/v1/bench-fill", fill),
    path("device/v1/bench-floor/<uuid:request_id>", floor),
    *portal_urls,
]
