"""Lost devices, and those that are found again."""

import json
from collections import Counter
from datetime import timedelta

import pytest
import time_machine

from devices.models import Device, DeviceKey, DevicePin, Fingerprint, PinReset, Transfer
from devices.operations.activation import activate_device, block_device, unblock_device
from devices.operations.cascade import Cut, preview
from devices.operations.loss import report_lost, undo_loss
from devices.states import Category, DeviceStatus, HeldBy
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
from devices.tests.life import approve, hang_everything_on
from pki.states import CertificateState
from pki.tests.factories import hang_certificate
from portal import vault
from portal.accounts.models import AccessToken, Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, DomainError, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.models import Message
from portal.tests.threads import race

pytestmark = pytest.mark.django_db

# What `hang_everything_on` hangs on a device.
FURNISHED = {"sessions": 2, "transfers": 1, "two_factor": 0, "pin_resets": 1, "pins": 1, "links": 1}


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def bea(bank: Bank) -> Actor:
    return staff_actor(make_staff(bank))


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def snapshot(device: Device) -> dict[str, object]:
    return dict(Device.objects.filter(pk=device.pk).values().get())


def test_the_preview_counts_what_then_really_ends(ada: User, bea: Actor) -> None:
    device, other = make_device(ada), make_device(ada)
    hang_everything_on(device)
    certificate = hang_certificate(device)
    make_token(user=ada, device=other)
    before = preview(device, Cut.LOST)
    loss = report_lost(actor=bea, device_id=device.public_id, reason="Left in a taxi")

    assert loss.ended.counts == before.counts == FURNISHED | {"certificates_held": 1}
    device.refresh_from_db()
    assert (device.status, device.held_by, device.lost_at) == (DeviceStatus.BLOCKED, HeldBy.BANK, loss.at)
    assert (loss.changed, device.switched_off_at) == (True, loss.at)
    assert set(preview(device, Cut.LOST).counts.values()) == {0}
    assert AccessToken.objects.live().filter(device=device).count() == 0
    assert not DevicePin.objects.exists()
    assert [Transfer.objects.get().state, PinReset.objects.get().state] == ["CANCELLED", "VOID"]
    certificate.refresh_from_db()
    assert certificate.state == CertificateState.ON_HOLD


def test_one_event_tells_of_it_and_counts(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    make_token(user=ada, device=device)
    report_lost(actor=bea, device_id=str(device.pk), reason="Left in a taxi")
    event = AuditEvent.objects.get()
    assert (event.event, event.actor_label, event.reason) == ("device.lost", "Bea", "Left in a taxi")
    assert event.object_id == str(device.pk)
    assert (
        '"ended":{"certificates_held":0,"links":0,"pin_resets":0,"pins":0,"sessions":1,"transfers":0,"two_factor":0}'
        in event.data
    )
    assert '"after":{"held_by":"bank","lost":true,"status":"BLOCKED"}' in event.data


def test_another_devices_things_stay(ada: User, bea: Actor) -> None:
    device, other = make_device(ada), make_device(ada)
    hang_everything_on(other)
    report_lost(actor=bea, device_id=str(device.pk), reason="Left in a taxi")
    assert preview(other, Cut.LOST).counts == FURNISHED | {"certificates_held": 0}


def test_what_is_not_lost_for_good_stays_on_the_device(ada: User, bea: Actor) -> None:
    device = make_device(ada, push_handle="handle")
    hang_everything_on(device)
    report_lost(actor=bea, device_id=str(device.pk), reason="Left in a taxi")
    device.refresh_from_db()
    assert (device.push_platform, device.external_id_last4 != "") == ("gcm", True)
    assert (Fingerprint.objects.count(), DeviceKey.objects.filter(retired_at=None).count()) == (1, 1)


def test_a_repeat_is_quiet_whoever_makes_it(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    first = report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    rows = snapshot(device)
    second = report_lost(actor=bea, device_id=str(device.pk), reason="She called as well")
    assert (first.changed, second.changed, second.at) == (True, False, first.at)
    assert snapshot(device) == rows
    assert events() == ["device.lost"]


@pytest.mark.parametrize(
    "status", [DeviceStatus.PENDING, DeviceStatus.ACTIVE, DeviceStatus.INACTIVE, DeviceStatus.BLOCKED]
)
@pytest.mark.parametrize("kind", ["mobile", "payment-card"])
def test_the_owner_reports_any_device_in_any_state(ada: User, status: DeviceStatus, kind: str) -> None:
    device = make_device(ada, status, kind=kind)
    loss = report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    device.refresh_from_db()
    assert (loss.changed, device.status, device.held_by) == (True, DeviceStatus.BLOCKED, HeldBy.BANK)


def test_a_retired_device_cannot_be_lost(ada: User, bea: Actor) -> None:
    device = make_device(ada, DeviceStatus.RETIRED)
    rows = snapshot(device)
    with pytest.raises(InvalidState) as refusal:
        report_lost(actor=bea, device_id=str(device.pk), reason="Gone")
    assert refusal.value.code == "device-status-not-valid"
    assert snapshot(device) == rows
    assert events() == []


def test_a_door_of_one_category_does_not_know_the_other(ada: User) -> None:
    phone, card = make_device(ada), make_device(ada, kind="payment-card")
    for device, category in ((phone, Category.ISSUED), (card, Category.OWNED)):
        with pytest.raises(NotFound):
            report_lost(actor=customer_actor(ada), device_id=str(device.pk), category=category)
        assert report_lost(actor=customer_actor(ada), device_id=str(device.pk), category=device.category).changed


def test_strangers_find_nothing(ada: User, bank: Bank) -> None:
    device = make_device(ada)
    rows = snapshot(device)
    elsewhere = make_bank()
    cem = customer_actor(make_customer(bank, "Cem"))
    for actor in (cem, staff_actor(make_staff(elsewhere)), bank_actor(elsewhere)):
        for name in (str(device.pk), device.public_id, device.external_id):
            with pytest.raises(NotFound):
                report_lost(actor=actor, device_id=name, reason="mine")
    for actor in (staff_actor(make_staff(elsewhere)), bank_actor(elsewhere)):
        with pytest.raises(NotFound):
            undo_loss(actor=actor, device_id=device.public_id, reason="mine")
    assert snapshot(device) == rows


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_a_colleague_without_the_right_changes_nothing(ada: User, bank: Bank, role: str) -> None:
    device = make_device(ada)
    rows = snapshot(device)
    for step in (report_lost, undo_loss):
        for name in (str(device.pk), "DEV_unknown"):  # the same whether or not there is such a device
            with pytest.raises(Forbidden) as refusal:
                step(actor=staff_actor(make_staff(bank, role)), device_id=name, reason="because")
            assert refusal.value.code == "capability-missing"
    assert snapshot(device) == rows
    assert events() == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "bell\x07"])
def test_staff_give_a_reason_that_can_be_read(ada: User, bea: Actor, reason: str) -> None:
    device = make_device(ada)
    with pytest.raises(InvalidInput) as refusal:
        report_lost(actor=bea, device_id=str(device.pk), reason=reason)
    assert [problem.field for problem in refusal.value.fields] == ["reason"]
    assert events() == []


def test_the_owner_is_told_also_of_its_own_doing(ada: User) -> None:
    ada.email_sealed = vault.seal("user.email", ada.pk, "ada@customer.example")
    ada.save()
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    message = Message.objects.exclude(kind="push").get()
    assert (message.kind, message.template) == ("email", "device-lost")


def test_nobody_switches_a_lost_device_on_again(ada: User, bank: Bank, bea: Actor) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    rows = snapshot(device)
    for actor, step in ((bea, activate_device), (bank_actor(bank), activate_device), (bea, unblock_device)):
        with pytest.raises(InvalidState) as refusal:
            step(actor=actor, device_id=str(device.pk), reason="please")
        assert refusal.value.code == "device-lost"
    with pytest.raises(InvalidState):
        unblock_device(actor=customer_actor(ada), device_id=str(device.pk))
    assert snapshot(device) == rows


# Found again


def lose_and_ask(device: Device, actor: Actor) -> str:
    """Report it lost, then ask for it back; returns the request's id."""
    report_lost(actor=customer_actor(device.owner), device_id=str(device.pk))
    with pytest.raises(ApprovalRequired) as asked:
        undo_loss(actor=actor, device_id=str(device.pk), reason="Found in the sofa")
    return asked.value.request_id


def test_two_people_let_it_back(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    hang_everything_on(device)
    request_id = lose_and_ask(device, bea)
    rows = snapshot(device)
    assert rows["lost_at"] is not None
    request = approve(request_id)

    assert request.result == {"device_id": device.public_id, "status": "ACTIVE"}
    device.refresh_from_db()
    assert (device.status, device.held_by, device.lost_at) == (DeviceStatus.ACTIVE, "", None)
    assert device.activated_at == device.updated_at
    assert (AccessToken.objects.live().filter(device=device).count(), DevicePin.objects.count()) == (0, 0)
    assert [name for name in events() if name.startswith("device.")] == ["device.lost", "device.found"]
    found = AuditEvent.objects.get(event="device.found")
    assert found.reason == "Found in the sofa"
    assert found.actor_id == bea.id
    assert json.loads(found.data)["approval"]["id"] == request_id


def test_one_person_never_does_it_alone(ada: User, bea: Actor, bank: Bank) -> None:
    device = make_device(ada)
    report_lost(actor=customer_actor(ada), device_id=str(device.pk))
    rows = snapshot(device)
    root = staff_actor(make_staff(bank, is_superuser=True))
    for actor in (bea, root, bank_actor(bank)):
        with pytest.raises(DomainError) as refusal:
            undo_loss(actor=actor, device_id=str(device.pk), reason="Found")
        assert refusal.value.code in {"approval-required", "approval-pending"}
    assert snapshot(device) == rows
    assert ApprovalRequest.objects.count() == 1
    with pytest.raises(Forbidden) as refused:
        undo_loss(actor=customer_actor(ada), device_id=str(device.pk))
    assert refused.value.code == "customer-cannot-activate"


def test_what_was_never_activated_waits_again(ada: User, bea: Actor) -> None:
    device = make_device(ada, DeviceStatus.PENDING, kind="payment-card")
    approve(lose_and_ask(device, bea))
    device.refresh_from_db()
    assert (device.status, device.held_by, device.lost_at) == (DeviceStatus.PENDING, "", None)


@pytest.mark.parametrize("status", [DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
def test_what_the_owner_had_switched_off_is_active_again(ada: User, bea: Actor, status: DeviceStatus) -> None:
    device = make_device(ada, status, held_by=HeldBy.OWNER)
    approve(lose_and_ask(device, bea))
    device.refresh_from_db()
    assert (device.status, device.held_by, device.held_before_loss) == (DeviceStatus.ACTIVE, "", "")


@pytest.mark.parametrize("status", [DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
def test_a_loss_report_is_no_way_round_the_banks_block(ada: User, bea: Actor, status: DeviceStatus) -> None:
    device = make_device(ada, status)
    approve(lose_and_ask(device, bea))
    device.refresh_from_db()
    assert (device.status, device.held_by, device.lost_at) == (DeviceStatus.BLOCKED, HeldBy.BANK, None)
    with pytest.raises(ApprovalRequired):  # lifting the block itself takes its own second person
        activate_device(actor=bea, device_id=str(device.pk), reason="All is well")


def test_blocking_a_lost_device_again_changes_nothing(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    report_lost(actor=bea, device_id=str(device.pk), reason="Gone")
    assert not block_device(actor=bea, device_id=str(device.pk), reason="And blocked").changed


def test_a_device_that_is_not_lost_cannot_be_found(ada: User, bea: Actor) -> None:
    for status in DeviceStatus:
        device = make_device(ada, status)
        with pytest.raises(InvalidState) as refusal:
            undo_loss(actor=bea, device_id=str(device.pk), reason="Found")
        assert refusal.value.code == "device-not-lost"
    assert events() == []


def test_it_can_be_undone_for_24_hours_to_the_second(ada: User, bea: Actor) -> None:
    device, other = make_device(ada), make_device(ada)
    lost = report_lost(actor=customer_actor(ada), device_id=str(device.pk)).at
    report_lost(actor=customer_actor(ada), device_id=str(other.pk))
    last_second = lost + timedelta(hours=24) - timedelta(seconds=1)
    with time_machine.travel(last_second, tick=False), pytest.raises(ApprovalRequired):
        undo_loss(actor=bea, device_id=str(device.pk), reason="Found")
    with time_machine.travel(lost + timedelta(hours=24), tick=False):
        with pytest.raises(InvalidState) as refusal:
            undo_loss(actor=bea, device_id=str(device.pk), reason="Found")
        assert refusal.value.code == "loss-final"
        request = approve()  # asked in time, decided too late
    assert (request.state, request.error_code) == ("FAILED", "loss-final")
    device.refresh_from_db()
    assert (device.status, device.lost_at) == (DeviceStatus.BLOCKED, lost)
    assert "device.found" not in events()


def test_a_device_can_be_lost_again_after_it_was_found(ada: User, bea: Actor) -> None:
    device = make_device(ada)
    approve(lose_and_ask(device, bea))
    with time_machine.travel(clock.now() + timedelta(days=2), tick=False):
        assert report_lost(actor=customer_actor(ada), device_id=str(device.pk)).changed


@pytest.mark.django_db(transaction=True)
def test_racing_reports_are_one_loss_and_one_event() -> None:
    bank = make_bank()
    ada = make_customer(bank)
    device = make_device(ada)
    hang_everything_on(device)
    who = [customer_actor(ada), staff_actor(make_staff(bank)), bank_actor(bank)]

    def report(number: int) -> tuple[bool, int]:
        loss = report_lost(actor=who[number % 3], device_id=str(device.pk), reason="race")
        return loss.changed, loss.ended.sessions

    assert Counter(race(16, report)) == {(True, 2): 1, (False, 0): 15}
    assert sorted(events()) == ["device.lost", "link.cut", "transfer.cancelled"]
