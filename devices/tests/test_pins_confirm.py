"""Ending a reset with its code."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.models import Device, DevicePin, PinReset
from devices.operations.activation import block_device
from devices.operations.pin_confirmation import confirm_reset
from devices.operations.pin_resets import request_reset, start_reset
from devices.states import ResetState
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_customer,
    make_device,
    make_pin,
    make_staff,
    staff_actor,
)
from devices.tests.pinning import (
    ADDRESS,
    NEXT,
    NUMBER,
    PIN,
    bearer,
    events,
    failures_of,
    last_code,
    make_owner,
    make_sessions,
    pin_is,
    refused,
    sent,
)
from portal.accounts.models import AccessToken
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, NotFound
from portal.core.errors import VerificationFailed as Wrong
from portal.crypto.codes import new_digits

pytestmark = pytest.mark.django_db
ASKED = ("pin-reset.requested", "done", "")
REFUSED = ("pin-reset.refused", "refused", "reset-code-wrong")
CONFIRMED = ("pin-reset.confirmed", "done", "")


@pytest.fixture
def phone() -> Device:
    device = make_device(make_owner())
    make_pin(device)
    return device


@pytest.fixture
def actor(phone: Device) -> Actor:
    return bearer(phone)


@pytest.fixture
def reset(actor: Actor, phone: Device) -> PinReset:
    return request_reset(actor=actor, device_id=str(phone.pk), method="EMAIL", known_email=ADDRESS)


def confirm(actor: Actor, reset: PinReset | str, code: str, pin: str = NEXT, **values: Any) -> Any:
    name = reset if isinstance(reset, str) else reset.public_id
    pins = {"new_pin": pin, "confirm_new_pin": pin, **values}
    return confirm_reset(actor=actor, reset_id=name, verification_code=code, **pins)


def another(code: str) -> str:
    return next(other for _ in range(9) if (other := new_digits(8)) != code)


def state_of(reset: PinReset) -> tuple[str, int]:
    reset.refresh_from_db()
    return reset.state, reset.tries


def test_the_code_sets_the_new_pin_and_unlocks(actor: Actor, reset: PinReset, phone: Device) -> None:
    DevicePin.objects.update(failures=5, locked_at=clock.now())
    make_sessions(phone, 2)
    done = confirm(actor, reset, last_code())
    pin = DevicePin.objects.get()
    assert (done.device, done.at, done.sessions_ended) == (phone, pin.changed_at, 2)
    assert (pin.failures, pin.locked_at) == (0, None)
    assert pin_is(phone, NEXT)
    assert state_of(reset)[0] == ResetState.USED
    assert AccessToken.objects.live().filter(device=phone).get().pk == actor.token_id
    assert events() == [ASKED, CONFIRMED]
    assert [template for template, *_ in sent()] == ["pin-reset-code", "device-pin-reset"]


def test_a_code_works_once(actor: Actor, reset: PinReset) -> None:
    code = last_code()
    confirm(actor, reset, code)
    with refused(NotFound, "not-found"):
        confirm(actor, reset, code, PIN)


def test_a_wrong_code_is_counted_and_written_down(actor: Actor, reset: PinReset, phone: Device) -> None:
    wrong = another(last_code())
    with pytest.raises(Wrong) as told:
        confirm(actor, reset, wrong)
    assert (told.value.code, told.value.audited) == ("reset-code-wrong", True)
    assert state_of(reset) == (ResetState.OPEN, 1)
    assert pin_is(phone, PIN)
    assert events() == [ASKED, REFUSED]
    event = AuditEvent.objects.get(event="pin-reset.refused")
    assert event.object_id == str(phone.pk)
    assert wrong not in event.data


def test_five_wrong_codes_end_it(actor: Actor, reset: PinReset) -> None:
    code = last_code()
    for _ in range(5):
        with pytest.raises(Wrong):
            confirm(actor, reset, another(code))
    assert state_of(reset) == (ResetState.VOID, 5)
    assert events() == [ASKED, *[REFUSED] * 5]
    with refused(NotFound, "not-found"):
        confirm(actor, reset, code)


def test_the_fifth_try_may_be_right(actor: Actor, reset: PinReset, phone: Device) -> None:
    code = last_code()
    for _ in range(4):
        with pytest.raises(Wrong):
            confirm(actor, reset, another(code))
    confirm(actor, reset, code)
    assert pin_is(phone, NEXT)


def test_one_that_never_went_out_takes_wrong_codes_like_any_other(actor: Actor, phone: Device) -> None:
    quiet = request_reset(actor=actor, device_id=str(phone.pk), method="SMS", known_phone="+2340000000")
    for _ in range(5):
        with pytest.raises(Wrong):
            confirm(actor, quiet, new_digits(8))
    with refused(NotFound, "not-found"):
        confirm(actor, quiet, new_digits(8))


def test_after_an_hour_it_is_gone(actor: Actor, reset: PinReset) -> None:
    code = last_code()
    with time_machine.travel(clock.now() + timedelta(minutes=60, seconds=1)), refused(NotFound, "not-found"):
        confirm(actor, reset, code)


def test_an_older_one_is_gone(actor: Actor, reset: PinReset, phone: Device) -> None:
    code = last_code()
    newer = request_reset(actor=actor, device_id=str(phone.pk), method="SMS", known_phone=NUMBER)
    with refused(NotFound, "not-found"):
        confirm(actor, reset, code)
    with pytest.raises(Wrong):
        confirm(actor, newer, code)


def test_it_ends_with_the_devices_access(actor: Actor, reset: PinReset, phone: Device) -> None:
    code = last_code()
    block_device(actor=actor, device_id=str(phone.pk))
    with refused(NotFound, "not-found"):
        confirm(actor, reset, code)


def test_unknown_foreign_and_other_clients_resets_are_one_answer(
    actor: Actor, reset: PinReset, phone: Device
) -> None:
    code = last_code()
    bea = bearer(make_device(make_customer(phone.bank, "Bea")))
    elsewhere = customer_actor(phone.owner, phone, application_id=make_application(phone.bank).pk)
    for who, name in [(bea, reset.public_id), (elsewhere, reset.public_id), (actor, "RESET_1"), (actor, "")]:
        with refused(NotFound, "not-found"):
            confirm(who, name, code)


def test_what_staff_started_any_client_of_the_owner_confirms(phone: Device) -> None:
    bea = staff_actor(make_staff(phone.bank))
    reset = start_reset(actor=bea, device_id=str(phone.pk), method="SMS", reason="She called")
    code = last_code()
    stranger = bearer(make_device(make_customer(phone.bank, "Cem")))
    with refused(NotFound, "not-found"):
        confirm(stranger, reset, code)
    confirm(bearer(phone), reset, code)
    assert pin_is(phone, NEXT)


def test_staff_never_set_a_pin(reset: PinReset, phone: Device) -> None:
    code = last_code()
    for who in (staff_actor(make_staff(phone.bank)), bank_actor(phone.bank)):
        for name in (reset.public_id, "RESET_1"):
            with refused(Forbidden, "customer-only"):
                confirm(who, name, code)


def test_the_form_is_looked_at_first_and_costs_no_try(actor: Actor, reset: PinReset) -> None:
    code = last_code()
    with refused(InvalidInput, "invalid-input", "new_pin", "confirm_new_pin"):
        confirm(actor, reset, code, "12345")
    with refused(InvalidInput, "invalid-input", "confirm_new_pin"):
        confirm(actor, reset, code, confirm_new_pin=PIN)
    with refused(InvalidInput, "weak-pin", "new_pin"):
        confirm(actor, reset, code, "111111")


def test_the_current_pin_is_no_new_one_and_finding_that_out_costs_a_try(
    actor: Actor, reset: PinReset, phone: Device
) -> None:
    code = last_code()
    for number in range(1, 6):
        with pytest.raises(InvalidInput) as told:
            confirm(actor, reset, code, PIN)
        assert told.value.code == "weak-pin"
        assert state_of(reset) == (ResetState.OPEN, number)
    with refused(NotFound, "not-found"):
        confirm(actor, reset, code)
    assert failures_of(phone) == 0


def test_it_mends_a_pin_whose_pepper_is_gone(actor: Actor, reset: PinReset, phone: Device, settings: Any) -> None:
    settings.PIN_PEPPERS = {"p2": b"2" * 32}
    confirm(actor, reset, last_code())
    assert pin_is(phone, NEXT)
