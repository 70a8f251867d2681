"""`manage.py rotate_keys`: what it starts and what it says."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.models import Device
from portal import jobs
from portal.keys import tasks
from portal.keys.models import KeyChange, Phase
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import all_reads, people

pytestmark = pytest.mark.django_db


def said(*options: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *options, stdout=out)
    return out.getvalue()


def test_now_does_it_all_and_says_what_may_be_dropped() -> None:
    with rings.before():
        devices = people(2)
    with rings.both():
        text = said("--now")
    assert "Started: change to sealing key t2 and index key i2." in text
    assert "devices.device.external_id_sealed  t2: 2" in text
    assert "May be dropped: PORTAL_SEALING_KEYS: t1, PORTAL_INDEX_KEYS: i1." in text
    with rings.after():
        all_reads(devices)
        assert "Each ring has one key; nothing can be dropped." in said("--status")


@pytest.mark.django_db(transaction=True)
def test_without_it_the_workers_are_rung_and_do_it() -> None:
    with rings.before():
        devices = people(2)
    with rings.both():
        with jobs.recorded() as rung:
            text = said()
            assert [ring.name for ring in rung] == ["keys.work"]
        assert "The workers do it." in text
        assert "Drop no key yet." in said("--status")
        tasks.work(str(KeyChange.objects.get().pk))
        assert KeyChange.objects.get().phase == Phase.DONE
    with rings.after():
        all_reads(devices)


def test_the_sweep_takes_up_what_nobody_heard() -> None:
    with rings.before():
        people(1)
    with rings.both():
        said()
        tasks.sweep()
        assert KeyChange.objects.get().phase == Phase.DONE
        tasks.sweep()


def test_a_repeat_says_that_one_is_on_and_shows_how_far_it_is() -> None:
    with rings.before():
        people(1)
    with rings.both():
        said()
        text = said()
        assert "A change of keys is on." in text
        assert "waits for older transactions" in text
        assert KeyChange.objects.count() == 1
        assert "May be dropped" in said("--now")
        assert KeyChange.objects.count() == 1


def test_nothing_to_change_is_an_error_that_says_so() -> None:
    with rings.before():
        people(1)
        with pytest.raises(CommandError, match="there is nothing to change"):
            said()
    assert not KeyChange.objects.exists()


def test_status_before_a_change_says_not_to_drop() -> None:
    with rings.before():
        people(1)
    with rings.both():
        text = said("--status")
        assert "devices.device.push_handle_sealed  t1: 1" in text
        assert "Drop no key" in text
    assert not KeyChange.objects.exists()


def test_broken_rows_are_named() -> None:
    with rings.before():
        (device,) = people(1)
        Device.objects.update(external_id_sealed="t1.broken")
    with rings.both():
        text = said("--now")
    assert f"1 of devices.device.external_id_sealed cannot be opened or indexed (seal): {device.pk}" in text
