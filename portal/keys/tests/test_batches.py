"""One batch: whole or not at all, never over a writer's work, and at the same cost wherever it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.tests.factories import make_device
from portal import sealed, vault
from portal.core.actor import Actor
from portal.keys import batches, engine
from portal.keys.change import start_change
from portal.keys.models import KeyChange, KeyStep, Phase
from portal.keys.standing import standing
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import all_reads, name, people
from portal.sealed import SealedColumn
from portal.tests.threads import race

pytestmark = pytest.mark.django_db

US = Actor.system("rotate_keys")
PLACE = "devices.device.external_id_sealed"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a batch."""
    ours = {place: SealedColumn(**{**vars(one), "batch": 2}) for place, one in sealed._columns.items()}
    monkeypatch.setattr(sealed, "_columns", ours)
    found = {
        place: sealed.BlindIndex(**{**vars(one), "sealed": ours[one.sealed.place]})
        for place, one in sealed._indexes.items()
    }
    monkeypatch.setattr(sealed, "_indexes", found)


def sealing(*, until: Callable[[KeyChange], bool] = lambda change: False) -> KeyChange:
    """Step on to the first batch of the devices' external ids, or until something is so."""
    change = start_change(actor=US)
    for _ in range(1000):
        step = change.steps.get(kind="seal", place=PLACE)
        if until(change) or (change.phase == Phase.SEAL and step.pk == _next(change).pk):
            return change
        engine.step(change)
        change.refresh_from_db()
    raise AssertionError("it never came so far")


def _next(change: KeyChange) -> KeyStep:
    step = change.steps.filter(kind="seal", done=False).order_by("pk").first()
    assert step is not None
    return step


def keys_of(devices: list[Device]) -> list[str]:
    rows = dict(Device.objects.values_list("pk", "external_id_sealed"))
    return [vault.key_of(rows[device.pk]) for device in devices]


def test_a_batch_that_fails_leaves_nothing_and_is_done_again(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with rings.before():
        devices = people(5)
    with rings.both():
        change = sealing()
        engine.step(change)
        assert sorted(keys_of(devices)) == ["t1", "t1", "t1", "t2", "t2"]
        before = KeyStep.objects.filter(place=PLACE, kind="seal").values().get()
        with monkeypatch.context() as patch:
            patch.setattr(batches, "_note_broken", _fail)
            with pytest.raises(RuntimeError):
                engine.step(change)
        assert sorted(keys_of(devices)) == ["t1", "t1", "t1", "t2", "t2"]
        assert KeyStep.objects.filter(place=PLACE, kind="seal").values().get() == before
        assert not engine.run(600)
    with rings.after():
        all_reads(devices)


def _fail(*args: object) -> None:
    raise RuntimeError


def test_a_text_that_no_key_opens_is_named_and_skipped(small: None) -> None:
    with rings.before():
        devices = people(5)
        one, two = devices[1], devices[3]
        Device.objects.filter(pk=one.pk).update(external_id_sealed=devices[0].external_id_sealed)  # another row's
        Device.objects.filter(pk=two.pk).update(external_id_sealed="no sealed text")
    with rings.both():
        change = start_change(actor=US)
        assert not engine.run(600)
        change.refresh_from_db()
        assert change.phase == Phase.DONE
        step = change.steps.get(kind="seal", place=PLACE)
        assert (step.broken, sorted(step.broken_rows)) == (2, sorted([str(one.pk), str(two.pk)]))
        assert set(keys_of([devices[0], devices[2], devices[4]])) == {"t2"}
        found = standing()
        assert found.under("t1") == 1
        assert "PORTAL_SEALING_KEYS: t1" not in found.droppable


def test_a_writer_between_reading_and_writing_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    with rings.before():
        devices = people(3)
    with rings.both():
        change, real, theirs = sealing(), vault.reseal, vault.seal("device.external_id", devices[0].pk, "device_new")

        def meanwhile(purpose: str, row_id: object, text: str) -> str:
            Device.objects.filter(pk=devices[0].pk).update(external_id_sealed=theirs, nickname="new")
            return real(purpose, row_id, text)

        monkeypatch.setattr(vault, "reseal", meanwhile)
        engine.step(change)
        row = Device.objects.get(pk=devices[0].pk)
        assert (row.external_id_sealed, row.nickname) == (theirs, "new")
        assert keys_of(devices) == ["t2"] * 3


def test_rows_that_go_meanwhile_are_no_trouble(small: None) -> None:
    with rings.before():
        devices = people(5)
    with rings.both():
        change = sealing()
        engine.step(change)
        Device.objects.all().delete()
        assert not engine.run(600)
        change.refresh_from_db()
        assert (change.phase, devices[0].bank.devices.count()) == (Phase.DONE, 0)


def test_rows_that_come_meanwhile_are_under_the_new_keys(small: None) -> None:
    with rings.before():
        devices = people(3)
    with rings.both():
        change = start_change(actor=US)
        came = 0
        while change.is_open:
            engine.step(change)
            change.refresh_from_db()
            make_device(devices[0].owner, external_id=f"later_{came}")
            came += 1
        counted = standing()
        assert counted.under("t1") == 0
        assert counted.stale[PLACE.replace("_sealed", "_index")] == 0
    with rings.after():
        all_reads(devices)
        for number in range(came):
            found = Device.objects.named_externally(devices[0].bank_id, f"later_{number}").get()
            assert found.external_id == f"later_{number}"


def test_two_workers_do_no_batch_twice(small: None) -> None:
    with rings.before():
        devices = people(4)
    with rings.both():
        change = sealing()
        column = next(one for one in sealed.columns() if one.place == PLACE)
        step = _next(change)
        assert batches.seal_batch(change, step, column) == (2, 2, False)
        texts = dict(Device.objects.values_list("pk", "external_id_sealed"))
        assert batches.seal_batch(change, step, column) == (0, 0, True)  # the same one, from where it stood
        assert dict(Device.objects.values_list("pk", "external_id_sealed")) == texts
        step.refresh_from_db()
        assert (step.passed, step.changed) == (2, 2)
        assert len(devices) == 4


def test_a_batch_costs_the_same_however_many_rows_it_has() -> None:
    with rings.before():
        people(2)
    few = statements()
    Device.objects.all().delete()
    with rings.before():
        people(40)
    with rings.both():
        assert statements() == few
    assert few <= 6


def statements() -> int:
    """Of one sealing batch, without transactions' own."""
    KeyChange.objects.all().delete()
    with rings.both():
        change = sealing()
        with CaptureQueriesContext(connection) as captured:
            engine.step(change)
        engine.run(600)
    own = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return len([query for query in captured.captured_queries if not query["sql"].startswith(own)])


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_waited_for_without_a_lock(small: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no locks on rows")
    with rings.before():
        devices = sorted(people(5), key=lambda device: device.pk)
    with rings.both():
        change = sealing()

        def work(number: int) -> Any:
            return engine.step(change)

        with transaction.atomic():
            Device.objects.select_for_update().get(pk=devices[1].pk)
            assert race(1, work) == [False]  # as far as the first, then back at once
            assert keys_of(devices) == ["t2", "t1", "t1", "t1", "t1"]
            assert race(1, work) == [False]
            Device.objects.filter(pk=devices[1].pk).update(nickname="mine")
        assert not engine.run(600)
        assert Device.objects.get(pk=devices[1].pk).nickname == "mine"
    with rings.after():
        for device in devices:
            assert Device.objects.get(pk=device.pk).external_id in {name(number) for number in range(5)}


@pytest.mark.django_db(transaction=True)
def test_older_transactions_are_waited_for() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite one writes at a time")
    with rings.before():
        devices = people(1)
    with rings.both():
        with transaction.atomic():
            Device.objects.first()  # it has read, and not written: it has no xid yet
            assert race(1, lambda number: start_change(actor=US).pk)
            change = KeyChange.objects.get()
            assert race(2, lambda number: engine.step(change)) == [False, False]  # each may see the other's reading
            assert race(1, lambda number: engine.step(KeyChange.objects.get())) == [False]
            change.refresh_from_db()
            assert (change.phase, len(change.waits_for or [])) == (Phase.STARTING, 1)
        assert not engine.run(600)
    with rings.after():
        all_reads(devices)
