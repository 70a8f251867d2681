"""Ownership at Adiba's door: who gets in, what is refused and how, what answers say."""

import json
from typing import Any

import pytest

from devices.models import Device, Transfer
from devices.states import TransferState
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, make_token, make_transfer
from devices.tests.moving import ALL_CUT, left_on, make_furnished
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, at_most, nothing_written, refused_once
from portal.audit.models import AuditEvent
from portal.core import clock, ids

pytestmark = pytest.mark.django_db
ROOT = "/v1/device/ownership"
STEPS = ["transfer", "accept", "decline", "cancel"]


@pytest.fixture
def cem(ada: User) -> User:
    return make_customer(ada.bank, "Cem")


@pytest.fixture
def taker(cem: User) -> Caller:
    return Caller(make_token(user=cem))


def asking(device: Device | str, new_owner: User | str, **fields: Any) -> dict[str, Any]:
    return {
        "deviceId": device if isinstance(device, str) else device.public_id,
        "newOwnerId": new_owner if isinstance(new_owner, str) else new_owner.public_id,
        "transferReason": "A gift",
        **fields,
    }


def naming(transfer: Transfer | str, step: str = "accept", **fields: Any) -> dict[str, Any]:
    name = transfer if isinstance(transfer, str) else transfer.public_id
    return {"transferId": name, **({"acceptanceCode": "12345678"} if step == "accept" else {}), **fields}


def problem(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.status_code, response.json()["code"]


# Who gets in.


@pytest.mark.parametrize("step", STEPS)
def test_scope_and_kind_of_token_come_before_everything(step: str, ada: User, phone: Device, cem: User) -> None:
    other_scopes = Caller(make_token(user=ada, scope="devices pin"))
    bodies = [asking(phone, cem), asking("unknown", cem)]
    if step != "transfer":
        bodies = [naming(make_transfer(phone, cem), step), naming("TRF_1", step)]
    for body in bodies:
        with refused_once("insufficient-scope", who="Ada"):
            assert problem(other_scopes.post(f"{ROOT}/{step}", body)) == (403, "insufficient-scope")
    with nothing_written():
        assert Caller().post(f"{ROOT}/{step}", bodies[0]).status_code == 401


@pytest.mark.parametrize("step", STEPS)
def test_a_banks_server_moves_nothing(step: str, server: Caller) -> None:
    with refused_once("insufficient-scope", who="core banking"):
        assert server.post(f"{ROOT}/{step}", {}).status_code == 403


@pytest.mark.parametrize("step", ["accept", "decline"])
def test_staff_accept_nothing(step: str, ada: User) -> None:
    staff = make_staff(ada.bank)
    with refused_once("insufficient-scope", who=f"Bea ({staff.username})"):
        assert Caller(make_token(user=staff)).post(f"{ROOT}/{step}", {}).status_code == 403


def test_a_role_without_the_right_is_refused_whatever_is_there(ada: User, phone: Device, cem: User) -> None:
    staff = make_staff(ada.bank, Role.APPROVER)
    caller, name = Caller(make_token(user=staff)), f"Bea ({staff.username})"
    offer = make_transfer(make_device(ada), cem)
    calls = [("transfer", asking(phone, cem)), ("transfer", asking("unknown", cem))]
    calls += [
        ("cancel", naming(offer, "cancel", reason="Why not")),
        ("cancel", naming("TRF_1", "cancel", reason="x")),
    ]
    for step, body in calls:
        with refused_once("capability-missing", who=name):
            assert problem(caller.post(f"{ROOT}/{step}", body)) == (403, "capability-missing")


# What is refused.


def test_foreign_and_unknown_devices_are_one_404(caller: Caller, ada: User, cem: User) -> None:
    stranger = make_device(make_customer(make_bank(), "Eve"))
    card = make_device(ada, kind="payment-card", external_id="")
    answers = set()
    for device in (make_device(cem), stranger, card, "unknown"):
        with refused_once("not-found", who="Ada"):
            answers.add(caller.post(f"{ROOT}/transfer", asking(device, cem)).content)
    [only] = answers
    assert json.loads(only)["detail"] == "There is no such device."


@pytest.mark.parametrize("step", ["accept", "decline", "cancel"])
def test_foreign_and_unknown_transfers_are_one_404(step: str, caller: Caller, ada: User, cem: User) -> None:
    """Ada is the new owner of none of these, and the old owner of none that she cancels."""
    stranger = make_customer(make_bank(), "Eve")
    foreign = make_transfer(make_device(stranger), make_customer(stranger.bank))
    other = make_transfer(make_device(cem), make_customer(ada.bank))
    own = make_transfer(make_device(ada), cem) if step != "cancel" else make_transfer(make_device(cem), ada)
    answers = set()
    for transfer in (foreign, other, own, ids.spell("TRF", ids.new_id()), "TRF_1", str(other.pk)):
        with refused_once("not-found", who="Ada"):
            answers.add(caller.post(f"{ROOT}/{step}", naming(transfer, step)).content)
    assert len(answers) == 1
    assert Transfer.objects.filter(state="APPROVED").count() == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"currentOwnerId": "USR_1"}, (403, "identity-mismatch")),
        ({"newOwnerId": "USR_1"}, (404, "not-found")),
        ({"effectiveDate": "2999-01-01T00:00:00Z"}, (400, "invalid-input")),
        ({"effectiveDate": "tomorrow"}, (400, "invalid-input")),
        ({"effectiveDate": "0001-01-01T00:00:00+14:00"}, (400, "invalid-input")),
        ({"effectiveDate": "9999-12-31T23:59:59-14:00"}, (400, "invalid-input")),
        ({"effectiveDate": 1733097600}, (400, "invalid-input")),
        ({"effectiveDate": None}, (400, "invalid-input")),
        ({"transferReason": ""}, (400, "invalid-input")),
        ({"transferReason": "x" * 501}, (400, "invalid-input")),
        ({"colour": "red"}, (400, "invalid-input")),
    ],
)
def test_a_wrong_body_names_the_field(
    change: dict[str, Any], expected: tuple[int, str], caller: Caller, phone: Device, cem: User
) -> None:
    with refused_once(expected[1], who="Ada"):
        response = caller.post(f"{ROOT}/transfer", asking(phone, cem) | change)
    assert problem(response) == expected
    if expected[0] == 400:
        assert [one["field"] for one in response.json()["errors"]] == list(change)
    assert Transfer.objects.count() == 0


def test_the_same_owner_is_422(caller: Caller, ada: User, phone: Device) -> None:
    with refused_once("same-owner", who="Ada"):
        assert problem(caller.post(f"{ROOT}/transfer", asking(phone, ada))) == (422, "same-owner")


def test_a_second_transfer_is_409_and_a_repeat_with_a_key_is_the_first_answer(
    caller: Caller, phone: Device, cem: User
) -> None:
    first = caller.post(f"{ROOT}/transfer", asking(phone, cem), **{"Idempotency-Key": "one"})
    assert first.status_code == 202
    with refused_once("transfer-open", who="Ada"):
        assert problem(caller.post(f"{ROOT}/transfer", asking(phone, cem))) == (409, "transfer-open")
    again = caller.post(f"{ROOT}/transfer", asking(phone, cem), **{"Idempotency-Key": "one"})
    assert (again.status_code, again.json()) == (202, first.json())
    assert again["Location"] == first["Location"]


def test_a_used_key_gives_one_guess_at_the_code_that_came_with_it(taker: Caller, phone: Device, cem: User) -> None:
    transfer = make_transfer(phone, cem)
    wrong = naming(transfer, acceptanceCode="00000000")
    assert taker.post(f"{ROOT}/accept", wrong, **{"Idempotency-Key": "one"}).status_code == 403
    with refused_once("idempotency-key-reused", who="Cem"):
        guess = naming(transfer, acceptanceCode="11111111")
        assert taker.post(f"{ROOT}/accept", guess, **{"Idempotency-Key": "one"}).status_code == 422
    answers = set()
    for guess in (wrong, naming(transfer)):
        with refused_once("answer-not-kept", who="Cem"):
            answer = taker.post(f"{ROOT}/accept", guess, **{"Idempotency-Key": "one"})
        answers.add((problem(answer), answer.content))
    assert [told for told, _ in answers] == [(409, "answer-not-kept")]
    transfer.refresh_from_db()
    assert (transfer.tries, transfer.state) == (1, TransferState.APPROVED)


def test_a_device_that_is_off_is_409(caller: Caller, ada: User, cem: User) -> None:
    blocked = make_device(ada, "BLOCKED")
    with refused_once("device-not-active", who="Ada"):
        answer = caller.post(f"{ROOT}/transfer", asking(blocked, cem))
    assert problem(answer) == (409, "device-not-active")


def test_a_wrong_code_is_403_and_one_event_about_the_device(taker: Caller, phone: Device, cem: User) -> None:
    offer = make_transfer(phone, cem)
    for left in (4, 3, 2, 1):
        with refused_once("acceptance-code-wrong", who="Cem", event="transfer-code.refused"):
            response = taker.post(f"{ROOT}/accept", naming(offer, acceptanceCode="123456"))
        assert problem(response) == (403, "acceptance-code-wrong"), left
    response = taker.post(f"{ROOT}/accept", naming(offer, acceptanceCode="123456"))
    assert response.json()["detail"] == "The acceptance code is not right. The transfer ended."
    assert AuditEvent.objects.filter(object_id=str(phone.pk)).count() == 6
    with refused_once("transfer-state-not-valid", who="Cem"):
        assert problem(taker.post(f"{ROOT}/accept", naming(offer))) == (409, "transfer-state-not-valid")


def test_states_have_their_words(taker: Caller, ada: User, cem: User) -> None:
    expected = {
        "PENDING_APPROVAL": (409, "transfer-state-not-valid"),
        "ACCEPTED": (409, "already-accepted"),
        "COMPLETED": (409, "already-accepted"),
        "REJECTED": (409, "transfer-state-not-valid"),
        "CANCELLED": (409, "transfer-state-not-valid"),
        "EXPIRED": (410, "transfer-expired"),
    }
    for state, answer in expected.items():
        offer = make_transfer(make_device(ada), cem, state)
        if state == "COMPLETED":
            Device.objects.filter(pk=offer.device_id).update(owner=cem)
        for step in ("accept", "decline"):
            with refused_once(answer[1], who="Cem"):
                assert problem(taker.post(f"{ROOT}/{step}", naming(offer, step))) == answer


def test_refusals_name_the_device(taker: Caller, phone: Device, cem: User) -> None:
    taker.post(f"{ROOT}/accept", naming(make_transfer(phone, cem, TransferState.PENDING_APPROVAL)))
    event = AuditEvent.objects.get()
    assert (event.object_type, event.object_id) == ("device", str(phone.pk))


# What is answered.


def test_before_its_date_it_is_accepted(taker: Caller, phone: Device, cem: User) -> None:
    offer = make_transfer(phone, cem, effective_at=clock.parse_rfc3339("2199-01-01T00:00:00Z"))
    response = taker.post(f"{ROOT}/accept", naming(offer, acceptorId=cem.public_id))
    assert (response.status_code, response.json()) == (
        200,
        {
            "status": "ACCEPTED",
            "transferId": offer.public_id,
            "deviceId": phone.public_id,
            "newOwnerId": cem.public_id,
            "completedAt": None,
            "message": "Device ownership transfer accepted; it completes on the effective date",
        },
    )


def test_calling_off_says_so_and_a_repeat_says_the_same(caller: Caller, phone: Device, cem: User) -> None:
    offer = make_transfer(phone, cem)
    first = caller.post(f"{ROOT}/cancel", naming(offer, "cancel"))
    assert first.json() == {
        "status": "SUCCESS",
        "transferId": offer.public_id,
        "deviceId": phone.public_id,
        "newState": "CANCELLED",
        "endedAt": first.json()["endedAt"],
        "message": "Ownership transfer cancelled successfully",
    }
    with nothing_written():
        assert caller.post(f"{ROOT}/cancel", naming(offer, "cancel")).json() == first.json()


def test_staff_say_why_they_call_it_off(ada: User, phone: Device, cem: User) -> None:
    staff = make_staff(ada.bank)
    offer, caller = make_transfer(phone, cem), Caller(make_token(user=staff))
    response = caller.post(f"{ROOT}/cancel", naming(offer, "cancel"))
    assert response.json()["errors"] == [{"field": "reason", "code": "required", "message": "This is required."}]
    assert caller.post(f"{ROOT}/cancel", naming(offer, "cancel", reason="Asked by phone")).status_code == 200


def test_turning_down_says_so(taker: Caller, phone: Device, cem: User) -> None:
    offer = make_transfer(phone, cem)
    response = taker.post(f"{ROOT}/decline", naming(offer, "decline"))
    assert (response.status_code, response.json()["newState"]) == (200, "REJECTED")
    assert response.json()["message"] == "Ownership transfer declined successfully"


def test_a_transfer_can_be_followed_by_its_people_and_staff(
    caller: Caller, taker: Caller, server: Caller, ada: User, phone: Device, cem: User
) -> None:
    offer = make_transfer(phone, cem, effective_at=clock.parse_rfc3339("2199-01-01T00:00:00Z"))
    path = f"{ROOT}/{offer.public_id}"
    staff = Caller(make_token(user=make_staff(ada.bank, Role.SUPPORT)))
    shown = {
        "transferId": offer.public_id,
        "status": "APPROVED",
        "deviceId": phone.public_id,
        "currentOwnerId": ada.public_id,
        "newOwnerId": cem.public_id,
        "requestedAt": clock.rfc3339(offer.requested_at),
        "effectiveDate": "2199-01-01T00:00:00Z",
        "expiresAt": clock.rfc3339(offer.expires_at),
        "acceptedAt": None,
        "completedAt": None,
    }
    for one in (caller, taker, staff):
        with at_most(2):  # token, transfer with device and people
            assert one.get(path).json() == shown
    eve = Caller(make_token(user=make_customer(ada.bank, "Eve")))
    answers = set()
    for name in (path, f"{ROOT}/TRF_1", f"{ROOT}/{ids.spell('TRF', ids.new_id())}"):
        with refused_once("not-found", who="Eve"):
            answers.add(eve.get(name).content)
    assert len(answers) == 1
    assert server.get(path).status_code == 403


def test_the_other_methods_are_not_there(caller: Caller) -> None:
    for step in STEPS:
        answer = caller.get(f"{ROOT}/{step}")
        assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert caller.post(f"{ROOT}/TRF_1").status_code == 405
    for path in (ROOT, f"{ROOT}/", f"{ROOT}/transfer/", f"{ROOT}/TRF_1/accept"):
        answer = caller.post(path, {})
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_accepting_costs_the_same_however_much_is_cut(ada: User, cem: User, taker: Caller) -> None:
    bare, furnished = make_device(ada), make_furnished(ada)
    for _ in range(20):
        make_token(user=ada, device=furnished)
    assert left_on(furnished)["sessions"] == ALL_CUT["sessions"] + 20
    # What is revoked or rejected is written down one by one: there are two certificates and a few requests at most.
    # The link costs 14: its lock, the counts of three orders, the phrase that is free again, an event.
    for device, most in ((furnished, 49), (bare, 24)):
        offer = make_transfer(device, cem)
        with at_most(most):
            assert taker.post(f"{ROOT}/accept", naming(offer)).status_code == 200
