"""The vendor's four calls on two-factor requests with its own samples, and the one that is ours."""

import json
from typing import Any

import pytest

from devices.models import Device, DeviceKey
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_token
from portal import vault
from portal.accounts.models import Application, User
from portal.api.hyphen.pushing import MOST_BYTES
from portal.api.hyphen.tests.keys import enrolled
from portal.api.tests.doors import Caller, at_most, golden, in_order, refused_once
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.outbox.models import Message
from portal.outbox.operations import BODY
from twofa.models import TwoFactorRequest
from twofa.tests.asking import PAYMENT, SIGN_IN, make_phone, rows, sign

pytestmark = pytest.mark.django_db

TWO_FACTOR = "/device/v1/2fa"
REPRESENTATION = {"Prefer": "return=representation"}
DESCRIBED: dict[str, Any] = {
    "manufacturer": "Apple",
    "model": "SM-265N",
    "operating_system": "iOS 16.2",
    "sdk_version": "1.0.0",
    "language": "en",
    "kind": "mobile",
}


class Scene:
    """As the vendor's sample has it: two phones of one person, and the application that asks."""

    def __init__(self, ada: User, settings: Any, **rules: Any) -> None:
        settings.DEMO = True  # push messages leave, to the sink
        self.ada = ada
        self.source = make_phone(ada, "source", nickname="iPhone 14", push_handle="source-handle", **DESCRIBED)
        self.phone = make_phone(ada, "ada", nickname="iPhone 15", push_handle="phone-handle", **DESCRIBED)
        Device.objects.filter(pk=self.phone.pk).update(nickname="iPhone 14")
        self.application: Application = make_application(ada.bank, kind="bank", name="Swirl", **rules)
        self.mobile = make_application(ada.bank, name="mobile")
        self.server = Caller(make_token(application=self.application))
        self.waiting = self.bound(self.source)
        self.answering = self.bound(self.phone)

    def bound(self, device: Device) -> Caller:
        owner = device.owner
        mobile = self.mobile if owner.bank == self.ada.bank else make_application(owner.bank)
        return Caller(make_token(user=owner, device=device, application=mobile))

    def body(self, **values: Any) -> dict[str, Any]:
        info = golden(__file__, "twofa.answer")["twoFactorAuth"]["request"]["userOpInfo"]  # with its no-break space
        given = {"accountId": self.ada.public_id, "userOpInfo": info, "srcDeviceId": str(self.source.pk)}
        return {**given, **values}

    def ask(self, **values: Any) -> dict[str, Any]:
        response = self.server.post(TWO_FACTOR, self.body(**values))
        assert response.status_code == 201, response.content
        answer: dict[str, Any] = response.json()
        return answer

    def living(self, asked: dict[str, Any], viewer: Device | None, **values: Any) -> dict[str, Any]:
        """The sample with the ids, keys, tokens and times of what lives here."""
        body: dict[str, Any] = golden(__file__, "twofa.answer")
        inner, sample = body["twoFactorAuth"], asked["twoFactorAuth"]
        request = inner["request"]
        for name in ("id", "accountId", "expiresAt"):
            inner[name] = sample[name]
        for name in ("id", "message", "requestedAt"):
            request[name] = sample["request"][name]
        request["app"] = {"appId": self.application.client_id, "appName": "Swirl"}
        for name, device in (("srcDevice", self.source), ("destDevice", self.phone)):
            own = device == viewer
            request[name] |= {
                "id": str(device.pk),
                "publicKey": DeviceKey.objects.get(device=device).spelling,
                "pushToken": device.push_handle if own else "",
            }
        inner |= values
        return body


@pytest.fixture
def scene(ada: User, settings: Any) -> Scene:
    return Scene(ada, settings)


def path_of(asked: dict[str, Any]) -> str:
    return f"{TWO_FACTOR}/{asked['twoFactorAuth']['id']}"


def signature_of(asked: dict[str, Any], name: str = "ada") -> str:
    return sign(asked["twoFactorAuth"]["request"]["message"], name)


def as_printed(response: Any, expected: dict[str, Any]) -> None:
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert json.dumps(response.json(), indent=1).splitlines() == json.dumps(expected, indent=1).splitlines()
    assert in_order(response.json()) == in_order(expected)


# The samples.


def test_the_status_is_as_printed_for_both_sides(scene: Scene) -> None:
    asked = scene.ask()
    for caller, viewer in ((scene.waiting, scene.source), (scene.answering, scene.phone), (scene.server, None)):
        as_printed(caller.get(path_of(asked), Accept="*/*"), scene.living(asked, viewer, result=None))


def test_asking_again_is_as_printed(scene: Scene) -> None:
    asked = scene.ask()
    body = {**golden(__file__, "twofa-again.request"), "destDeviceId": str(scene.phone.pk)}
    response = scene.waiting.put(path_of(asked), body)
    again = response.json()
    assert again["twoFactorAuth"]["request"]["id"] != asked["twoFactorAuth"]["request"]["id"]
    as_printed(response, scene.living(again, scene.source, result=None))


def test_a_denial_is_as_printed(scene: Scene) -> None:
    asked = scene.ask()
    response = scene.answering.send("DELETE", path_of(asked), Accept="*/*", **REPRESENTATION)
    assert response["Preference-Applied"] == "return=representation"
    as_printed(response, scene.living(asked, scene.phone, status="denied", result=None))


def test_an_approval_is_as_printed_by_an_application_that_signs(scene: Scene) -> None:
    asked = scene.ask()
    sample = golden(__file__, "twofa-approve.request")
    response = scene.answering.post(
        f"{path_of(asked)}/approve", {**sample, "signature": signature_of(asked)}, **REPRESENTATION
    )
    as_printed(response, scene.living(asked, scene.phone, status="approved", result={"txId": "deadbeef...deadbeef"}))


def test_an_approval_is_as_printed_by_an_application_that_sends_only_its_id(ada: User, settings: Any) -> None:
    scene = Scene(ada, settings, approval_proof="transaction-id")
    asked = scene.ask(message="deadbeefdeadbeefdeadbeef")
    sample = golden(__file__, "twofa.answer")["twoFactorAuth"]["request"]["message"]
    assert asked["twoFactorAuth"]["request"]["message"] == sample
    approve = golden(__file__, "twofa-approve.request")
    response = scene.answering.post(f"{path_of(asked)}/approve", approve, **REPRESENTATION)
    as_printed(response, scene.living(asked, scene.phone, status="approved", result={"txId": approve["txId"]}))
    assert scene.server.get(path_of(asked)).json()["answer"] == {
        "proof": "transaction-id",
        "signed": False,
        "notMe": False,
    }


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_without_a_preference_an_answer_is_empty(answer: str, scene: Scene) -> None:
    asked = scene.ask()
    if answer == "approve":
        response = scene.answering.post(f"{path_of(asked)}/approve", {"signature": signature_of(asked)})
    else:
        response = scene.answering.send("DELETE", path_of(asked))
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response
    assert (
        scene.waiting.get(path_of(asked)).json()["twoFactorAuth"]["status"]
        == {
            "approve": "approved",
            "deny": "denied",
        }[answer]
    )


def test_every_text_is_a_text(scene: Scene) -> None:
    """The SDKs stop at a null: where no registered device waits, the source is of empty texts."""
    asked = scene.ask(srcDeviceId=None, destDeviceId=str(scene.phone.pk))["twoFactorAuth"]
    assert (asked["extra"], asked["result"], asked["status"]) == (None, None, "pending")
    assert set(asked["request"]["srcDevice"].values()) == {""}
    assert all(isinstance(value, str) for value in asked["request"]["destDevice"].values())
    assert list(asked["request"]["srcDevice"]) == list(asked["request"]["destDevice"])


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("pending", "pending"),
        ("expired", "pending"),
        ("approved", "approved"),
        ("denied", "denied"),
        ("cancelled", "denied"),
    ],
)
def test_there_are_three_statuses(state: str, status: str, scene: Scene) -> None:
    asked = scene.ask()
    [row] = TwoFactorRequest.objects.all()
    closed = None if state == "pending" else row.requested_at
    TwoFactorRequest.objects.update(state=state, closed_at=closed)
    for caller in (scene.waiting, scene.answering, scene.server):
        shown = caller.get(path_of(asked)).json()["twoFactorAuth"]
        assert (shown["status"], shown["result"]) == (status, None)


# Asking: ours.


def test_the_answer_says_where_the_request_is(scene: Scene) -> None:
    response = scene.server.post(TWO_FACTOR, scene.body())
    assert response["Location"] == path_of(response.json())
    assert list(response.json()) == ["twoFactorAuth"]


def test_a_repeat_with_its_key_asks_once(scene: Scene) -> None:
    answers = [scene.server.post(TWO_FACTOR, scene.body(), **{"Idempotency-Key": "one"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert TwoFactorRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"accountId": None}, "accountId", "invalid-format"),
        ({"userOpInfo": None}, "userOpInfo", "invalid-format"),
        ({"userOpInfo": {"type": "sign-in"}}, "userOpInfo.signIn.email", "required"),
        ({"userOpInfo": {"type": "theft"}}, "userOpInfo.type", "unknown-enum"),
        (
            {"userOpInfo": {"type": "sign-in", "signIn": {**SIGN_IN, "ip": None}}},
            "userOpInfo.signIn.ip",
            "invalid-format",
        ),
        ({"userOpInfo": {"type": "sign-in", "signIn": {**SIGN_IN, "os": ""}}}, "os", "unknown-field"),
        (
            {"userOpInfo": {"type": "sign-in", "signIn": SIGN_IN, "payment": PAYMENT}},
            "userOpInfo.payment",
            "not-allowed",
        ),
        (
            {"userOpInfo": {"type": "payment", "payment": {**PAYMENT, "amount": "x"}}},
            "userOpInfo.payment.amount",
            "invalid-format",
        ),
        ({"message": "x" * 4097}, "message", "max-length"),
        ({"message": {"a": 1}}, "message", "invalid-format"),
        ({"extra": None}, "extra", "unknown-field"),
    ],
)
def test_a_wrong_form_is_named_by_its_field(values: Any, field: str, code: str, scene: Scene) -> None:
    with refused_once("invalid-input", who="Swirl"):
        response = scene.server.post(TWO_FACTOR, scene.body(**values))
    assert response.status_code == 400
    assert (field, code) in {(one["field"], one["code"]) for one in response.json()["errors"]}
    assert TwoFactorRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"accountId": "USR_00000000000000000000000000"}, 403, "identity-mismatch"),
        ({"destDeviceId": str(ids.new_id())}, 404, "not-found"),
    ],
)
def test_who_is_not_there_is_refused(values: Any, status: int, code: str, scene: Scene) -> None:
    with refused_once(code, who="Swirl"):
        assert scene.server.post(TWO_FACTOR, scene.body(**values)).status_code == status


def test_too_many_are_429_with_one_alert(scene: Scene) -> None:
    for _ in range(5):
        scene.ask()
    with refused_once("too-many-requests", who="Swirl", event="two-factor.alert"):
        response = scene.server.post(TWO_FACTOR, scene.body())
    assert (response.status_code, response.json()["code"]) == (429, "too-many-requests")
    assert 0 < int(response["Retry-After"]) <= 600
    with refused_once("too-many-requests", who="Swirl"):
        assert scene.server.post(TWO_FACTOR, scene.body()).status_code == 429


def test_the_number_is_for_the_side_that_waits_and_told_once(ada: User, settings: Any) -> None:
    scene = Scene(ada, settings, number_matching=True)
    first = scene.ask()
    assert list(first) == ["twoFactorAuth", "number"]
    assert len(first["number"]) == 2
    for caller in (scene.server, scene.waiting, scene.answering):
        assert list(caller.get(path_of(first)).json()) == ["twoFactorAuth"]
    again = scene.waiting.put(path_of(first), {"destDeviceId": str(scene.phone.pk)}).json()
    approve = {"signature": signature_of(again)}
    with refused_once("number-wrong", who="Ada", event="two-factor.failed"):
        assert scene.answering.post(f"{path_of(first)}/approve", approve).status_code == 403
    sent = scene.answering.post(f"{path_of(first)}/approve", {**approve, "number": again["number"]})
    assert sent.status_code == 204
    assert all(again["number"] not in (body.get("number", "")) for body in pushed())


# Who may.


def test_scopes_are_asked_first(scene: Scene) -> None:
    asked = scene.ask()
    path, before = path_of(asked), rows()
    server = Caller(make_token(application=make_application(scene.ada.bank, "bank", name="x"), scope="devices:admin"))
    customer = Caller(make_token(user=scene.ada, device=scene.phone, scope="devices"))
    unknown = f"{TWO_FACTOR}/{ids.new_id()}"
    for caller, who, calls in [
        (server, "x", [("GET", path), ("PUT", path), ("GET", unknown), ("POST", TWO_FACTOR)]),
        (customer, "Ada", [("GET", path), ("PUT", path), ("DELETE", path), ("POST", f"{path}/approve")]),
        (scene.server, "Swirl", [("DELETE", path), ("POST", f"{path}/approve"), ("DELETE", unknown)]),
        (scene.answering, "Ada", [("POST", TWO_FACTOR)]),
    ]:
        for method, address in calls:
            with refused_once("insufficient-scope", who=who):
                assert caller.send(method, address, {}).status_code == 403
    assert rows() == before


def test_others_are_refused_once_and_change_nothing(scene: Scene) -> None:
    asked = scene.ask()
    path, before = path_of(asked), rows()
    third = scene.bound(make_phone(scene.ada, "third"))
    cem = scene.bound(make_phone(make_customer(scene.ada.bank, "Cem"), "cem"))
    dan = scene.bound(make_phone(make_customer(make_bank(), "Dan"), "dan"))
    unbound = Caller(make_token(user=scene.ada))
    approve = {"signature": signature_of(asked)}
    again = {"destDeviceId": str(scene.phone.pk)}
    for caller, who, answers, asks in [
        (scene.waiting, "Ada", (403, "not-the-destination"), None),
        (third, "Ada", (404, "not-found"), (404, "not-found")),
        (cem, "Cem", (404, "not-found"), (404, "not-found")),
        (dan, "Dan", (404, "not-found"), (404, "not-found")),
        (unbound, "Ada", (403, "device-token-needed"), (403, "not-the-source")),
        (scene.answering, "Ada", None, (403, "not-the-source")),
    ]:
        calls = [
            ("POST", f"{path}/approve", approve, answers),
            ("DELETE", path, None, answers),
            ("PUT", path, again, asks),
        ]
        for method, address, body, refusal in calls:
            if refusal is None:
                continue
            with refused_once(refusal[1], who=who):
                assert caller.send(method, address, body).status_code == refusal[0]
    assert rows() == before
    other = Caller(make_token(application=make_application(scene.ada.bank, kind="bank", name="other")))
    with refused_once("not-found", who="other"):
        assert other.get(path).status_code == 404


def test_a_wrong_signature_is_audited_once(scene: Scene) -> None:
    asked = scene.ask()
    for signature in (signature_of(asked, "source"), "no hex", "ab" * 300):
        with refused_once("signature-wrong", who="Ada", event="two-factor.failed"):
            response = scene.answering.post(f"{path_of(asked)}/approve", {"signature": signature})
        assert (response.status_code, response.json()["code"]) == (403, "signature-wrong")
    assert TwoFactorRequest.objects.get().wrong_signatures == 3


def test_late_answers_are_409_and_audited_once(scene: Scene) -> None:
    asked = scene.ask()
    approve = {"signature": signature_of(asked)}
    assert scene.answering.post(f"{path_of(asked)}/approve", approve).status_code == 204
    before = rows()
    for method, path, body in [("POST", f"{path_of(asked)}/approve", approve), ("DELETE", path_of(asked), None)]:
        with refused_once("request-closed", who="Ada"):
            assert scene.answering.send(method, path, body).status_code == 409
    with refused_once("request-closed", who="Swirl"):
        again = scene.server.put(path_of(asked), {"destDeviceId": str(scene.phone.pk)})
    assert (again.status_code, rows()) == (409, before)


def test_it_was_not_me(scene: Scene) -> None:
    asked = scene.ask()
    with refused_once("invalid-input", who="Ada"):
        assert scene.answering.send("DELETE", f"{path_of(asked)}?notMe=yes").status_code == 400
    assert scene.answering.send("DELETE", f"{path_of(asked)}?notMe=true").status_code == 204
    assert AuditEvent.objects.filter(event="two-factor.alert").count() == 1
    answer = scene.server.get(path_of(asked)).json()["answer"]
    assert answer == {"proof": "token", "signed": False, "notMe": True}
    assert "answer" not in scene.waiting.get(path_of(asked)).json()


# What it costs.


@pytest.mark.parametrize("open_requests", [1, 30])
def test_calls_cost_the_same_however_many_are_open(open_requests: int, scene: Scene) -> None:
    asked = scene.ask()
    for _ in range(open_requests - 1):
        TwoFactorRequest.objects.update(rounds=0)
        scene.ask()
    with at_most(3):
        assert scene.server.get(path_of(asked)).status_code == 200
    with at_most(8):
        response = scene.answering.post(f"{path_of(asked)}/approve", {"signature": signature_of(asked)})
    assert response.status_code == 204


# Push messages.


def pushed() -> list[dict[str, Any]]:
    return [json.loads(vault.unseal(BODY, one.pk, one.body_sealed)) for one in Message.objects.order_by("pk")]


def test_each_side_is_told_and_sees_no_others_token(scene: Scene) -> None:
    asked = scene.ask()
    scene.answering.post(f"{path_of(asked)}/approve", {"signature": signature_of(asked)})
    first, second = Message.objects.order_by("pk")
    assert [(one.kind, one.template) for one in (first, second)] == [
        ("push", "hyphen:2fa-request"),
        ("push", "hyphen:2fa-status-change"),
    ]
    to_phone, to_source = pushed()
    assert to_phone == scene.living(asked, scene.phone, result=None)
    result = to_source["twoFactorAuth"]["result"]
    assert to_source == scene.living(asked, scene.source, status="approved", result=result)
    assert "source-handle" not in json.dumps(to_phone)
    assert "phone-handle" not in json.dumps(to_source)


def test_what_is_too_long_for_a_push_service_comes_without_its_message(scene: Scene) -> None:
    asked = scene.ask(message="ä\n" * 1300)
    [body] = pushed()
    assert body["twoFactorAuth"]["request"]["message"] == ""
    assert len(json.dumps(json.dumps(body, ensure_ascii=False), ensure_ascii=False).encode()) <= MOST_BYTES + 200
    shown = scene.answering.get(path_of(asked)).json()["twoFactorAuth"]["request"]["message"]
    assert json.loads(shown)["text"] == "ä\n" * 1300


def test_without_a_handle_nobody_is_pushed(scene: Scene) -> None:
    Device.objects.update(push_platform="", push_handle_sealed="", push_handle_index="", push_expires_at=None)
    asked = scene.ask()
    scene.answering.send("DELETE", path_of(asked))
    assert Message.objects.count() == 0


def test_a_refused_request_pushes_nothing(scene: Scene) -> None:
    assert scene.server.post(TWO_FACTOR, scene.body(destDeviceId=str(scene.source.pk))).status_code == 400
    assert Message.objects.count() == 0


def test_a_device_that_was_registered_by_ed25519_signs_too(scene: Scene) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    phone = make_device(scene.ada)
    enrolled(phone, private.public_key().public_bytes_raw().hex())
    asked = scene.ask(destDeviceId=str(phone.pk))
    signature = private.sign(asked["twoFactorAuth"]["request"]["message"].encode()).hex()
    sent = scene.bound(phone).post(f"{path_of(asked)}/approve", {"signature": signature})
    assert sent.status_code == 204
