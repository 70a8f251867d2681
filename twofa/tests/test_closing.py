"""Requests that end without an answer."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from devices.models import Device
from devices.operations.activation import deactivate_device
from devices.operations.cascade import Cut, preview, preview_all
from devices.operations.loss import report_lost
from devices.tests.factories import make_staff, staff_actor
from twofa.models import TwoFactorRequest
from twofa.operations.answering import deny_request
from twofa.operations.closing import BATCH, cancel_open, expire_requests
from twofa.tests.asking import Scene, bound, events, make_phone

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def states() -> list[str]:
    return list(TwoFactorRequest.objects.order_by("requested_at").values_list("state", flat=True))


@pytest.mark.parametrize("cut", list(Cut))
def test_every_cut_previews_what_it_cancels(cut: Cut, scene: Scene) -> None:
    other = make_phone(scene.ada, "other")
    denied = scene.ask(destination_id=str(scene.phone.pk)).request
    deny_request(actor=scene.owner, id=str(denied.pk))
    scene.ask(destination_id=str(scene.phone.pk))
    scene.ask(source_id=str(scene.phone.pk), destination_id=str(other.pk))
    scene.ask(destination_id=str(other.pk))
    assert preview(scene.phone, cut).counts["two_factor"] == 2
    assert preview_all([scene.phone, other], cut).counts["two_factor"] == 3
    assert cancel_open(bound(other), scene.phone) == 2
    assert states() == ["denied", "cancelled", "cancelled", "pending"]
    assert cancel_open(bound(other), scene.phone) == preview(scene.phone, cut).counts["two_factor"] == 0


def test_switching_a_device_off_cancels_and_says_so(scene: Scene) -> None:
    scene.ask()
    deactivate_device(
        actor=staff_actor(make_staff(scene.ada.bank)), device_id=str(scene.phone.pk), reason="Found open"
    )
    request = TwoFactorRequest.objects.get()
    assert (request.state, request.close_reason) == ("cancelled", "The device was taken out of use.")
    assert events().count(("two-factor.cancelled", "done", "")) == 1


def test_a_lost_device_is_asked_no_more(scene: Scene) -> None:
    scene.ask()
    loss = report_lost(actor=bound(scene.phone), device_id=str(scene.phone.pk))
    assert loss.ended.counts["two_factor"] == 1
    assert states() == ["cancelled"]


def test_the_sweep_closes_what_nobody_answered(scene: Scene) -> None:
    with time_machine.travel(START, tick=False) as clock_hand:
        scene.ask()
        clock_hand.move_to(START + timedelta(seconds=100))
        scene.ask()
        assert expire_requests() == 0
        clock_hand.move_to(START + timedelta(seconds=180))
        assert (expire_requests(), states()) == (1, ["expired", "pending"])
        assert events()[-1] == ("two-factor.expired", "done", "")
        assert (expire_requests(), len(events())) == (0, 3)


def test_a_lapsed_request_is_not_cancelled_any_more(scene: Scene) -> None:
    with time_machine.travel(START, tick=False) as clock_hand:
        scene.ask()
        clock_hand.move_to(START + timedelta(seconds=180))
        assert preview(scene.phone).counts["two_factor"] == cancel_open(scene.owner, scene.phone) == 0


def test_a_sweep_goes_on_until_none_is_left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BATCH == 200
    monkeypatch.setattr("twofa.operations.closing.BATCH", 2)
    with time_machine.travel(START, tick=False) as clock_hand:
        for _ in range(3):
            scene.ask()
        clock_hand.move_to(START + timedelta(seconds=180))
        assert [expire_requests() for _ in range(2)] == [3, 0]
    assert Device.objects.count() == 1
