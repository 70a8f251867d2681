"""A whole change of keys: starting it, its phases, and the portal without the old keys afterwards."""

import json
from typing import Any

import pytest

from devices.models import Device
from devices.tests.factories import make_bank, make_device, make_staff, staff_actor
from portal import vault
from portal.accounts.roles import Role
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidState
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.models import KeyChange, KeyStep, Phase
from portal.keys.standing import standing
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import all_reads, people
from portal.models import IndexKeys

pytestmark = pytest.mark.django_db

US = Actor.system("rotate_keys")


def phases() -> list[Any]:
    events = AuditEvent.objects.filter(event=Event.KEYS_MOVED).order_by("id")
    return [json.loads(event.data)["after"]["phase"] for event in events]


def keys_now() -> tuple[str, str]:
    row = IndexKeys.objects.get(pk=1)
    return row.now, row.next


def test_everything_reads_without_the_old_keys() -> None:
    with rings.before():
        devices = people()
    with rings.both():
        change = start_change(actor=US)
        all_reads(devices)
        assert not engine.run(600)
        all_reads(devices)
        found = standing()
    assert found.droppable == ["PORTAL_SEALING_KEYS: t1", "PORTAL_INDEX_KEYS: i1"]
    change.refresh_from_db()
    assert (change.phase, change.slot, change.sealing_key, change.index_key) == (Phase.DONE, None, "t2", "i2")
    assert phases() == ["fill", "switching", *("move", "seal", "check") * 2]
    moves = change.steps.filter(kind="move", place__startswith="devices.")
    assert set(moves.values_list("round", "changed")) == {(2, 0)}
    assert AuditEvent.objects.filter(event=Event.KEYS_DONE).count() == 1
    assert keys_now() == ("i2", "i2")
    with rings.after():
        all_reads(devices)


def test_reads_are_right_and_writers_collide_at_every_step() -> None:
    with rings.before():
        devices = people()
    with rings.both():
        change = start_change(actor=US)
        steps = 0
        while change.is_open:
            engine.step(change)
            change.refresh_from_db()
            all_reads(devices)
            steps += 1
    assert steps > len(Phase)


def test_nothing_but_sealed_and_index_columns_changes() -> None:
    with rings.before():
        people(1)
        was: dict[str, object] = dict(Device.objects.values().get())
    with rings.both():
        start_change(actor=US)
        engine.run(600)
    now: dict[str, object] = dict(Device.objects.values().get())
    changed = {name for name, value in now.items() if value != was[name]}
    assert changed == {
        *("external_id_sealed", "external_id_index", "external_id_index_next"),
        *("push_handle_sealed", "push_handle_index", "push_handle_index_next"),
    }
    assert now["external_id_index"] == now["external_id_index_next"]


def test_only_the_ring_that_changed_is_worked_on() -> None:
    with rings.before():
        people(1)
    with rings.rings(rings.NEW_SEAL | rings.OLD_SEAL, rings.OLD_INDEX):
        change = start_change(actor=US)
        assert (change.sealing_key, change.index_key, change.phase) == ("t2", "", Phase.SEAL)
        engine.run(600)
    with rings.rings(rings.NEW_SEAL, rings.NEW_INDEX | rings.OLD_INDEX):
        change = start_change(actor=US)
        assert (change.sealing_key, change.index_key, change.phase) == ("", "i2", Phase.STARTING)
        engine.run(600)
    with rings.after():
        assert standing().droppable == []
        assert not standing().seals


def test_new_keys_that_are_listed_last_change_nothing() -> None:
    with rings.before():
        devices = people(1)
        before = keys_now()
    with rings.listed_last():
        all_reads(devices)
        device = make_device(devices[0].owner, external_id="device_later")
        assert device.external_id_index == vault.blind_index(
            "i1", "device.external_id", device.bank_id, "device_later"
        )
        assert vault.key_of(device.external_id_sealed) == "t1"
        with pytest.raises(InvalidState) as refused:
            start_change(actor=US)
    assert refused.value.code == "nothing-to-change"
    assert keys_now() == before


def refused_start(actor: Actor = US) -> str:
    """The rule that refuses; shows that nothing has begun."""
    changes, events, keys = KeyChange.objects.count(), AuditEvent.objects.count(), keys_now()
    with pytest.raises((Conflict, Forbidden, InvalidState)) as refused:
        start_change(actor=actor)
    assert (KeyChange.objects.count(), AuditEvent.objects.count(), keys_now()) == (changes, events, keys)
    return refused.value.code


def test_one_key_with_everything_under_it_is_nothing_to_change() -> None:
    with rings.before():
        people(1)
        assert refused_start() == "nothing-to-change"


def test_a_text_under_a_key_that_is_not_here_is_refused_by_name() -> None:
    with rings.rings({"t0": b"0" * 32}, rings.OLD_INDEX):
        people(1)
    with rings.both(), pytest.raises(InvalidState) as refused:
        start_change(actor=US)
    assert refused.value.code == "key-missing"
    assert "devices.device.external_id_sealed: t0" in refused.value.message
    assert not KeyChange.objects.exists()


def test_an_index_key_that_counts_and_is_not_here_is_refused() -> None:
    with rings.before():
        people(1)
    with rings.rings(rings.OLD_SEAL, rings.NEW_INDEX):
        assert refused_start() == "key-missing"


def test_a_second_change_waits_for_the_first() -> None:
    with rings.before():
        people(1)
    with rings.both():
        start_change(actor=US)
        assert refused_start() == "key-change-open"


def test_nobody_but_commands_starts_one() -> None:
    with rings.before():
        people(1)
    with rings.both():
        assert refused_start(staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER))) == "forbidden"


def test_a_process_with_other_rings_leaves_the_work_alone() -> None:
    with rings.before():
        people(1)
    with rings.both():
        change = start_change(actor=US)
    with rings.before():
        assert not engine.work()
    with rings.listed_last():
        assert not engine.work()
    change.refresh_from_db()
    assert (change.phase, change.worker_until) == (Phase.STARTING, None)
    assert not KeyStep.objects.filter(passed__gt=0).exists()


def test_one_worker_has_the_change_at_a_time() -> None:
    with rings.before():
        people(1)
    with rings.both():
        change = start_change(actor=US)
        KeyChange.objects.update(worker_until=change.started_at.replace(year=2999))
        assert not engine.work()
        change.refresh_from_db()
        assert change.phase == Phase.STARTING
        KeyChange.objects.update(worker_until=change.started_at)  # it died
        assert not engine.work(60)
        change.refresh_from_db()
        assert change.phase == Phase.DONE


def test_a_row_that_is_wholly_under_the_old_index_key_is_found_before_the_end() -> None:
    with rings.before():
        devices = people(2)
        late = Device.objects.filter(pk=devices[0].pk)
        old = late.values("external_id_index", "external_id_index_next").get()
    assert old["external_id_index"] == old["external_id_index_next"]
    with rings.both():
        change = start_change(actor=US)
        until(change, Phase.CHECK)
        late.update(**old)  # a node that knows the old ring only
        until(change, Phase.DONE)
        assert standing().droppable == ["PORTAL_SEALING_KEYS: t1", "PORTAL_INDEX_KEYS: i1"]
    place = "devices.device.external_id_index"
    assert change.steps.get(kind="move", place=place).round == 3
    with rings.after():
        all_reads(devices)


def test_one_that_comes_after_the_end_keeps_the_old_key_from_being_dropped() -> None:
    with rings.before():
        devices = people(2)
        late = Device.objects.filter(pk=devices[0].pk)
        old = late.values("external_id_index", "external_id_index_next").get()
    with rings.both():
        start_change(actor=US)
        engine.run(600)
        late.update(**old)
        found = standing()
        assert found.droppable == ["PORTAL_SEALING_KEYS: t1"]
        assert found.stale["devices.device.external_id_index"] == 1
        all_reads(devices)
        second = start_change(actor=US)
        assert (second.sealing_key, second.index_key) == ("", "i2")
        engine.run(600)
        assert "PORTAL_INDEX_KEYS: i1" in standing().droppable
    with rings.after():
        all_reads(devices)


def until(change: KeyChange, phase: Phase) -> None:
    for _ in range(2000):
        if change.phase == phase:
            return
        engine.step(change)
        change.refresh_from_db()
    raise AssertionError("it never came so far")


def test_who_still_writes_under_the_old_key_is_named_and_the_change_waits() -> None:
    with rings.before():
        (device,) = people(1)
        old = Device.objects.values_list("external_id_sealed", flat=True).get()
    with rings.both():
        change = start_change(actor=US)
        for _ in range(2000):
            change.refresh_from_db()
            if change.note:
                break
            if change.phase == Phase.CHECK:
                Device.objects.update(external_id_sealed=old)  # a node that was not started anew
            engine.step(change)
        assert "devices.device.external_id_sealed" in change.note
        assert change.is_open
        assert not engine.run(600)
        engine.retry(rested=engine.NO_REST)
        assert not engine.run(600)
        change.refresh_from_db()
        assert (change.phase, change.note) == (Phase.DONE, "")
    with rings.after():
        all_reads([device])
