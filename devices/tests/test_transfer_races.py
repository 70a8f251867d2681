"""Several people at one transfer at one time: one outcome, one story."""

from collections import Counter
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, Transfer
from devices.operations.activation import deactivate_device
from devices.operations.transfer_acceptance import sweep_transfers
from devices.operations.transfers import approve_transfer, cancel_transfer, reject_transfer, request_transfer
from devices.states import TransferState
from devices.tests.factories import (
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    make_transfer,
    staff_actor,
)
from devices.tests.moving import ALL_CUT, left_on, make_furnished, reachable, story
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.errors import DomainError
from portal.outbox.models import Message
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)

CODE, WRONG = "12345678", "00000000"


def post(step: str, token: str, **body: str) -> tuple[int, str]:
    """The status and the word of the answer, over HTTP."""
    answer = Client().post(
        f"/v1/device/ownership/{step}",
        body,
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    told = answer.json()
    return answer.status_code, told.get("code") or told["status"]


def test_sixty_four_accepts_are_one() -> None:
    ada = make_customer(make_bank())
    cem = make_customer(ada.bank, "Cem")
    phone = make_furnished(ada)
    offer, token = make_transfer(phone, cem, code=CODE), make_token(user=cem)

    def accept(number: int) -> tuple[int, str]:
        return post("accept", token, transferId=offer.public_id, acceptanceCode=CODE)

    assert Counter(race(64, accept)) == {(200, "SUCCESS"): 1, (409, "already-accepted"): 63}
    phone.refresh_from_db()
    assert (phone.owner, left_on(phone)) == (cem, {})
    done = [one for one in story(phone) if one[1] != "already-accepted"]
    assert done == [("transfer.accepted", ""), ("link.cut", ""), ("transfer.completed", "COMPLETED")]
    assert AuditEvent.objects.filter(code="already-accepted").count() == 63


def test_a_hundred_wrong_codes_are_five() -> None:
    ada = make_customer(make_bank())
    cem = make_customer(ada.bank, "Cem")
    phone = make_furnished(ada)
    offer, token = make_transfer(phone, cem, code=CODE), make_token(user=cem)

    def guess(number: int) -> tuple[int, str]:
        return post("accept", token, transferId=offer.public_id, acceptanceCode=WRONG)

    outcomes = Counter(race(100, guess))
    assert outcomes == {(403, "acceptance-code-wrong"): 5, (409, "transfer-state-not-valid"): 95}
    offer.refresh_from_db()
    assert (offer.state, offer.tries) == ("CANCELLED", 5)
    right = post("accept", token, transferId=offer.public_id, acceptanceCode=CODE)
    assert right == (409, "transfer-state-not-valid")
    assert AuditEvent.objects.filter(event="transfer-code.refused").count() == 5
    assert left_on(phone) == ALL_CUT


def accept_against_cancel(rounds: int) -> Counter[tuple[str, str]]:
    """Who won, round by round: (how the transfer ended, whose the device is). Each round is told by one story."""
    ada = make_customer(make_bank())
    cem, bea = make_customer(ada.bank, "Cem"), make_staff(ada.bank)
    tokens = [make_token(user=cem), make_token(user=ada), make_token(user=bea)]
    ended: Counter[tuple[str, str]] = Counter()
    for number in range(rounds):
        phone = make_furnished(ada, f"round {number}")
        offer = make_transfer(phone, cem, code=CODE)
        bodies: list[tuple[str, dict[str, str]]] = [
            ("accept", {"acceptanceCode": CODE}),
            ("cancel", {}),
            ("cancel", {"reason": "Asked by phone"}),
        ]

        def knock(
            who: int, offer: Transfer = offer, bodies: list[tuple[str, dict[str, str]]] = bodies
        ) -> tuple[int, str]:
            step, body = bodies[who]
            return post(step, tokens[who], transferId=offer.public_id, **body)

        accepted, by_owner, by_staff = race(3, knock)
        offer.refresh_from_db()
        phone.refresh_from_db()
        if offer.state == "COMPLETED":
            assert (accepted, by_owner, by_staff) == (
                (200, "SUCCESS"),
                (404, "not-found"),  # it is not Ada's any more
                (409, "transfer-state-not-valid"),
            )
            assert (phone.owner, left_on(phone)) == (cem, {})
            expected = [("transfer.accepted", ""), ("link.cut", ""), ("transfer.completed", "COMPLETED")]
        else:
            assert accepted == (409, "transfer-state-not-valid")
            assert (by_owner, by_staff) == ((200, "SUCCESS"), (200, "SUCCESS"))
            assert (phone.owner, left_on(phone)) == (ada, ALL_CUT)
            expected = [("transfer.cancelled", "CANCELLED")]
        assert [one for one in story(phone) if one[0] != "request.refused"] == expected
        ended[offer.state, phone.owner.name] += 1
    return ended


def test_accept_against_cancel_has_one_outcome() -> None:
    ended = accept_against_cancel(10)
    assert set(ended) <= {("COMPLETED", "Cem"), ("CANCELLED", "Ada")}
    assert ended.total() == 10


@pytest.mark.slow
def test_two_hundred_rounds_of_accept_against_cancel_have_one_outcome_each() -> None:
    ended = accept_against_cancel(200)
    assert set(ended) <= {("COMPLETED", "Cem"), ("CANCELLED", "Ada")}
    assert ended.total() == 200


def told_by(outcome: object) -> str:
    """A refusal by its rule, all else by its kind."""
    return outcome.code if isinstance(outcome, DomainError) else type(outcome).__name__


def test_requests_for_one_device_make_one_transfer() -> None:
    ada = make_customer(make_bank())
    phone, people = make_device(ada), [make_customer(ada.bank) for _ in range(16)]

    def ask(number: int) -> Any:
        new_owner = people[number].public_id
        return request_transfer(
            actor=customer_actor(ada), device_id=phone.public_id, new_owner_id=new_owner, reason="A gift"
        )

    assert Counter(map(told_by, race(16, ask))) == {"Transfer": 1, "transfer-open": 15}
    assert Transfer.objects.count() == AuditEvent.objects.count() == 1


def test_two_approvers_send_one_code() -> None:
    ada = make_customer(make_bank())
    cem = reachable(make_customer(ada.bank, "Cem"))
    people = [make_staff(ada.bank, Role.APPROVER) for _ in range(8)]
    transfer = make_transfer(make_device(ada), cem, TransferState.PENDING_APPROVAL)

    def decide(number: int) -> Any:
        step = reject_transfer if number % 2 else approve_transfer
        person = people[number]
        return step(
            actor=staff_actor(person), transfer_id=transfer.public_id, reason="Decided", proof=proof_of(person)
        )

    outcomes = Counter(map(told_by, race(8, decide)))
    assert outcomes == {"Transfer": 1, "already-decided": 7}
    transfer.refresh_from_db()
    codes = Message.objects.filter(template="transfer-code").count()
    assert codes == (1 if transfer.state == "APPROVED" else 0)
    assert AuditEvent.objects.count() == 1


def test_sweeps_beside_accepts_and_switches_leave_whole_transfers() -> None:
    """Sweeps, people who call it off and staff who switch the device off, all at once."""
    ada = make_customer(make_bank())
    cem, bea = make_customer(ada.bank, "Cem"), staff_actor(make_staff(ada.bank))
    due = [
        make_transfer(make_furnished(ada, f"due {number}"), cem, TransferState.ACCEPTED, effective_at=clock.now())
        for number in range(12)
    ]

    def work(number: int) -> Any:
        transfer = due[number % 12]
        if number % 3 == 0:
            return sweep_transfers()
        if number % 3 == 1:
            return cancel_transfer(actor=customer_actor(ada), transfer_id=transfer.public_id)
        return deactivate_device(actor=bea, device_id=transfer.device.public_id, reason="Race")

    outcomes = race(36, work)
    assert {told_by(one) for one in outcomes if isinstance(one, Exception)} <= {"not-found"}
    for transfer in due:
        transfer.refresh_from_db()
        device = Device.objects.get(pk=transfer.device_id)
        moved = transfer.state == "COMPLETED"
        assert transfer.state in {"COMPLETED", "CANCELLED"}
        assert device.owner == (cem if moved else ada)
        kept = left_on(device)
        assert kept.get("pins", 0) == kept.get("keys", 0) == (0 if moved else 1)
        finals = {"transfer.completed", "transfer.cancelled"}
        assert len([one for one in story(device) if one[0] in finals]) == 1
