"""Whoever copies the database, the logs and Valkey learns no phrase, device id, contact, PIN, code or token."""

import base64
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from celery import Celery
from django.conf import LazySettings
from django.core import mail
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from devices.models import Device, ImportRun, Transfer
from devices.operations import import_work
from devices.operations.transfers import approve_transfer
from devices.tests.factories import make_bank, make_key, make_staff, make_token, staff_actor
from merchants.models import Sighting
from portal import doorbell, jobs, ratelimit
from portal.accounts.models import Bank, User
from portal.accounts.operations.clients import Created, create_application
from portal.accounts.operations.people import create_customer, create_staff
from portal.accounts.roles import Role
from portal.accounts.scopes import CUSTOMER_SCOPES
from portal.accounts.tests.conftest import FORM, basic
from portal.accounts.tests.people import SYSTEM, make_client, proof_of
from portal.api.spid.tests.knocking import send
from portal.api.tests.doors import Caller
from portal.outbox.models import Message, MessageState
from portal.outbox.operations import deliver
from portal.outbox.tests.fakes import Service, http_service
from portal.tests.dumping import found, log_lines, tables, valkey
from portal.web.tests.helpers import signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)

PHONE, TABLET, UNKNOWN = "device_k3x9q2v7m1zz", "device_t8b5w4n6p0yy", "device_nobody5r2h7qxx"
PHRASE, OTHER_PHRASE, SEARCHED = "Ada am Hafen Süd", "Cem unter Kastanien", "Nobody said this one"
ADAS, CEMS = ("+2348012345678", "ada.lovelace@mail.example"), ("+2348087654321", "cem.yilmaz@mail.example")
STAFF_EMAIL, PASSWORD = "dora.staff@bank.example", "correct horse battery staple"
PIN, NEXT, WRONG = "194738", "307392", "430174"  # below the number of the hour, which stands in names of counters
HANDLE, CARD, REFERENCE = "push-handle-91f3c2", "4111111111111111", "CARD-REFERENCE-77120934"
PUT_IN = "typed+by-hand@mail.example"
ROWS = (f"{REFERENCE},Token", f"T2,{CARD}")
CODE = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")


class Walk:
    """What a bank, its customers, its staff and a merchant do in a day, and every secret that passes by."""

    def __init__(self, sms: Service) -> None:
        self.sms = sms
        self.secrets = {
            "device id": PHONE,
            "second device id": TABLET,
            "id looked up": UNKNOWN,
            "phrase": PHRASE,
            "second phrase": OTHER_PHRASE,
            "phrase searched for": SEARCHED,
            "phone": ADAS[0],
            "phone without country": ADAS[0][4:],
            "e-mail": ADAS[1],
            "second phone": CEMS[0],
            "second e-mail": CEMS[1],
            "e-mail of staff": STAFF_EMAIL,
            "password": PASSWORD,
            "PIN": PIN,
            "next PIN": NEXT,
            "wrong PIN": WRONG,
            "push handle": HANDLE,
            "full card number": CARD,
            "e-mail to approve": PUT_IN,
        }
        self.bank: Bank = make_bank("harbour")
        self.ada, self.cem = self.customer("Ada", "C-1001", ADAS), self.customer("Cem", "C-1002", CEMS)
        self.mobile, self.server_client = self.client("mobile"), self.client("bank")
        self.server = self.signed_in(self.server_client)
        self.shop = self.signed_in(self.client("merchant"))

    def customer(self, name: str, number: str, contact: tuple[str, str]) -> User:
        phone, email = contact
        return create_customer(
            actor=SYSTEM, bank=self.bank, customer_number=number, name=name, phone=phone, email=email
        )

    def client(self, kind: str) -> Created:
        created = make_client(self.bank, kind)
        return self.keep(f"secret of the {kind}", created.client_secret, created)

    def keep[Value](self, name: str, secret: str, value: Value) -> Value:
        assert secret
        self.secrets[name] = secret
        return value

    def signed_in(self, created: Created) -> Caller:
        """By the client's own secret, over HTTP."""
        headers = {"Authorization": basic(created.application.client_id, created.client_secret)}
        answer = Client().post("/oauth/token", "grant_type=client_credentials", content_type=FORM, headers=headers)
        token = answer.json()["access_token"]
        return self.keep(f"token of {created.application.name}", token, Caller(token))

    def owner(self, person: User, device: Device | None = None) -> Caller:
        token = make_token(user=person, application=self.mobile.application, device=device)
        return self.keep(f"token {len(self.secrets)}", token, Caller(token))

    def registered(self, name: str) -> Device:
        facts = {"external-device-identifier": name, "push-platform": "gcm", "push-handle": f"{HANDLE}-{name[-4:]}"}
        must(self.owner(self.ada).post("/v1/device/owned-devices", facts))
        switch = {"deviceId": name, "action": "ACTIVATE", "reason": "Seen at the branch"}
        must(self.server.post("/v1/device/status", switch))
        return Device.objects.get_named(name, self.bank.pk)

    def link(self) -> None:
        self.registered(PHONE)
        path, fields = "/v1/bank/customer/device", {"customerId": "C-1001", "phrase": PHRASE, "deviceId": PHONE}
        must(self.server.post(f"{path}/link", fields, **{"Idempotency-Key": "a" * 32}))
        must(self.server.post(f"{path}/link", fields | {"phrase": OTHER_PHRASE}), 409)
        must(self.server.post(f"{path}/link", fields | {"customerId": "C-1002", "phrase": OTHER_PHRASE}), 409)
        must(self.server.post(f"{path}/unlink", fields | {"phrase": OTHER_PHRASE}), 404)
        for search in (PHRASE, PHONE, "C-1001", SEARCHED):
            answer = must(self.server.get(f"/v1/bank/devices/list?search={quote(search)}"))
            assert answer.json()["data"]["total"] == (0 if search == SEARCHED else 1)
        assert (
            must(self.shop.post("/v1/customer/device/lookup", {"deviceId": PHONE})).json()["data"]["phrase"] == PHRASE
        )
        must(self.shop.post("/v1/customer/device/lookup", {"deviceId": UNKNOWN}), 404)
        must(self.shop.post("/v1/customer/device/lookup", {"deviceId": f"{UNKNOWN} {PHRASE}"}), 400)
        assert Sighting.objects.count() == 1

    def ask(self) -> None:
        """Something that holds an address of its own is asked for and shown on the phone."""
        phone = Device.objects.get_named(PHONE, self.bank.pk)
        make_key(phone)
        info = {"type": "sign-in", "signIn": {"email": PUT_IN, "ip": "192.0.2.7", "location": "Seoul"}}
        must(self.server.post("/device/v1/2fa", {"accountId": self.ada.public_id, "userOpInfo": info}), 201)
        assert PUT_IN in must(self.owner(self.ada, phone).get("/device/v1/2fa")).content.decode()

    def pin(self) -> None:
        owner, name = self.owner(self.ada), Device.objects.get_named(PHONE, self.bank.pk).public_id
        must(owner.post("/v1/device/pin", {"deviceId": name, "pin": PIN, "confirmPin": PIN}))
        change = {"deviceId": name, "currentPin": WRONG, "newPin": NEXT, "confirmNewPin": NEXT}
        assert owner.post("/v1/device/pin/change", change).status_code >= 400
        for method, field, value in (("SMS", "phoneNumber", ADAS[0]), ("EMAIL", "email", ADAS[1])):
            reset = {"deviceId": name, "resetMethod": method, "verificationData": {field: value}}
            started = must(owner.post("/v1/device/pin/reset", reset), 202)
        code = self.delivered("code of the PIN")
        confirm = {"resetId": started.json()["resetId"], "verificationCode": code}
        must(owner.post("/v1/device/pin/confirm", confirm | {"newPin": NEXT, "confirmNewPin": NEXT}))

    def transfer(self) -> None:
        tablet, avi = self.registered(TABLET), make_staff(self.bank, Role.APPROVER, "Avi")
        wanted = {"deviceId": tablet.public_id, "newOwnerId": self.cem.public_id, "transferReason": "A gift"}
        wanted["currentOwnerId"] = self.ada.public_id
        must(self.owner(self.ada).post("/v1/device/ownership/transfer", wanted), 202)
        transfer = Transfer.objects.get()
        approve_transfer(actor=staff_actor(avi), transfer_id=transfer.public_id, proof=proof_of(avi))
        code = self.delivered("code of the transfer")
        accept = {"transferId": transfer.public_id, "acceptanceCode": code, "acceptorId": self.cem.public_id}
        must(self.owner(self.cem).post("/v1/device/ownership/accept", accept))

    def delivered(self, name: str) -> str:
        """Send all that waits; the code in the newest text that has one."""
        sent, mailed = len(self.sms.asked), len(mail.outbox)
        for message in Message.objects.exclude(kind="push").filter(state=MessageState.PENDING).order_by("id"):
            assert deliver(message.pk) is MessageState.SENT
        texts = [one.body.decode() for one in self.sms.asked[sent:]] + [str(one.body) for one in mail.outbox[mailed:]]
        codes: list[str] = [code for text in texts for code in CODE.findall(text)]
        for number, code in enumerate(codes):
            self.keep(f"{name} {number}", code, None)
        return codes[-1]

    def bring_in(self) -> None:
        """A file of tokens, one line with a full card number."""
        bea = signed_in_client(make_staff(self.bank, Role.OPERATOR, "Bea"))
        rows = (
            f"customer-number,kind,reference,model\nC-1001,otp-token,{REFERENCE},Token\nC-1001,otp-token,T2,{CARD}\n"
        )
        upload = SimpleUploadedFile("tokens.csv", rows.encode(), "text/csv")
        must(bea.post("/issued/imports/new", {"file": upload}), 302)
        run = ImportRun.objects.get()
        digest = bea.get(f"/issued/imports/{run.pk}").context["digest"]
        must(bea.post(f"/issued/imports/{run.pk}/start", {"digest": digest, "reason": "New stock"}), 302)
        import_work.run_import(str(run.pk))
        self.keep("session", bea.cookies["portal_session"].value, None)

    def hire(self) -> None:
        words = {
            "username": "dora",
            "name": "Dora",
            "role": Role.OPERATOR,
            "password": PASSWORD,
            "email": STAFF_EMAIL,
        }
        create_staff(actor=SYSTEM, bank=self.bank, **words)
        page = Client()
        page.get("/sign-in")
        page.post("/sign-in", {"username": "dora", "password": PASSWORD[1:]})
        page.post("/sign-in", {"username": "dora", "password": PASSWORD})
        self.keep("wrong password", PASSWORD[1:], None)

    def sign(self) -> None:
        """A client whose answers are signed by a secret of its own."""
        created = create_application(
            actor=SYSTEM, bank=self.bank, kind="mobile", name="SPiD", dialects=["spid"],
            scopes=sorted(CUSTOMER_SCOPES), signed_answers=True,
        )  # fmt: skip
        token = make_token(user=self.ada, application=created.application)
        self.keep("sign secret", created.sign_secret, None)
        self.keep("app secret", created.app_secret, None)
        self.keep("token in a form", token, None)
        assert send(token).json()["sig"]


def must(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, (response.status_code, response.content[:300])
    return response


@pytest.fixture
def real_valkey(settings: LazySettings, valkey_socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache and the doorbell of the whole test are in a real server."""
    settings.CACHES = {
        "default": {"BACKEND": "portal.valkey.ValkeyCache", "LOCATION": f"unix://{valkey_socket}?db=1"}
    }
    settings.JOB_SENDER = "portal.doorbell.send"
    app = Celery("test")
    app.conf.update(broker_url=f"redis+socket://{valkey_socket}?virtual_host=0", task_default_queue="portal")
    monkeypatch.setattr(doorbell, "app", app)
    doorbell._connection.cache_clear()
    ratelimit.breaker.reset()
    jobs.breaker.reset()
    cache.clear()
    yield valkey_socket
    doorbell._connection.cache_clear()


def test_no_secret_of_a_day_stands_anywhere(real_valkey: Path, settings: LazySettings) -> None:
    with log_lines() as lines, http_service() as sms:
        settings.SMS_URL, settings.SMS_TOKEN, settings.SMS_FROM = sms.url, "token-of-the-gateway", "Bank"
        settings.DEMO, settings.EMAIL_HOST_GIVEN = False, True
        walk = Walk(sms)
        for step in (walk.link, walk.ask, walk.pin, walk.transfer, walk.bring_in, walk.hire, walk.sign):
            step()
    rows, keys = tables(), valkey(real_valkey)
    assert sum(map(len, rows.values())) > 1000
    assert len(lines["log"]) > 20
    assert any("portal:" in name or "rate:" in name for name in keys)
    assert any(name == "valkey 0 portal" for name in keys)
    assert len(sms.asked) + len(mail.outbox) > 2
    assert found(walk.secrets, rows, keys, lines) == []


@pytest.mark.parametrize("written", ["plain", "upper", "hex", "base64", "base64url"])
def test_the_search_finds_what_is_written_otherwise(written: str) -> None:
    spelled = {
        "plain": PHRASE,
        "upper": PHRASE.upper(),
        "hex": PHRASE.encode().hex(),
        "base64": base64.b64encode(f"[{PHRASE}]".encode()).decode(),
        "base64url": base64.urlsafe_b64encode(f"{string.ascii_letters[:2]}{PHRASE}?>".encode()).decode(),
    }
    make_bank("harbour")
    Bank.objects.update(name=f"x{spelled[written]}x")
    assert found({"phrase": PHRASE}, tables()) == ["phrase in accounts_bank.name"]


def test_the_search_finds_a_short_number_that_stands_alone() -> None:
    bank = make_bank("harbour")
    Bank.objects.update(name=f"his PIN: {PIN}.")
    assert found({"PIN": PIN}, tables()) == ["PIN in accounts_bank.name"]
    Bank.objects.filter(pk=bank.pk).update(name=f"a1{PIN}f7")
    assert found({"PIN": PIN}, tables()) == []
