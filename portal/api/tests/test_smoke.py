import json
import pytest
from django.test import Client
from devices.tests.factories import *
from portal.audit.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.api.urls")]


def test_smoke():
    ada = make_customer(make_bank(), customer_number="MIGR00002")
    t = make_token(user=ada)
    c = Client(headers={"authorization": f"bearer {t}"})
    r = c.post(
        "/v1/device/owned-devices",
        json.dumps(
            {
                "external-device-identifier": "990000862471854",
                "operating-system": "iOS 9.x",
                "nickname": "My Phone",
                "brand-name": "Apple IPhone",
                "model-name": "IP-6S",
            }
        ),
        content_type="application/json",
    )
    print(r, r.content, r.headers)
    for u in [
        "/v1/device/devices/990000862471854",
        "/v1/device/owned-devices/990000862471854",
        "/v1/device/owned-devices",
        "/v1/device/owned-devices?page=0&x=1",
        "/v1/device/status",
        "/v1/device/status/",
        "/v1/device/",
        "/v1/device",
        "/v1/device/devices/nope",
    ]:
        r = c.get(u)
        print(u, r.status_code, r.content, r.headers.get("Content-Type"))
    r = c.post("/v1/device/devices/990000862471854/unregister")
    print(r, r.content, r.headers)
    print(list(AuditEvent.objects.values_list("event", "code", "actor_label", "object_type", "data")))
