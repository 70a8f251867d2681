"""Two people at one device at one time."""

from collections import Counter

import pytest
from django.test import Client

from devices.models import Device
from devices.operations.activation import activate_device, deactivate_device
from devices.operations.facts import DeviceFacts
from devices.operations.registration import register_device
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 16


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_racing_activations_over_http_are_one_activation_and_one_event(rounds: int) -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    application = make_application(bank, "bank")
    tokens = [make_token(application=application), make_token(user=make_staff(bank))]
    bea = staff_actor(make_staff(bank))

    for number in range(rounds):
        deactivate_device(actor=bea, device_id=str(device.pk), reason=f"round {number}")

        def activate(thread: int) -> tuple[int, str]:
            answer = Client().post(
                "/v1/device/status",
                {"deviceId": device.public_id, "action": "ACTIVATE", "reason": "race"},
                content_type="application/json",
                headers={"authorization": f"Bearer {tokens[thread % 2]}"},
            )
            return answer.status_code, answer.json().get("newState", answer.content.decode())

        assert Counter(race(THREADS, activate)) == {(200, "ACTIVE"): THREADS}
        assert AuditEvent.objects.filter(event="device.activated").count() == number + 1
    assert AuditEvent.objects.filter(event="device.deactivated").count() == rounds


def test_racing_activation_and_deactivation_leave_one_story() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    actor = bank_actor(bank)

    def switch(number: int) -> bool:
        step = activate_device if number % 2 else deactivate_device
        return step(actor=actor, device_id=str(device.pk)).changed

    for _ in range(10):
        assert set(race(THREADS, switch)) <= {True, False}
    events = list(AuditEvent.objects.order_by("at", "id").values_list("event", flat=True))
    assert events == [["device.deactivated", "device.activated"][position % 2] for position in range(len(events))]
    device.refresh_from_db()
    assert device.status == ("ACTIVE" if len(events) % 2 == 0 else "INACTIVE")


def test_racing_registrations_of_one_device_make_one_row() -> None:
    ada = make_customer(make_bank())

    def register(number: int) -> bool:
        facts = DeviceFacts(external_id="990000862471854", nickname="My Phone")
        return register_device(actor=customer_actor(ada), facts=facts).created

    assert Counter(race(THREADS, register)) == {True: 1, False: THREADS - 1}
    assert Device.objects.count() == AuditEvent.objects.count() == 1


def test_racing_registrations_by_different_people_have_one_winner() -> None:
    bank = make_bank()
    people = [make_customer(bank) for _ in range(THREADS)]

    def register(number: int) -> str:
        try:
            facts = DeviceFacts(external_id="990000862471854")
            register_device(actor=customer_actor(people[number]), facts=facts)
        except Conflict as refusal:
            return refusal.code
        return "registered"

    assert Counter(race(THREADS, register)) == {"registered": 1, "device-not-unique": THREADS - 1}
    assert Device.objects.count() == 1
