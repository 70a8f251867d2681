"""Who gets through the door to PINs, and what is answered."""

from typing import Any

import pytest

from devices.models import Device, DevicePin, PinReset
from devices.states import DeviceStatus
from devices.tests.factories import (
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_pin,
    make_staff,
    make_token,
)
from devices.tests.pinning import ADDRESS, NEXT, NUMBER, PIN, WRONG, give_contact, last_code, pin_is
from portal import hashing
from portal.accounts.models import User
from portal.api.tests.doors import ADIBA, Caller, at_most, refused_once
from portal.audit.models import AuditEvent
from portal.core.ids import new_id, spell
from portal.hashing import HashingPool

pytestmark = pytest.mark.django_db
CREATE, CHANGE, RESET, CONFIRM = (f"/v1/device/pin{tail}" for tail in ("", "/change", "/reset", "/confirm"))
DEVICES = [CREATE, CHANGE, RESET]  # the calls that name a device


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(give_contact(ada))


@pytest.fixture
def caller(ada: User, phone: Device) -> Caller:
    return Caller(make_token(user=ada, application=make_application(ada.bank)))


def body(path: str, device: Device | str, **fields: Any) -> dict[str, Any]:
    name = device if isinstance(device, str) else device.public_id
    whole: dict[str, dict[str, Any]] = {
        CREATE: {"deviceId": name, "pin": PIN, "confirmPin": PIN},
        CHANGE: {"deviceId": name, "currentPin": PIN, "newPin": NEXT, "confirmNewPin": NEXT},
        RESET: {"deviceId": name, "resetMethod": "SMS", "verificationData": {"phoneNumber": NUMBER}},
        CONFIRM: {"resetId": name, "verificationCode": "12345678", "newPin": NEXT, "confirmNewPin": NEXT},
    }
    return {**whole[path], **fields}


def stranger(who: str, ada: User) -> tuple[str, str]:
    """A token that opens no PIN, and its bearer's name in the log."""
    if who == "bank":
        return make_token(application=make_application(ada.bank, "bank", name="core")), "core"
    if who == "staff":
        return make_token(user=make_staff(ada.bank, username="bea")), "Bea (bea)"
    return make_token(user=ada, scope="devices"), "Ada"


def rows() -> list[Any]:
    return [list(DevicePin.objects.values()), list(PinReset.objects.values())]


# Who.


@pytest.mark.parametrize("path", [CREATE, CHANGE, RESET, CONFIRM])
@pytest.mark.parametrize("who", ["bank", "staff", "customer without the scope"])
def test_other_tokens_do_not_reach_a_pin_whether_or_not_there_is_one(
    who: str, path: str, ada: User, phone: Device
) -> None:
    make_pin(phone)
    token, label = stranger(who, ada)
    answers, before = set(), rows()
    for name in (phone.public_id, "unknown", spell("RESET", new_id())):
        with refused_once("insufficient-scope", who=label):
            response = Caller(token).post(path, body(path, name))
        answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [403]
    assert rows() == before


@pytest.mark.parametrize("path", DEVICES)
def test_foreign_and_unknown_devices_are_one_404(path: str, caller: Caller, ada: User, phone: Device) -> None:
    colleague = make_device(make_customer(ada.bank, "Bea"))
    stranger = make_device(make_customer(make_bank(), "Cem"))
    make_pin(colleague, failures=5)
    answers, before = set(), rows()
    for name in (colleague.public_id, colleague.external_id, stranger.public_id, "DEV_1", "unknown"):
        with refused_once("not-found", who="Ada"):
            response = caller.post(path, body(path, name))
        answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [404]
    assert rows() == before


def test_another_clients_reset_is_as_unknown(caller: Caller, ada: User, phone: Device) -> None:
    make_pin(phone)
    reset_id = caller.post(RESET, body(RESET, phone)).json()["resetId"]
    code = last_code()
    elsewhere = Caller(make_token(user=ada))
    answers = set()
    for name in (reset_id, spell("RESET", new_id()), "RESET_1", "x"):
        with refused_once("not-found", who="Ada"):
            response = elsewhere.post(CONFIRM, body(CONFIRM, name, verificationCode=code))
        answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [404]
    assert caller.post(CONFIRM, body(CONFIRM, reset_id, verificationCode=code)).status_code == 200


@pytest.mark.parametrize("path", DEVICES)
def test_the_user_named_is_oneself_whether_or_not_there_is_a_device(
    path: str, caller: Caller, ada: User, phone: Device
) -> None:
    make_pin(phone)
    answers = set()
    for name in (phone.public_id, "unknown"):
        for user in (make_customer(ada.bank, "Bea").public_id, "USR_1"):
            with refused_once("identity-mismatch", who="Ada"):
                response = caller.post(path, body(path, name, userId=user))
            answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [403]


# What is answered.


def test_the_status_tells_of_the_pin(caller: Caller, phone: Device) -> None:
    assert caller.get(ADIBA).json()["securityPosture"]["pinEnabled"] is False
    assert caller.post(CREATE, body(CREATE, phone)).status_code == 200
    with at_most(3):
        assert caller.get(ADIBA).json()["securityPosture"]["pinEnabled"] is True
    with at_most(3):
        assert caller.get(f"{ADIBA}?deviceId={phone.public_id}").json()["securityPosture"]["pinEnabled"] is True


def test_a_second_pin_is_409(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    with refused_once("pin-exists", who="Ada"):
        response = caller.post(CREATE, body(CREATE, phone))
    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    assert response.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "This device has a PIN. Change it instead.",
        "code": "pin-exists",
    }


def test_a_weak_pin_is_422(caller: Caller, phone: Device) -> None:
    with refused_once("weak-pin", who="Ada"):
        response = caller.post(CREATE, body(CREATE, phone, pin="111111", confirmPin="111111"))
    assert response.status_code == 422
    assert response.json()["detail"] == "This PIN is easy to guess: digits that repeat."
    assert DevicePin.objects.count() == 0


def test_wrong_then_locked_are_403_and_423_with_one_refusal_each(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    answers = set()
    for _ in range(4):
        with refused_once("pin-wrong", who="Ada", event="pin.refused"):
            response = caller.post(CHANGE, body(CHANGE, phone, currentPin=WRONG))
        answers.add((response.status_code, response.content))
    response = caller.post(CHANGE, body(CHANGE, phone, currentPin=WRONG))
    answers.add((response.status_code, response.content))
    assert [status for status, _ in answers] == [403]
    assert response.json()["code"] == "pin-wrong"
    assert list(AuditEvent.objects.order_by("-id").values_list("event", flat=True)[:2]) == [
        "pin.locked",
        "pin.refused",
    ]
    for current in (PIN, WRONG):
        with refused_once("pin-locked", who="Ada"):
            response = caller.post(CHANGE, body(CHANGE, phone, currentPin=current))
        assert (response.status_code, response.json()["code"]) == (423, "pin-locked")
    assert pin_is(phone, PIN)


def test_a_lock_is_told_to_the_owners_bearer_only(phone: Device) -> None:
    make_pin(phone, failures=5)
    bea = Caller(make_token(user=make_customer(phone.bank, "Bea")))
    assert bea.post(CHANGE, body(CHANGE, phone)).status_code == 404


def test_a_wrong_code_is_403_with_one_refusal(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    reset_id = caller.post(RESET, body(RESET, phone)).json()["resetId"]
    wrong = "00000000" if last_code() != "00000000" else "00000001"
    with refused_once("reset-code-wrong", who="Ada", event="pin-reset.refused"):
        response = caller.post(CONFIRM, body(CONFIRM, reset_id, verificationCode=wrong))
    assert (response.status_code, response.json()["code"]) == (403, "reset-code-wrong")


def test_a_mismatch_of_contact_is_answered_the_same(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    right = caller.post(RESET, body(RESET, phone))
    wrong = caller.post(RESET, body(RESET, phone, verificationData={"phoneNumber": "+2348000000000"}))
    assert right.status_code == wrong.status_code == 202
    told = [{**response.json(), "resetId": "", "expiresAt": ""} for response in (right, wrong)]
    assert told[0] == told[1]


def test_by_email(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    known = {"email": ADDRESS}
    response = caller.post(RESET, body(RESET, phone, resetMethod="EMAIL", verificationData=known))
    assert response.json()["nextStep"] == "Enter the verification code sent to your email"


def test_the_sixth_reset_in_an_hour_is_429(caller: Caller, phone: Device) -> None:
    make_pin(phone)
    for _ in range(5):
        assert caller.post(RESET, body(RESET, phone)).status_code == 202
    with refused_once("too-many-resets", who="Ada"):
        response = caller.post(RESET, body(RESET, phone))
    assert response.status_code == 429
    assert 3500 < int(response["Retry-After"]) <= 3601


@pytest.mark.parametrize("path", [CREATE, CHANGE, CONFIRM])
def test_when_too_many_wait_it_is_429_and_no_try_is_spent(
    path: str, caller: Caller, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pin(phone)
    full = HashingPool(threads=1, places=1)
    monkeypatch.setattr(hashing, "_pool", full)
    with full.place(), refused_once("pin-checks-busy", who="Ada"):
        response = caller.post(path, body(path, phone))
    assert (response.status_code, response["Retry-After"]) == (429, "1")
    assert DevicePin.objects.get().failures == 0


@pytest.mark.parametrize("path", DEVICES)
def test_a_device_that_is_off_is_409(path: str, caller: Caller, ada: User, phone: Device) -> None:
    off = make_device(ada, DeviceStatus.INACTIVE)
    make_pin(off)
    with refused_once("device-not-active", who="Ada"):
        assert caller.post(path, body(path, off)).status_code == 409


# Bodies.


@pytest.mark.parametrize(
    ("path", "fields", "problems"),
    [
        (CREATE, {"pin": "12345", "confirmPin": "1"}, [("pin", "invalid-format"), ("confirmPin", "invalid-format")]),
        (CREATE, {"pin": "123456\n"}, [("pin", "invalid-format")]),
        (CREATE, {"pin": 194738}, [("pin", "invalid-format")]),
        (CREATE, {"confirmPin": NEXT}, [("confirmPin", "mismatch")]),
        (CREATE, {"deviceId": ""}, [("deviceId", "required")]),
        (CREATE, {"userID": "x"}, [("userID", "unknown-field")]),
        (CHANGE, {"currentPin": "１９４７３８"}, [("currentPin", "invalid-format")]),
        (CHANGE, {"confirmNewPin": PIN}, [("confirmNewPin", "mismatch")]),
        (CHANGE, {"newPin": None}, [("newPin", "invalid-format")]),
        (RESET, {"resetMethod": "sms"}, [("resetMethod", "unknown-enum")]),
        (RESET, {"verificationData": {}}, [("verificationData.phoneNumber", "required")]),
        (RESET, {"verificationData": {"email": ADDRESS}}, [("verificationData.phoneNumber", "required")]),
        (RESET, {"verificationData": {"phoneNumber": 7}}, [("verificationData.phoneNumber", "invalid-format")]),
        (RESET, {"verificationData": {"phone_number": NUMBER}}, [("phone_number", "unknown-field")]),
        (RESET, {"verificationData": "x"}, [("verificationData", "invalid-format")]),
        (RESET, {"verificationData": None}, [("verificationData", "invalid-format")]),
        (CONFIRM, {"newPin": "1"}, [("newPin", "invalid-format")]),
        (CONFIRM, {"verificationCode": ""}, [("verificationCode", "required")]),
    ],
)  # fmt: skip
def test_each_problem_is_named_at_its_field(
    path: str, fields: dict[str, Any], problems: list[tuple[str, str]], caller: Caller, phone: Device
) -> None:
    make_pin(phone)
    before = rows()
    with refused_once("invalid-input", who="Ada"):
        response = caller.post(path, body(path, phone, **fields))
    assert response.status_code == 400
    assert [(one["field"], one["code"]) for one in response.json()["errors"]] == problems
    assert rows() == before


@pytest.mark.parametrize("path", [CREATE, CHANGE, RESET, CONFIRM])
def test_every_missing_field_is_named(path: str, caller: Caller) -> None:
    response = caller.post(path, {})
    wanted = [name for name in body(path, "x") if name != "userId"]
    assert [one["field"] for one in response.json()["errors"]] == wanted
    assert {one["code"] for one in response.json()["errors"]} == {"required"}


@pytest.mark.parametrize(("tried", "status"), [(WRONG, 403), (PIN, 200)])
def test_a_used_key_gives_one_guess_at_the_pin_that_came_with_it(
    tried: str, status: int, caller: Caller, phone: Device
) -> None:
    make_pin(phone)
    key = {"Idempotency-Key": "one"}
    first = caller.post(CHANGE, body(CHANGE, phone, currentPin=tried), **key)
    again = caller.post(CHANGE, body(CHANGE, phone, currentPin=tried), **key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert first.status_code == status
    before, answers = rows(), set()
    with refused_once("idempotency-key-reused", who="Ada"):
        assert caller.post(CHANGE, body(CHANGE, phone, currentPin="000000"), **key).status_code == 422
    for guess in (tried, PIN, WRONG, NEXT):
        with refused_once("answer-not-kept", who="Ada"):
            refused = caller.post(CHANGE, body(CHANGE, phone, currentPin=guess), **key)
        answers.add((refused.status_code, refused.content))
    assert [told for told, _ in answers] == [409]
    assert rows() == before


@pytest.mark.parametrize("path", [CREATE, CHANGE, RESET, CONFIRM])
def test_a_repeat_with_a_key_gets_the_first_answer(path: str, caller: Caller, phone: Device) -> None:
    first = caller.post(path, body(path, phone), **{"Idempotency-Key": "one"})
    again = caller.post(path, body(path, phone), **{"Idempotency-Key": "one"})
    assert again["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)


def test_no_event_holds_a_pin_a_code_or_a_contact(caller: Caller, phone: Device) -> None:
    caller.post(CREATE, body(CREATE, phone))
    caller.post(CHANGE, body(CHANGE, phone, currentPin=WRONG))
    reset_id = caller.post(RESET, body(RESET, phone)).json()["resetId"]
    code = last_code()
    caller.post(CONFIRM, body(CONFIRM, reset_id, verificationCode=WRONG))
    caller.post(CONFIRM, body(CONFIRM, reset_id, verificationCode=code))
    written = " ".join(str(row) for row in AuditEvent.objects.values_list("data", "reason", "code"))
    assert AuditEvent.objects.count() == 5
    for secret in (PIN, NEXT, WRONG, code, NUMBER[1:], ADDRESS):
        assert secret not in written
