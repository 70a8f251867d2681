"""Who has an ID token and nothing more wears nobody out, and holds up none of the bank's requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.tests.factories import make_customer
from portal.api.hyphen.tests.signing_in import Scene, refused
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from portal.core.errors import RateLimited
from twofa.models import TwoFactorRequest
from twofa.operations.answering import deny_request
from twofa.tests.asking import PAYMENT, bound, make_phone
from twofa.tests.asking import Scene as Asking

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def phone(scene: Scene) -> Device:
    return make_phone(scene.ada, "old")


@pytest.fixture
def bank(scene: Scene) -> Asking:
    """The bank's own server, that asks Ada, who has another phone there."""
    return Asking(scene.ada)


def alerts() -> int:
    return AuditEvent.objects.filter(event="two-factor.alert").count()


def status(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


TOO_MANY = (429, "too-many-requests")


def test_sign_ins_of_new_devices_take_nothing_from_the_bank(scene: Scene, bank: Asking) -> None:
    with time_machine.travel(START, tick=False):
        assert [scene.new_device().status_code for _ in range(6)] == [200] * 5 + [429]
        for _ in range(5):
            bank.ask()
        assert (TwoFactorRequest.objects.count(), alerts()) == (10, 1)
        with pytest.raises(RateLimited):
            bank.ask()
        assert alerts() == 2


def test_what_the_bank_asks_takes_nothing_from_new_devices(scene: Scene, bank: Asking) -> None:
    with time_machine.travel(START, tick=False):
        for _ in range(5):
            bank.ask()
        assert [scene.new_device().status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_repetition_counts_where_its_request_does(scene: Scene, phone: Device) -> None:
    with time_machine.travel(START, tick=False) as hand:
        started = scene.new_device().json()
        waiting = Caller(started["ephemeralAccessToken"])
        path = f"/device/v1/2fa/{started['twoFactorAuth']['id']}"
        again = [waiting.send("PUT", path, {"destDeviceId": str(phone.pk)}) for _ in range(5)]
        assert [answer.status_code for answer in again] == [200] * 4 + [429]
        assert status(scene.new_device()) == TOO_MANY
        hand.move_to(START + timedelta(seconds=601))
        assert scene.new_device().status_code == 200


def test_after_not_me_there_are_no_more_for_a_window(scene: Scene, phone: Device, bank: Asking) -> None:
    with time_machine.travel(START, tick=False) as hand:
        scene.new_device()
        hand.move_to(START + timedelta(seconds=30))
        asked = TwoFactorRequest.objects.get()
        deny_request(actor=bound(asked.destination), id=str(asked.pk), not_me=True)
        hand.move_to(START + timedelta(seconds=60))
        with refused("too-many-requests"):
            answer = scene.new_device()
        assert (status(answer), answer["Retry-After"]) == (TOO_MANY, "571")
        bank.ask()
        hand.move_to(START + timedelta(seconds=629))
        assert status(scene.new_device()) == TOO_MANY
        hand.move_to(START + timedelta(seconds=631))
        assert scene.new_device().status_code == 200
        assert alerts() == 1


def test_a_mere_denial_and_anothers_not_me_stop_nobody(scene: Scene, phone: Device, bank: Asking) -> None:
    with time_machine.travel(START, tick=False):
        for not_me, values in ((False, {}), (True, {"kind": "payment", "facts": PAYMENT})):
            asked = bank.ask(**values).request
            deny_request(actor=bound(asked.destination), id=str(asked.pk), not_me=not_me)
        cem = make_phone(make_customer(scene.ada.bank, "Cem"), "cem")
        asked = bank.ask(account_id=cem.owner.public_id).request
        deny_request(actor=bound(cem), id=str(asked.pk), not_me=True)
        assert scene.new_device().status_code == 200
