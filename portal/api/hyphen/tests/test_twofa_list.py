"""What is open for a device: the call that is ours."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.tests.factories import make_token
from portal.accounts.models import User
from portal.api.hyphen.tests.test_twofa import TWO_FACTOR, Scene
from portal.api.tests.doors import Caller, at_most, refused_once
from portal.core import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(ada: User, settings: Any) -> Scene:
    return Scene(ada, settings)


def listed(caller: Caller) -> list[str]:
    response = caller.get(TWO_FACTOR)
    assert response.status_code == 200, response.content
    return [found["id"] for found in response.json()["twoFactorAuths"]]


def test_a_device_sees_what_it_is_asked_and_nobody_else_does(scene: Scene) -> None:
    first, second = scene.ask(), scene.ask()
    ids = [asked["twoFactorAuth"]["id"] for asked in (second, first)]
    assert listed(scene.answering) == ids
    assert listed(scene.waiting) == []
    one = scene.answering.get(TWO_FACTOR).json()["twoFactorAuths"][0]
    assert one == scene.answering.get(f"{TWO_FACTOR}/{ids[0]}").json()["twoFactorAuth"]


def test_what_is_over_is_not_listed(scene: Scene) -> None:
    denied, left = (scene.ask()["twoFactorAuth"]["id"] for _ in range(2))
    assert scene.answering.send("DELETE", f"{TWO_FACTOR}/{denied}").status_code == 204
    assert listed(scene.answering) == [left]
    with time_machine.travel(clock.now() + timedelta(minutes=4)):
        assert listed(scene.answering) == []


def test_it_costs_the_same_for_many(scene: Scene) -> None:
    scene.ask()
    with at_most(3):
        assert len(listed(scene.answering)) == 1
    for _ in range(3):
        scene.ask()
    with at_most(3):
        assert len(listed(scene.answering)) == 4


def test_an_unbound_token_lists_nothing(scene: Scene) -> None:
    unbound = Caller(make_token(user=scene.ada, application=scene.mobile))
    with refused_once("device-token-needed", who=scene.ada.name):
        assert unbound.get(TWO_FACTOR).status_code == 403


def test_a_server_lists_nothing(scene: Scene) -> None:
    with refused_once("insufficient-scope", who="Swirl"):
        assert scene.server.get(TWO_FACTOR).status_code == 403
