"""Setting and changing a PIN."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from devices.models import Device, DevicePin, Kind, PinReset
from devices.operations.pin_resets import request_reset
from devices.operations.pins import change_pin, create_pin
from devices.queries.pins import pin_state
from devices.states import DeviceStatus, ResetState
from devices.tests.factories import (
    bank_actor,
    make_customer,
    make_device,
    make_pin,
    make_staff,
    make_token,
    staff_actor,
)
from devices.tests.pinning import (
    NEXT,
    NUMBER,
    PIN,
    WRONG,
    bearer,
    events,
    failures_of,
    make_owner,
    make_sessions,
    pin_is,
    refused,
    sent,
)
from portal.accounts.models import AccessToken, User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidInput, InvalidState, Locked, NotFound
from portal.core.errors import VerificationFailed as Wrong

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def phone() -> Device:
    return make_device(make_owner())


@pytest.fixture
def ada(phone: Device) -> User:
    return phone.owner


def create(actor: Actor, device: Device | str, pin: str = PIN, **values: Any) -> Any:
    name = device if isinstance(device, str) else device.public_id
    return create_pin(actor=actor, device_id=name, **{"pin": pin, "confirm_pin": pin, **values})


def change(actor: Actor, device: Device | str, current: str = PIN, new: str = NEXT, **values: Any) -> Any:
    name = device if isinstance(device, str) else device.public_id
    pins = {"current_pin": current, "new_pin": new, "confirm_new_pin": new}
    return change_pin(actor=actor, device_id=name, **{**pins, **values})


def try_wrong(actor: Actor, device: Device, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Wrong):
            change(actor, device, WRONG)


# Creating.


def test_a_pin_is_set_and_only_its_digest_is_kept(phone: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        done = create(bearer(phone), phone)
    pin = DevicePin.objects.get()
    assert (done.device, done.at) == (phone, NOON)
    assert (pin.device, pin.failures, pin.locked_at, pin.created_at, pin.changed_at) == (phone, 0, None, NOON, NOON)
    assert PIN not in pin.digest
    assert pin_is(phone, PIN)
    assert events() == [("pin.created", "done", "")]
    assert AuditEvent.objects.get().object_id == str(phone.pk)


def test_a_second_one_is_a_conflict_and_nothing_is_hashed(phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = bearer(phone)
    create(actor, phone)
    monkeypatch.setattr("devices.operations.pins.new_digest", None)
    with refused(Conflict, "pin-exists"):
        create(actor, phone, NEXT)


@pytest.mark.parametrize("spelling", ["public_id", "pk", "external_id"])
def test_every_spelling_of_the_id_names_the_device(spelling: str, phone: Device) -> None:
    assert create(bearer(phone), str(getattr(phone, spelling))).device == phone


def test_the_user_named_has_to_be_oneself(phone: Device, ada: User) -> None:
    bea, actor = make_customer(ada.bank, "Bea"), bearer(phone)
    for name in (bea.public_id, bea.customer_number, "USR_1", "nobody"):
        for device in (phone, "unknown"):
            with refused(Forbidden, "identity-mismatch"):
                create(actor, device, user_id=name)
    assert create(actor, phone, user_id=ada.public_id).device == phone


# Changing.


def test_the_current_pin_is_exchanged(phone: Device) -> None:
    make_pin(phone)
    with time_machine.travel(NOON, tick=False):
        done = change(bearer(phone), phone)
    assert (done.at, DevicePin.objects.get().changed_at) == (NOON, NOON)
    assert (pin_is(phone, PIN), pin_is(phone, NEXT)) == (False, True)
    assert events() == [("pin.changed", "done", "")]
    assert [(template, to) for template, _, to, _ in sent()] == [("device-pin-changed", "john.doe@email.com")]


def test_other_sessions_end_and_are_counted_the_callers_lives(phone: Device) -> None:
    make_pin(phone)
    make_sessions(phone, 2)
    other = make_device(phone.owner)
    make_sessions(other, 1)
    free = make_token(user=phone.owner)
    actor = bearer(phone)
    assert change(actor, phone).sessions_ended == 2
    assert AccessToken.objects.live().filter(device=phone).get().pk == actor.token_id
    assert AccessToken.objects.live().exclude(device=phone).count() == 2
    assert free
    assert change(actor, phone, NEXT, PIN).sessions_ended == 0


def test_a_caller_whose_token_is_not_the_devices_ends_all_of_them(phone: Device) -> None:
    make_pin(phone)
    make_sessions(phone, 3)
    assert change(bearer(make_device(phone.owner)), phone).sessions_ended == 3
    assert AccessToken.objects.live().filter(device=phone).count() == 0


def test_a_reset_on_its_way_is_voided(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    request_reset(actor=actor, device_id=str(phone.pk), method="SMS", known_phone=NUMBER)
    change(actor, phone)
    assert PinReset.objects.get().state == ResetState.VOID


def test_the_new_pin_is_kept_under_the_current_pepper(phone: Device, settings: Any) -> None:
    make_pin(phone)
    settings.PIN_PEPPERS = {"p2": b"2" * 32, **settings.PIN_PEPPERS}
    change(bearer(phone), phone)
    assert DevicePin.objects.get().digest.startswith("pin1$p2$")
    assert pin_is(phone, NEXT)


def test_a_device_without_a_pin_has_none_to_change(phone: Device) -> None:
    actor = bearer(phone)
    with refused(InvalidState, "pin-not-set"):
        change(actor, phone)


# Wrong ones.


def test_a_wrong_pin_is_counted_and_written_down(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    with pytest.raises(Wrong) as told:
        change(actor, phone, WRONG)
    assert (told.value.code, told.value.message, told.value.audited) == ("pin-wrong", "The PIN is not right.", True)
    assert failures_of(phone) == 1
    assert pin_is(phone, PIN)
    assert events() == [("pin.refused", "refused", "pin-wrong")]
    event = AuditEvent.objects.get()
    assert (event.object_id, event.actor_id) == (str(phone.pk), actor.id)
    assert WRONG not in event.data


def test_the_fifth_wrong_one_in_a_row_locks(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    try_wrong(actor, phone, 4)
    assert not pin_state(phone).is_locked
    try_wrong(actor, phone)
    pin = DevicePin.objects.get()
    assert (pin.failures, pin.is_locked) == (5, True)
    assert pin.locked_at is not None
    assert events() == [("pin.refused", "refused", "pin-wrong")] * 5 + [("pin.locked", "done", "")]
    assert [template for template, *_ in sent()] == ["device-pin-locked"]


def test_a_locked_pin_is_refused_right_or_wrong_without_hashing(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pin(phone, failures=5)
    actor = bearer(phone)
    monkeypatch.setattr("devices.operations.pins.matches", None)
    for current in (PIN, WRONG):
        with refused(Locked, "pin-locked"):
            change(actor, phone, current)


def test_a_right_one_begins_the_count_anew(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    try_wrong(actor, phone, 4)
    change(actor, phone)
    assert failures_of(phone) == 0
    try_wrong(actor, phone, 4)
    assert not DevicePin.objects.get().is_locked


def test_success_on_another_device_clears_nothing(phone: Device) -> None:
    other = make_device(phone.owner)
    make_pin(phone)
    make_pin(other)
    try_wrong(bearer(phone), phone, 4)
    change(bearer(other), other)
    assert failures_of(phone) == 4


def test_every_wrong_pin_gets_the_same_words(phone: Device) -> None:
    make_pin(phone)
    actor, told = bearer(phone), set()
    for wrong in ("094738", "194739", "830174", "104738"):
        with pytest.raises(Wrong) as error:
            change(actor, phone, wrong)
        told.add((error.value.message, error.value.code, str(error.value.details)))
    assert len(told) == 1


def test_a_pin_that_was_exchanged_meanwhile_is_not_exchanged_again(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pin(phone)
    actor = bearer(phone)

    def exchanged(device: Device, pin: str) -> str:
        DevicePin.objects.filter(device=device).update(digest="another", failures=0)
        return "mine"

    monkeypatch.setattr("devices.operations.pins.new_digest", exchanged)
    with pytest.raises(Conflict) as error:
        change(actor, phone)
    assert error.value.code == "pin-changed-meanwhile"
    assert DevicePin.objects.get().digest == "another"
    assert events() == []


def test_a_pin_whose_pepper_is_gone_needs_a_reset(
    phone: Device, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make_pin(phone)
    settings.PIN_PEPPERS = {"p2": b"2" * 32}
    with caplog.at_level(logging.ERROR), pytest.raises(Locked) as error:
        change(bearer(phone), phone)
    assert error.value.code == "pin-locked"
    assert "not in the ring" in caplog.text
    assert failures_of(phone) == 1


# Both.


BOTH = pytest.mark.parametrize("call", [create, change])


@BOTH
@pytest.mark.parametrize("pin", ["", "12345", "1234567", "12a456", "１９４７３８", "194738\n"])
def test_six_digits_or_nothing(call: Any, pin: str, phone: Device) -> None:
    make_pin(phone)
    actor, field = bearer(phone), "pin" if call is create else "new_pin"
    with refused(InvalidInput, "invalid-input", field, f"confirm_{field}"):
        call(actor, phone, **{field: pin, f"confirm_{field}": pin})


def test_a_current_pin_that_is_none_is_named_too_and_no_try_is_spent(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    with refused(InvalidInput, "invalid-input", "current_pin"):
        change(actor, phone, "12345")


@BOTH
def test_the_second_typing_has_to_be_the_same(call: Any, phone: Device) -> None:
    make_pin(phone)
    actor, field = bearer(phone), "confirm_pin" if call is create else "confirm_new_pin"
    with refused(InvalidInput, "invalid-input", field):
        call(actor, phone, **{field: WRONG})


@BOTH
def test_a_weak_one_is_refused(call: Any, phone: Device) -> None:
    make_pin(phone)
    actor, field = bearer(phone), "pin" if call is create else "new_pin"
    with refused(InvalidInput, "weak-pin", field):
        call(actor, phone, **{field: "111111", f"confirm_{field}": "111111"})


def test_the_new_pin_differs_from_the_current_one_and_no_try_is_spent(phone: Device) -> None:
    make_pin(phone)
    actor = bearer(phone)
    with refused(InvalidInput, "weak-pin", "new_pin"):
        change(actor, phone, PIN, PIN)


@BOTH
@pytest.mark.parametrize(
    "status", [DeviceStatus.PENDING, DeviceStatus.INACTIVE, DeviceStatus.BLOCKED, DeviceStatus.RETIRED]
)
def test_only_an_active_device_has_a_pin_to_use(call: Any, status: str, phone: Device) -> None:
    device = make_device(phone.owner, status)
    make_pin(device)
    actor = bearer(phone)
    with refused(InvalidState, "device-not-active"):
        call(actor, device)


@BOTH
def test_foreign_and_unknown_devices_and_cards_are_not_found(call: Any, phone: Device, ada: User) -> None:
    bea, cem = make_device(make_customer(ada.bank, "Bea")), make_device(make_owner("Cem"))
    card = make_device(ada, kind=Kind.PAYMENT_CARD, external_id="")
    actor = bearer(phone)
    for name in (bea.public_id, bea.external_id, cem.public_id, card.public_id, "DEV_1", "unknown"):
        with refused(NotFound, "not-found"):
            call(actor, name)


@BOTH
def test_nobody_else_sets_a_pin_whether_or_not_there_is_a_device(call: Any, phone: Device, ada: User) -> None:
    others = [staff_actor(make_staff(ada.bank)), bank_actor(ada.bank), Actor.system("test", bank_id=ada.bank_id)]
    for actor in others:
        for device in (phone, "unknown"):
            with refused(Forbidden, "customer-only"):
                call(actor, device)


def test_accepted_weak_pins_are_for_the_demo(phone: Device) -> None:
    actor = bearer(phone)
    with override_settings(ACCEPTED_WEAK_PINS=[]), refused(InvalidInput, "weak-pin", "pin"):
        create(actor, phone, "123456")
    with override_settings(ACCEPTED_WEAK_PINS=["123456"]):
        assert create(actor, phone, "123456").device == phone


def test_the_state_is_told_without_the_pin(phone: Device) -> None:
    assert pin_state(phone).is_set is False
    make_pin(phone, failures=3)
    phone.refresh_from_db()
    state = pin_state(phone)
    assert (state.is_set, state.is_locked, state.tries_left, state.open_reset) == (True, False, 2, None)
