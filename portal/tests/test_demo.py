"""The demo's data, and the file that tells how to use it."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Transfer
from devices.operations.activation import deactivate_device
from merchants.models import Link, LookupHour, Merchant, Sighting
from pki.models import Certificate, CertificateAuthority
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.operations.sign_in import check_password
from portal.accounts.tokens import find_token, reason_dead
from portal.approvals.models import ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.crypto.keys import parse_public_key
from portal.crypto.signatures import verify
from portal.demo import DemoRefused, ensure_demo, provider
from portal.demo.scenes import make_scenes
from portal.outbox.models import Message
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.closing import expire_requests

pytestmark = pytest.mark.django_db(transaction=True)

SEED_SAMPLES = {
    "990000862471854",
    "My Phone",
    "392a0a88-a1ab-4832-b092-5269c8722328",
    "deadbeef-dead-beef-cafe-deadbeefcafe",
    "DEV_001_20241201_001",
}


@pytest.fixture
def var(tmp_path: Path, settings: Any) -> Path:
    settings.VAR = tmp_path
    settings.BASE_URL = "http://127.0.0.1:8000"
    return tmp_path


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_each_bank_gets_an_authority_once(var: Path) -> None:
    ensure_demo(var / "demo.json")
    ensure_demo(var / "demo.json")
    issuing = CertificateAuthority.objects.exclude(bank=None).order_by("name")
    assert list(issuing.values_list("name", "parent__name", "bank__certificate_policy__zone")) == [
        ("Fjord Savings CA 1", "Demo Root", "devices.fjord.example"),
        ("Harbour Bank CA 1", "Demo Root", "devices.harbour.example"),
    ]


def test_an_empty_database_gets_the_whole_cast(var: Path) -> None:
    assert ensure_demo(var / "demo.json")
    assert (var / "demo.json").stat().st_mode & 0o777 == 0o600
    demo = read(var / "demo.json")

    assert list(demo) == [
        "base_url",
        "banks",
        "staff",
        "customers",
        "applications",
        "newcomers",
        "identity_provider",
    ]
    first, second = (bank["code"] for bank in demo["banks"])
    assert Counter((row["bank"], row["role"]) for row in demo["staff"]).most_common(1)[0][1] == 1
    assert len(demo["staff"]) == 12
    assert [row["bank"] for row in demo["customers"]] == [first, first, first, second]
    assert demo["customers"][0]["customer_number"] == "MIGR00002"
    assert [(row["bank"], row["kind"]) for row in demo["applications"]] == [
        (first, "bank"),
        (first, "mobile"),
        (first, "merchant"),
        (first, "merchant"),
        (second, "bank"),
        (second, "mobile"),
    ]
    for customer in demo["customers"]:
        assert [parse_public_key(phone["public_key"]).algorithm for phone in customer["devices"]] == [
            "p256",
            "ed25519",
        ]
        assert [card["kind"] for card in customer["issued"]] == ["payment-card", "otp-token"]
    assert Device.objects.active().count() == Device.objects.count() == 16
    assert AuditEvent.objects.filter(outcome="refused").count() == 0


def test_something_has_happened_already(var: Path) -> None:
    ensure_demo(var / "demo.json")
    states = Counter(TwoFactorRequest.objects.values_list("bank__code", "state"))
    assert states == {
        ("harbour", "approved"): 2,
        ("harbour", "denied"): 2,
        ("harbour", "pending"): 2,  # one of them for half a minute
        ("fjord", "approved"): 2,
        ("fjord", "denied"): 1,
        ("fjord", "pending"): 2,
    }
    assert Answer.objects.filter(verified=True).count() == 4
    assert [answer.request.account.name for answer in Answer.objects.filter(not_me=True)] == ["Tunde Bello"]
    assert list(Transfer.objects.values_list("state", flat=True)) == ["PENDING_APPROVAL"]
    assert list(ApprovalRequest.objects.values_list("operation", "state")) == [("client.approval-proof", "PENDING")]
    assert list(Certificate.objects.values_list("state", flat=True)) == ["ACTIVE"]
    assert Counter(Link.objects.open().values_list("customer__name", flat=True)) == {
        "Tunde Bello": 1,
        "Kim Min-ji": 2,
        "Ola Nordmann": 1,
    }
    assert Counter(Sighting.objects.values_list("merchant__application__name", flat=True)) == {
        "Corner Books": 3,
        "Northside Garage": 2,
    }
    assert list(LookupHour.objects.values_list("misses", "refused")) == [(1, 0), (1, 0)]
    assert list(Merchant.objects.values_list("budget_now", "plain_ids")) == [(100, False), (100, False)]
    assert set(Message.objects.exclude(service="").values_list("service", flat=True)) == {"apns", "gcm"}

    with time_machine.travel(clock.now() + timedelta(seconds=31), tick=False):
        assert TwoFactorRequest.objects.open().count() == 2
        assert expire_requests() == 2
    before = TwoFactorRequest.objects.count()
    ensure_demo(var / "demo.json")
    assert TwoFactorRequest.objects.count() == before


def test_the_scenes_take_no_second_of_the_first_start(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: SQLite takes some tenths of a millisecond for one of these statements."""
    counted: list[int] = []

    def watched(content: dict[str, Any]) -> None:
        with CaptureQueriesContext(connection) as statements:
            make_scenes(content)
        counted.append(len(statements))

    monkeypatch.setattr("portal.demo.ensure.make_scenes", watched)
    ensure_demo(var / "demo.json")
    ensure_demo(var / "demo.json")
    assert len(counted) == 1
    assert counted[0] < 500


def test_every_key_and_token_in_the_file_works(var: Path) -> None:
    ensure_demo(var / "demo.json")
    demo = read(var / "demo.json")
    bearers = [*demo["staff"], *demo["customers"], *(row for row in demo["applications"] if row["kind"] != "mobile")]
    for phone in (phone for customer in demo["customers"] for phone in customer["devices"]):
        bearers.append(phone)
        key: Any = load_pem_private_key(phone["private_key_pem"].encode(), None)
        public = parse_public_key(phone["public_key"])
        if public.algorithm == "ed25519":
            assert verify(public, b"message", key.sign(b"message"))
        device = Device.objects.get(pk=phone["uuid"])
        assert (device.public_id, device.external_id) == (phone["device_id"], phone["external_id"])
        assert phone["external_id"] not in SEED_SAMPLES
        assert device.nickname not in SEED_SAMPLES
    for row in bearers:
        token = find_token(row["access_token"])
        assert token is not None
        assert reason_dead(token) is None
        assert 86_000 < (token.expires - clock.now()).total_seconds() <= 86_400


def test_a_phone_is_linked_and_looked_up_with_what_stands_in_the_file(var: Path) -> None:
    """As the README has it."""
    ensure_demo(var / "demo.json")
    demo = read(var / "demo.json")
    customer, device = demo["customers"][0], demo["customers"][0]["devices"][0]["device_id"]
    tokens = {kind: next(row for row in demo["applications"] if row["kind"] == kind) for kind in ("bank", "merchant")}
    bank, merchant = ({"Authorization": f"Bearer {row['access_token']}"} for row in tokens.values())
    body = {"customerId": customer["customer_number"], "phrase": "Adaeze by the sea", "deviceId": device}
    client = Client()
    linked = client.post("/v1/bank/customer/device/link", body, "application/json", headers=bank)
    assert linked.json() == {"statusCode": 200, "success": True, "message": "Device linked successfully"}
    assert client.get("/v1/bank/devices/list", headers=bank).json()["data"]["total"] == 4
    found = client.post("/v1/customer/device/lookup", {"deviceId": device}, "application/json", headers=merchant)
    told = found.json()["data"]
    assert (told["deviceId"], told["phrase"], told["bankId"]) == (device, "Adaeze by the sea", "harbour")
    assert told["customerId"].startswith("PCI_")


def test_a_newcomer_signs_up_with_what_stands_in_the_file(var: Path) -> None:
    ensure_demo(var / "demo.json")
    demo = read(var / "demo.json")
    newcomer = demo["newcomers"][0]
    mobile = next(row for row in demo["applications"] if (row["kind"], row["bank"]) == ("mobile", newcomer["bank"]))
    sent = {"customerNumber": newcomer["customer_number"]}
    given = Client().post("/demo/provider/id-token", sent, "application/json").json()
    key = demo["customers"][0]["devices"][0]["public_key"]  # somebody else's, and never proved: it counts for nothing
    device = {"id": "my-first", "name": "Mine", "osName": "Android", "osVersion": "16", "type": "mobile"}
    body = {
        "method": demo["identity_provider"]["method"],
        "token": given["idToken"],
        "activationCode": newcomer["activation_code"],
        "userKey": {"type": "device", "device": device, "publicKey": key},
    }
    headers = {"X-Hyphen-App-Secret": mobile["app_secret"]}
    assert Client().post("/auth/v1/signup", body, "application/json", headers=headers).status_code == 201
    ensure_demo(var / "demo.json")
    assert [row["activation_code"] is None for row in read(var / "demo.json")["newcomers"]] == [True, False]


def test_the_demos_provider_is_the_demos(var: Path, settings: Any) -> None:
    settings.DEMO_PROVIDER = False
    sent = {"customerNumber": "MIGR00002"}
    assert Client().post("/demo/provider/id-token", sent, "application/json").status_code == 404
    assert [Client().get(f"/demo/provider/{name}").status_code for name in ("keys", "authorize")] == [404, 404]
    with pytest.raises(provider.NotInTheDemo):
        provider.sign("MIGR00002")


def test_every_member_of_staff_can_sign_in(var: Path) -> None:
    ensure_demo(var / "demo.json")
    for row in read(var / "demo.json")["staff"]:
        user = check_password(
            actor=Actor.anonymous(Channel.PORTAL, ip="127.0.0.1"), username=row["username"], password=row["password"]
        )
        assert (user.role, user.bank.code) == (row["role"], row["bank"])
        assert user.totp.confirmed


def test_a_second_start_renews_only_what_has_ended(var: Path) -> None:
    ensure_demo(var / "demo.json")
    before = read(var / "demo.json")
    events = AuditEvent.objects.count()
    assert not ensure_demo(var / "demo.json")
    assert read(var / "demo.json") == before
    assert AuditEvent.objects.count() == events

    AccessToken.objects.filter(user=User.objects.get(username=before["staff"][0]["username"])).update(
        expires=clock.now()
    )
    phone = before["customers"][0]["devices"][0]
    actor = Actor.system("test")
    deactivate_device(actor=actor, device_id=phone["uuid"])
    ensure_demo(var / "elsewhere.json")
    after = read(var / "elsewhere.json")
    assert after["staff"][0]["access_token"] != before["staff"][0]["access_token"]
    assert after["staff"][1:] == before["staff"][1:]
    # A device that is switched off gets no new session.
    assert after["customers"] == before["customers"]


def test_a_lost_file_and_production_are_refused(var: Path, settings: Any) -> None:
    ensure_demo(var / "demo.json")
    (var / "demo.json").unlink()
    with pytest.raises(DemoRefused, match="begin anew"):
        ensure_demo(var / "demo.json")
    settings.DEMO = False
    with pytest.raises(DemoRefused, match="PORTAL_MODE"):
        ensure_demo(var / "demo.json")
    assert Bank.objects.count() == 2
