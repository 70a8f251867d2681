"""docs/phone.py against a real server: what the README walks through."""

import importlib.util
import json
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from devices.models import Device, DeviceKey, Transfer
from devices.tests.factories import bank_actor, make_application, make_bank, make_customer
from pki.models import Certificate, CertificatePolicy
from pki.operations.rotation_work import rotate_batch
from pki.states import CertificateState
from pki.tests.factories import make_ca
from portal.accounts.models import User
from portal.accounts.operations.clients import app_secret_digest
from twofa.models import EnrolmentPolicy, TwoFactorRequest
from twofa.operations.activation_codes import issue_activation_code
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import request_two_factor
from twofa.operations.contents import message_of
from twofa.states import RequestState
from twofa.tests.asking import SIGN_IN, bound, server_of
from twofa.tests.identities import id_token, make_provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.machine]

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "phone.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("phone", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Phone:
    """The script with a file of its own, and whom it is enrolled for."""

    def __init__(self, script: ModuleType, server: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.script, self.server, self.file, self.capsys = script, server, folder / "phone.json", capsys
        self.ada: User = make_customer(make_bank())
        make_provider(self.ada.bank)
        self.application = make_application(self.ada.bank, kind="bank", name="core banking")
        make_application(self.ada.bank, name="mobile", app_secret_digest=app_secret_digest("s3cret"))

    def run(self, *words: str) -> tuple[int, str]:
        """(exit code, everything it said)."""
        code = self.script.main(["--file", str(self.file), "--server", self.server, *words])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    def enrol(self) -> Device:
        EnrolmentPolicy.objects.update_or_create(bank=self.ada.bank, defaults={"in_person": True})
        actor = bank_actor(self.ada.bank)
        code = issue_activation_code(actor=actor, customer_id=self.ada.public_id, in_person=True).code
        told = ("--method", "bank-id", "--id-token", id_token(self.ada))
        done, said = self.run("enrol", "--app-secret", "s3cret", *told, "--code", code)
        assert (done, said) == (0, f"Enrolled for {self.ada.public_id}.\nSigned in by the key.\n")
        return Device.objects.get()

    def asked(self, text: str = "") -> TwoFactorRequest:
        actor = server_of(self.application)
        wanted: dict[str, Any] = {
            "account_id": self.ada.public_id,
            "kind": "sign-in",
            "facts": SIGN_IN,
            "text": text,
        }
        return request_two_factor(actor=actor, **wanted).request


@pytest.fixture
def phone(script: ModuleType, live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Phone:
    return Phone(script, live_server.url, tmp_path, capsys)


def test_it_enrols_with_a_key_of_its_own_and_keeps_it_to_itself(phone: Phone) -> None:
    device = phone.enrol()
    kept = json.loads(phone.file.read_text())
    assert DeviceKey.objects.get(device=device, proved_at__isnull=False).spelling == kept["public_key"]
    assert stat.S_IMODE(phone.file.stat().st_mode) == 0o600
    assert phone.run("status")[0] == phone.run("devices")[0] == 0


def test_it_shows_and_approves_and_denies(phone: Phone) -> None:
    phone.enrol()
    yes = phone.asked()
    code, said = phone.run("watch", "--once")
    assert code == 0
    for text in ("core banking asks: sign-in", str(yes.pk), *SIGN_IN.values()):
        assert text in said
    code, said = phone.run("approve", str(yes.pk), "--yes")
    assert (code, f"core banking asks: sign-in   {yes.pk}" in said, said.endswith("\nApproved.\n")) == (0, True, True)
    no = phone.asked()
    assert phone.run("deny", str(no.pk), "--not-me") == (0, "Denied.\n")
    yes.refresh_from_db()
    no.refresh_from_db()
    assert (yes.state, no.state) == (RequestState.APPROVED, RequestState.DENIED)
    assert yes.answer.verified
    code, said = phone.run("approve", str(no.pk), "--yes")
    assert (code, "\n409 " in said) == (1, True)


def answers(phone: Phone, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> list[str]:
    """Change in these ways what the server says of a request, outside of its message. Returns the calls made."""
    calls: list[str] = []
    send = phone.script.Phone.send

    def sent(self: Any, method: str, path: str, *rest: Any) -> Any:
        answer = send(self, method, path, *rest)
        if "/2fa" in path:
            calls.append(f"{method} {path.rpartition('/')[2]}")
        if answer and "twoFactorAuth" in answer:
            answer["twoFactorAuth"]["request"] |= changed
        return answer

    monkeypatch.setattr(phone.script.Phone, "send", sent)
    return calls


def test_it_shows_what_it_signs_and_fetches_it_once(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.enrol()
    asked = phone.asked("Line\n\x1b[2Jtwo")
    calls = answers(phone, monkeypatch, app={"appName": "Evil"}, userOpInfo={"type": "payment"})
    monkeypatch.setattr("builtins.input", lambda _: "")
    code, said = phone.run("approve", str(asked.pk))
    assert (code, "Evil" in said, "core banking asks: sign-in" in said) == (0, False, True)
    assert "  message      Line<U+000A><U+001B>[2Jtwo\n" in said
    assert (said.endswith("Not approved.\n"), calls) == (True, [f"GET {asked.pk}"])
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert phone.run("approve", str(asked.pk))[0] == 0
    assert calls[1:] == [f"GET {asked.pk}", "POST approve"]
    asked.refresh_from_db()
    assert asked.state == RequestState.APPROVED


@pytest.mark.parametrize("message", ["Send 5 to Cem?", "{}", "another"])
def test_it_signs_no_other_text(phone: Phone, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.enrol()
    asked = phone.asked()
    other = message_of(phone.asked()) if message == "another" else message
    calls = answers(phone, monkeypatch, message=other)
    code, said = phone.run("approve", str(asked.pk), "--yes")
    assert (code, said.endswith("There is nothing to sign in it.\n"), calls) == (1, True, [f"GET {asked.pk}"])


def test_without_somebody_to_ask_nothing_is_approved(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.enrol()
    asked = phone.asked()

    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    code, said = phone.run("approve", str(asked.pk))
    assert (code, said.endswith("There is nobody to ask: use approve with --yes, or deny.\n")) == (1, True)


def test_it_asks_what_to_answer(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.enrol()
    asked = phone.asked()
    monkeypatch.setattr("builtins.input", lambda _: "y")

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(phone.script.time, "sleep", stop)
    assert phone.run("watch")[0] == 130
    asked.refresh_from_db()
    assert asked.state == RequestState.APPROVED


def test_an_old_session_is_renewed(phone: Phone) -> None:
    phone.enrol()
    kept = json.loads(phone.file.read_text())
    phone.file.write_text(json.dumps(kept | {"access_token": "old"}))
    assert phone.run("status")[0] == 0
    renewed = json.loads(phone.file.read_text())
    assert renewed["refresh_token"] != kept["refresh_token"]


def test_it_asks_to_be_given_away(phone: Phone) -> None:
    phone.enrol()
    cem = make_customer(phone.ada.bank, "Cem")
    code, said = phone.run("transfer", cem.public_id, "--reason", "A gift")
    assert (code, "PENDING_APPROVAL" in said) == (0, True)
    assert Transfer.objects.get().new_owner_id == cem.pk


def test_it_gets_a_certificate_and_renews_it_with_another_key(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ca(phone.ada.bank)
    CertificatePolicy.objects.update(auto_sign=True)
    phone.enrol()
    code, said = phone.run("certificate")
    assert (code, "Certificate for CN=DEV_" in said) == (0, True), said
    before = json.loads(phone.file.read_text())
    monkeypatch.setattr(phone.script.time, "sleep", lambda _: rotate_batch(seconds=30))
    code, said = phone.run("rotate")
    assert code == 0, said
    after = json.loads(phone.file.read_text())
    assert after["certificate"] != before["certificate"]
    states = Certificate.objects.order_by("issued_at").values_list("state", flat=True)
    assert list(states)[-1] == CertificateState.ACTIVE


def test_the_demos_phone_can_be_taken(phone: Phone, tmp_path: Path) -> None:
    devices = [{"device_id": "DEV_1", "access_token": "t", "private_key_pem": "k", "public_key": "p"}]
    customer = {"customer_number": "C-1", "bank": "b", "devices": devices}
    applications = [
        {"kind": "mobile", "bank": "other", "app_secret": "theirs"},
        {"kind": "mobile", "bank": "b", "app_secret": "s"},
    ]
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps({"customers": [customer], "applications": applications}))
    assert phone.run("take", str(demo)) == (0, "This is DEV_1 now, of customer C-1.\n")
    assert json.loads(phone.file.read_text())["app_secret"] == "s"
    code, said = phone.run("status")
    assert (code, said[:4], said.endswith("Sign in again.\n")) == (1, "401 ", True)
    assert phone.run("take", str(demo), "--number", "1") == (1, f"{demo} has 1 phones: --number is one of 0 to 0.\n")


@pytest.mark.parametrize("step", ["status", "devices", "watch", "certificate", "rotate", "refresh"])
def test_a_phone_that_nobody_enrolled_says_so(phone: Phone, step: str) -> None:
    code, said = phone.run(step)
    assert (code, said.endswith(f"in {phone.file}. Use enrol, join or take first.\n")) == (1, True)


def test_what_is_wrong_is_told_in_a_line(phone: Phone, tmp_path: Path) -> None:
    assert phone.run("take", "/nowhere") == (1, "/nowhere cannot be read: No such file or directory.\n")
    phone.enrol()
    phone.server = "http://127.0.0.1:9"
    code, said = phone.run("status")
    assert (code, said.startswith("http://127.0.0.1:9 does not answer: "), said.count("\n")) == (1, True, 1)
    phone.file.write_text("no JSON")
    assert phone.run("status") == (1, f"{phone.file} holds something else.\n")


def test_a_refused_enrolment_leaves_the_phone_as_it_was(phone: Phone) -> None:
    phone.enrol()
    before = phone.file.read_text()
    told = ("--method", "bank-id", "--id-token", id_token(phone.ada), "--app-secret", "s3cret")
    code, said = phone.run("enrol", *told, "--code", "12345678")
    assert (code, said[:4]) == (1, "403 ")
    assert phone.file.read_text() == before


@pytest.mark.parametrize("answer", ["approve", "deny", "not me"])
def test_a_further_phone_is_let_in_by_the_first(
    phone: Phone, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = phone.enrol()
    waits = phone.script._answered

    def answered(*arguments: Any) -> Any:
        request = TwoFactorRequest.objects.whole().get()
        if answer == "approve":
            kept = phone.script.Phone(phone.file)
            signature = kept.sign(message_of(request))
            approve_request(actor=bound(first), id=str(request.pk), signature=signature)
        else:
            deny_request(actor=bound(first), id=str(request.pk), not_me=answer == "not me")
        return waits(*arguments)

    monkeypatch.setattr(phone.script, "_answered", answered)
    second = tmp_path / "second.json"
    told = ("--app-secret", "s3cret", "--method", "bank-id", "--id-token", id_token(phone.ada))
    code = phone.script.main(["--file", str(second), "--server", phone.server, "join", *told])
    said = phone.capsys.readouterr()
    asked = TwoFactorRequest.objects.get()
    assert said.out.startswith(f"Approve {asked.pk} on A terminal.\n")
    if answer == "approve":
        assert (code, said.err) == (0, "")
        assert said.out.endswith(f"Let in for {phone.ada.public_id}.\nSigned in by the key.\n")
        assert DeviceKey.objects.filter(proved_at__isnull=False).count() == 2
        return
    refusal = "403 request-denied: " if answer == "deny" else "The sign-in is over: "
    assert (code, said.err.startswith(refusal), second.exists()) == (1, True, False)
    assert Device.objects.count() == 1
