"""Data fixes by staff."""

import pytest

from devices.operations.corrections import correct_device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, Forbidden, InvalidInput, NotFound

pytestmark = pytest.mark.django_db


def test_a_correction_has_before_after_and_a_reason() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank), model="IP-6S")
    corrected = correct_device(
        actor=staff_actor(make_staff(bank)),
        device_id=str(device.pk),
        changes={"model": "IP-6", "nickname": ""},
        reason="typed wrong",
    )
    assert corrected.model == "IP-6"
    event = AuditEvent.objects.get()
    assert (event.event, event.reason) == ("device.corrected", "typed wrong")
    assert event.data == '{"after":{"model":"IP-6"},"before":{"model":"IP-6S"}}'


def test_what_is_right_already_is_left_alone() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank), model="IP-6S")
    correct_device(
        actor=staff_actor(make_staff(bank)), device_id=str(device.pk), changes={"model": "IP-6S"}, reason="r"
    )
    assert AuditEvent.objects.count() == 0


def test_states_owners_and_keys_are_not_corrected() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    for field in ("status", "owner", "external_id_sealed", "held_by"):
        with pytest.raises(InvalidInput) as refusal:
            correct_device(
                actor=staff_actor(make_staff(bank)), device_id=str(device.pk), changes={field: "x"}, reason="r"
            )
        assert refusal.value.code == "not-correctable"


def test_a_reason_and_the_right_are_needed() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    with pytest.raises(InvalidInput):
        correct_device(
            actor=staff_actor(make_staff(bank)), device_id=str(device.pk), changes={"model": "x"}, reason=""
        )
    with pytest.raises(Forbidden):
        correct_device(
            actor=staff_actor(make_staff(bank, Role.AUDITOR)),
            device_id=str(device.pk),
            changes={"model": "x"},
            reason="r",
        )
    device.refresh_from_db()
    assert device.model == "IP-6S"


def test_whoever_lacks_the_right_does_not_learn_what_there_is() -> None:
    bank = make_bank()
    auditor = staff_actor(make_staff(bank, Role.AUDITOR))
    foreign = make_device(make_customer(make_bank()))
    for device_id in (str(make_device(make_customer(bank)).pk), str(foreign.pk), "nothing"):
        with pytest.raises(Forbidden):
            correct_device(actor=auditor, device_id=device_id, changes={"model": "x"}, reason="r")
    with pytest.raises(NotFound):
        correct_device(
            actor=staff_actor(make_staff(bank)), device_id=str(foreign.pk), changes={"model": "x"}, reason="r"
        )
    foreign.refresh_from_db()
    assert (foreign.model, AuditEvent.objects.count()) == ("IP-6S", 0)


def test_a_nickname_stays_unique() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    make_device(ada, nickname="Blue")
    device = make_device(ada)
    with pytest.raises(Conflict):
        correct_device(
            actor=staff_actor(make_staff(bank)), device_id=str(device.pk), changes={"nickname": "blue"}, reason="r"
        )
