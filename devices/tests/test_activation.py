"""Switching devices on and off."""

import pytest

from devices.models import Device
from devices.operations.activation import (
    activate_device,
    block_device,
    deactivate_device,
    unblock_device,
    unregister_device,
)
from devices.operations.cascade import preview
from devices.states import TRANSITIONS, DeviceStatus, HeldBy
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    staff_actor,
)
from portal.accounts.models import AccessToken
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core.errors import ApprovalRequired, DomainError, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.models import Message

pytestmark = pytest.mark.django_db


def snapshot(device: Device) -> dict[str, object]:
    return dict(Device.objects.filter(pk=device.pk).values().get())


def test_staff_deactivate_with_a_reason_and_its_sessions_end() -> None:
    bank = make_bank()
    ada, bea = make_customer(bank), make_staff(bank)
    device, other = make_device(ada), make_device(ada)
    for _ in range(3):
        make_token(user=ada, device=device)
    make_token(user=ada, device=other)
    make_token(user=ada)

    change = deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="Reported odd")

    assert (change.changed, change.sessions_terminated) == (True, 3)
    device.refresh_from_db()
    assert (device.status, device.held_by) == (DeviceStatus.INACTIVE, HeldBy.BANK)
    assert AccessToken.objects.live().filter(user=ada).count() == 2
    event = AuditEvent.objects.get()
    assert (event.event, event.actor_label, event.reason) == ("device.deactivated", "Bea", "Reported odd")
    assert event.object_id == str(device.pk)


def test_preview_counts_what_really_ends() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = make_device(ada)
    make_token(user=ada, device=device)
    make_token(user=ada, device=device)

    before = preview(device)
    change = block_device(actor=bank_actor(bank), device_id=device.public_id)

    assert before.lines == [(2, "open sessions are ended")]
    assert change.sessions_terminated == before.sessions == 2
    assert preview(device).lines == [(0, "open sessions are ended")]


def test_ended_sessions_stay_ended_when_the_device_is_active_again() -> None:
    bank = make_bank()
    ada, bea = make_customer(bank), make_staff(bank)
    device = make_device(ada)
    make_token(user=ada, device=device)
    deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="check")
    change = activate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="checked")

    assert change.device.status == DeviceStatus.ACTIVE
    assert AccessToken.objects.live().count() == 0


def test_repeat_is_quiet() -> None:
    bank = make_bank()
    bea = make_staff(bank)
    device = make_device(make_customer(bank))
    first = deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="once")
    second = deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="twice")

    assert (first.changed, second.changed, second.sessions_terminated) == (True, False, 0)
    assert first.at == second.at
    assert AuditEvent.objects.count() == 1


def test_owner_is_told_of_what_the_bank_does_and_not_of_its_own_doing() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    from portal import vault

    ada.email_sealed = vault.seal("user.email", ada.pk, "ada@customer.example")
    ada.save()
    device = make_device(ada)
    block_device(actor=customer_actor(ada), device_id=str(device.pk))
    assert Message.objects.count() == 0
    activate_device(actor=bank_actor(bank), device_id=str(device.pk))
    message = Message.objects.get()
    assert (message.kind, message.template) == ("email", "device-activated")
    assert "ada@customer.example" not in str(message.__dict__)


def test_every_state_and_every_step() -> None:
    bank = make_bank()
    steps = {
        DeviceStatus.ACTIVE: activate_device,
        DeviceStatus.INACTIVE: deactivate_device,
        DeviceStatus.BLOCKED: block_device,
        DeviceStatus.RETIRED: unregister_device,
    }
    for before in DeviceStatus:
        for after, step in steps.items():
            held = HeldBy.OWNER if before in {DeviceStatus.INACTIVE, DeviceStatus.BLOCKED} else HeldBy.NOBODY
            device = make_device(make_customer(bank), before, held_by=held)
            allowed = after == before or after in TRANSITIONS[before]
            if allowed:
                assert step(actor=bank_actor(bank), device_id=str(device.pk)).device.status == after
            else:
                rows = snapshot(device)
                with pytest.raises(InvalidState) as refusal:
                    step(actor=bank_actor(bank), device_id=str(device.pk))
                assert refusal.value.code == "device-status-not-valid"
                assert snapshot(device) == rows


def test_a_device_that_the_bank_blocked_needs_a_second_person() -> None:
    bank = make_bank()
    for actor in (staff_actor(make_staff(bank)), bank_actor(bank)):
        for step in (activate_device, unblock_device):
            device = make_device(make_customer(bank), DeviceStatus.BLOCKED)
            rows = snapshot(device)
            with pytest.raises(ApprovalRequired):
                step(actor=actor, device_id=str(device.pk), reason="please")
            assert snapshot(device) == rows
    device = make_device(make_customer(bank), DeviceStatus.BLOCKED)
    rows = snapshot(device)
    with pytest.raises(ApprovalRequired):
        unregister_device(actor=bank_actor(bank), device_id=str(device.pk))
    assert snapshot(device) == rows
    assert [event.event for event in AuditEvent.objects.all()] == ["approval.requested"] * 5


def test_a_customer_undoes_only_the_owners_own_block() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    own, banks = make_device(ada), make_device(ada, DeviceStatus.BLOCKED)
    block_device(actor=customer_actor(ada), device_id=str(own.pk))
    assert unblock_device(actor=customer_actor(ada), device_id=str(own.pk)).device.is_active

    for step in (unblock_device, unregister_device):
        with pytest.raises(InvalidState) as refusal:
            step(actor=customer_actor(ada), device_id=str(banks.pk))
        assert refusal.value.code == "device-status-not-valid"
    banks.refresh_from_db()
    assert banks.status == DeviceStatus.BLOCKED


def test_what_the_bank_holds_stays_the_banks() -> None:
    bank = make_bank()
    ada, bea = make_customer(bank), make_staff(bank)
    device = make_device(ada)
    deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="fraud desk")
    block_device(actor=customer_actor(ada), device_id=str(device.pk))
    device.refresh_from_db()
    assert (device.status, device.held_by) == (DeviceStatus.BLOCKED, HeldBy.BANK)
    with pytest.raises(InvalidState):
        unblock_device(actor=customer_actor(ada), device_id=str(device.pk))


def test_the_bank_takes_over_what_the_owner_switched_off() -> None:
    bank = make_bank()
    ada, bea = make_customer(bank), make_staff(bank)
    device = make_device(ada)
    deactivate_device(actor=customer_actor(ada), device_id=str(device.pk))
    change = deactivate_device(actor=staff_actor(bea), device_id=str(device.pk), reason="fraud desk")
    assert (change.changed, change.device.held_by) == (True, HeldBy.BANK)
    assert AuditEvent.objects.count() == 2
    with pytest.raises(InvalidState):
        unblock_device(actor=customer_actor(ada), device_id=str(device.pk))


def test_a_customer_does_not_activate() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = make_device(ada, DeviceStatus.PENDING)
    with pytest.raises(Forbidden) as refusal:
        activate_device(actor=customer_actor(ada), device_id=str(device.pk))
    assert refusal.value.code == "customer-cannot-activate"
    with pytest.raises(InvalidState):
        unblock_device(actor=customer_actor(ada), device_id=str(device.pk))
    device.refresh_from_db()
    assert device.status == DeviceStatus.PENDING


def test_blocking_and_unblocking_is_no_way_round_the_banks_activation() -> None:
    ada = make_customer(make_bank())
    device = make_device(ada, DeviceStatus.PENDING)
    block_device(actor=customer_actor(ada), device_id=str(device.pk))
    with pytest.raises(InvalidState) as refusal:
        unblock_device(actor=customer_actor(ada), device_id=str(device.pk))
    assert refusal.value.code == "device-status-not-valid"
    device.refresh_from_db()
    assert device.status == DeviceStatus.BLOCKED


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_a_colleague_without_the_right_changes_nothing(role: str) -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    rows = snapshot(device)
    for step in (activate_device, deactivate_device, block_device):
        with pytest.raises(Forbidden) as refusal:
            step(actor=staff_actor(make_staff(bank, role)), device_id=str(device.pk), reason="because")
        assert refusal.value.code == "capability-missing"
    assert snapshot(device) == rows
    assert AuditEvent.objects.count() == 0


def test_a_superuser_has_no_more_rights_than_the_role() -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    root = make_staff(bank, Role.ADMINISTRATOR, is_superuser=True)
    with pytest.raises(Forbidden):
        block_device(actor=staff_actor(root), device_id=str(device.pk), reason="because")


def test_strangers_find_nothing() -> None:
    bank, elsewhere = make_bank(), make_bank()
    device = make_device(make_customer(bank))
    rows = snapshot(device)
    cem = make_customer(bank, "Cem")
    for actor in (customer_actor(cem), staff_actor(make_staff(elsewhere)), bank_actor(elsewhere)):
        for name in (str(device.pk), device.public_id, device.external_id):
            with pytest.raises(NotFound):
                deactivate_device(actor=actor, device_id=name, reason="mine")
    assert snapshot(device) == rows


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "bell\x07", "for 4111.1111.1111.1111"])
def test_staff_give_a_reason_that_can_be_read(reason: str) -> None:
    bank = make_bank()
    device = make_device(make_customer(bank))
    with pytest.raises(InvalidInput) as refusal:
        deactivate_device(actor=staff_actor(make_staff(bank)), device_id=str(device.pk), reason=reason)
    assert [problem.field for problem in refusal.value.fields] == ["reason"]
    device.refresh_from_db()
    assert device.is_active


def test_an_unregistered_device_forgets_its_push_handle_and_its_identifier_is_free() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = make_device(ada, external_id="990000862471854", push_handle="handle-1")
    change = unregister_device(actor=customer_actor(ada), device_id="990000862471854")
    assert change.device.status == DeviceStatus.RETIRED
    device.refresh_from_db()
    assert (device.push_handle, device.push_platform, device.push_expires_at) == ("", "", None)
    again = make_device(ada, external_id="990000862471854")
    assert Device.objects.get_named("990000862471854", bank.pk) == again
    assert not unregister_device(actor=customer_actor(ada), device_id=str(device.pk)).changed


def test_an_operation_raises_only_domain_errors_for_odd_names() -> None:
    bank = make_bank()
    for name in ("", "DEV_", "DEV_" + "0" * 26, "x" * 10_000, "é", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(DomainError):
            block_device(actor=bank_actor(bank), device_id=name)
