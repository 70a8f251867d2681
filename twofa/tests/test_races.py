"""Many answers at one moment, over HTTP in real threads."""

from collections import Counter
from typing import Any

import pytest
from django.test import Client

from devices.operations.activation import deactivate_device
from devices.states import DeviceStatus
from devices.tests.factories import make_application, make_staff, make_token, staff_actor
from portal.tests.threads import race
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.asking import ask_again
from twofa.operations.contents import message_of
from twofa.tests.asking import ORDER, Scene, events, numbers_of, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 64


class Door:
    """Ada's phone at the door."""

    def __init__(self, scene: Scene) -> None:
        application = make_application(scene.ada.bank)
        token = make_token(user=scene.ada, device=scene.phone, application=application)
        self.headers = {"authorization": f"Bearer {token}"}

    def approve(self, request: TwoFactorRequest, **body: Any) -> tuple[int, str]:
        path = f"/device/v1/2fa/{request.pk}/approve"
        return told(Client().post(path, body, content_type="application/json", headers=self.headers))

    def deny(self, request: TwoFactorRequest) -> tuple[int, str]:
        return told(Client().delete(f"/device/v1/2fa/{request.pk}", headers=self.headers))


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"] if answer.content else ""


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def door(scene: Scene) -> Door:
    return Door(scene)


def counted(*names: str) -> dict[str, int]:
    found = Counter(event for event, _, _ in events())
    return {name: found[name] for name in names}


def test_of_many_approvals_at_once_one_counts(scene: Scene, door: Door) -> None:
    request = scene.ask().request
    r, s = numbers_of(message_of(request))
    twins = raw(r, s), raw(r, ORDER - s)  # both hold
    outcomes = Counter(race(MANY, lambda number: door.approve(request, signature=twins[number % 2])))
    assert outcomes == {(204, ""): 1, (409, "request-closed"): MANY - 1}
    assert Answer.objects.count() == 1
    assert counted("two-factor.approved", "request.refused") == {
        "two-factor.approved": 1,
        "request.refused": MANY - 1,
    }


def one_round(scene: Scene, door: Door) -> None:
    """An approval against a denial."""
    TwoFactorRequest.objects.update(rounds=0)
    request = scene.ask().request
    signature = signed(request)
    outcomes = race(2, lambda number: door.approve(request, signature=signature) if number else door.deny(request))
    assert sorted(map(str, outcomes)) == sorted([str((204, "")), str((409, "request-closed"))])
    request.refresh_from_db()
    answer = Answer.objects.get(request=request)
    won = "approved" if outcomes[1] == (204, "") else "denied"
    assert (request.state, answer.decision) == (won, won)


def test_an_approval_against_a_denial_has_one_outcome(scene: Scene, door: Door) -> None:
    for _ in range(5):
        one_round(scene, door)
    assert sum(counted("two-factor.approved", "two-factor.denied").values()) == 5


@pytest.mark.slow
def test_two_hundred_times_an_approval_against_a_denial_has_one_outcome(scene: Scene, door: Door) -> None:
    for _ in range(200):
        one_round(scene, door)
    assert sum(counted("two-factor.approved", "two-factor.denied").values()) == 200
    assert Answer.objects.count() == 200


def test_of_many_wrong_numbers_at_once_three_are_looked_at() -> None:
    scene = Scene(rules={"number_matching": True})
    door = Door(scene)
    asked = scene.ask()
    signature = signed(asked.request)
    wrong = f"{(int(asked.number) + 1) % 100:02}"
    outcomes = Counter(race(12, lambda _: door.approve(asked.request, signature=signature, number=wrong)))
    assert outcomes == {(403, "number-wrong"): 3, (409, "request-closed"): 9}
    assert door.approve(asked.request, signature=signature, number=asked.number) == (409, "request-closed")
    assert TwoFactorRequest.objects.get().state == "cancelled"


@pytest.mark.parametrize("round_", range(3))
def test_an_approval_against_switching_the_device_off_leaves_nothing_open(
    round_: int, scene: Scene, door: Door
) -> None:
    request = scene.ask().request
    signature = signed(request)
    bea = staff_actor(make_staff(scene.ada.bank))

    def work(number: int) -> Any:
        if number:
            return door.approve(request, signature=signature)
        return deactivate_device(actor=bea, device_id=str(scene.phone.pk), reason="Found open").device.status

    outcomes = race(2, work)
    assert outcomes[0] == DeviceStatus.INACTIVE
    request.refresh_from_db()
    if outcomes[1] == (204, ""):
        assert (request.state, Answer.objects.count()) == ("approved", 1)
    else:
        assert outcomes[1] in {(401, "unauthorized"), (409, "request-closed"), (409, "device-not-active")}
        assert (request.state, Answer.objects.count()) == ("cancelled", 0)


@pytest.mark.parametrize("round_", range(3))
def test_an_approval_against_another_round_is_of_one_of_them(round_: int, scene: Scene, door: Door) -> None:
    request = scene.ask().request
    signature = signed(request)

    def work(number: int) -> Any:
        if number:
            return door.approve(request, signature=signature)
        return ask_again(actor=scene.server, id=str(request.pk), destination_id=str(scene.phone.pk)).request.state

    again, approved = race(2, work)
    row = TwoFactorRequest.objects.get()
    if approved == (204, ""):
        assert row.request_id == request.request_id
        assert getattr(again, "code", "") == "request-closed"
    else:
        assert approved in {(409, "request-changed"), (403, "signature-wrong")}
        assert (again, row.state) == ("pending", "pending")


def test_of_many_requests_at_once_five_are_made(scene: Scene) -> None:
    outcomes = race(12, lambda _: scene.ask().request.state)
    assert Counter(getattr(one, "code", one) for one in outcomes) == {"pending": 5, "too-many-requests": 7}
    assert counted("two-factor.alert") == {"two-factor.alert": 1}
