"""Asking, at the very moment at which one of the two devices is switched off: nothing stays open about it."""

from typing import Any

import pytest

from devices.operations.activation import deactivate_device
from devices.states import DeviceStatus
from devices.tests.factories import make_staff, staff_actor
from portal.tests.threads import race
from twofa.models import TwoFactorRequest
from twofa.operations.asking import ask_again
from twofa.tests.asking import Scene, make_phone

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = range(4)
OFF = {"device-not-active", "request-closed"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def open_about(scene: Scene) -> int:
    return TwoFactorRequest.objects.open().about([scene.phone]).count()


def against_switching_off(scene: Scene, *works: Any) -> list[Any]:
    """What the works came to, the phone switched off at the same moment."""
    bea = staff_actor(make_staff(scene.ada.bank))

    def work(number: int) -> Any:
        if number:
            return works[number - 1]().request.state
        return deactivate_device(actor=bea, device_id=str(scene.phone.pk), reason="Found open").device.status

    off, *outcomes = race(1 + len(works), work)
    assert off == DeviceStatus.INACTIVE
    assert open_about(scene) == 0
    return [getattr(one, "code", one) for one in outcomes]


@pytest.mark.parametrize("round_", ROUNDS)
def test_another_round_of_the_same_phone(round_: int, scene: Scene) -> None:
    request = scene.ask().request
    phone = str(scene.phone.pk)
    (again,) = against_switching_off(
        scene, lambda: ask_again(actor=scene.server, id=str(request.pk), destination_id=phone)
    )
    assert again in OFF | {"pending"}
    assert TwoFactorRequest.objects.get().state == "cancelled"


@pytest.mark.parametrize("round_", ROUNDS)
def test_another_round_that_the_phone_itself_waits_for(round_: int, scene: Scene) -> None:
    asked = [make_phone(scene.ada, name) for name in ("one", "two")]
    request = scene.ask(source_id=str(scene.phone.pk), destination_id=str(asked[0].pk)).request
    (again,) = against_switching_off(
        scene, lambda: ask_again(actor=scene.server, id=str(request.pk), destination_id=str(asked[1].pk))
    )
    assert again in OFF | {"pending"}
    assert TwoFactorRequest.objects.get().state == "cancelled"


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_request_that_moves_to_another_phone_goes_there_or_ends(round_: int, scene: Scene) -> None:
    other = make_phone(scene.ada, "other")
    request = scene.ask(destination_id=str(scene.phone.pk)).request
    (again,) = against_switching_off(
        scene, lambda: ask_again(actor=scene.server, id=str(request.pk), destination_id=str(other.pk))
    )
    state = TwoFactorRequest.objects.get().state
    assert (again, state) in {("pending", "pending"), ("request-closed", "cancelled")}


@pytest.mark.parametrize("round_", ROUNDS)
def test_two_phones_ask_each_other(round_: int, scene: Scene) -> None:
    """Both are locked in one order, whichever of them waits."""
    other = make_phone(scene.ada, "other")
    both = [str(scene.phone.pk), str(other.pk)]
    outcomes = against_switching_off(
        scene,
        lambda: scene.ask(source_id=both[0], destination_id=both[1]),
        lambda: scene.ask(source_id=both[1], destination_id=both[0]),
    )
    assert set(outcomes) <= OFF | {"pending"}
