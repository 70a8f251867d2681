"""Workers that are killed in the middle of a change of keys: the next one goes on where the last batch ended.

PORTAL_TEST_KEY_KILLS scales it.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device
from portal.core.actor import Actor
from portal.keys.change import start_change
from portal.keys.models import KeyChange, KeyStep, Phase, StepKind
from portal.keys.standing import standing
from portal.keys.tests import rings
from portal.keys.tests.sealed_rows import handle, name

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLS = int(os.environ.get("PORTAL_TEST_KEY_KILLS", "4"))
ROWS = 3000
STEPS = 40  # fewer than a whole change has


class Worker:
    """A process that does one step for each word it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def told(self, word: str) -> str:
        """What it answers; "" when it has died of itself."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def worker() -> Iterator[Worker]:
    """It is killed where it stands in the end."""
    connection.close()  # SQLite's file is the children's as much as ours
    command = [sys.executable, "-m", "portal.keys.tests.changer", str(connection.settings_dict["NAME"])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def test_killed_workers_leave_nothing_undone_and_nothing_by_half() -> None:
    ada = make_customer(make_bank())
    with rings.before():
        for number in range(ROWS):
            make_device(ada, external_id=name(number), push_handle=handle(number))
    with rings.both():
        start_change(actor=Actor.system("rotate_keys"))
    chance, ends, done = random.Random(20250101), [], 0
    for number, moment in enumerate(sorted(chance.choices(range(STEPS), k=KILLS))):
        with worker() as one:
            while done < moment:
                assert one.told("step") == "step"
                done += 1
            if number % 2 == 0:  # the others die between two steps
                ends.append(one.told("half"))
                done += ends[-1] == "step"
        with rings.both():  # everything is found and opens, wherever it stopped
            for row in chance.sample(range(ROWS), 20):
                device = Device.objects.named_externally(ada.bank_id, name(row)).get()
                assert (device.external_id, device.push_handle) == (name(row), handle(row))
    assert set(ends) <= {"inside", "step"}
    assert "inside" in ends
    assert KeyChange.objects.get().is_open
    with worker() as last:
        while (answer := last.told("step")) == "step":
            pass
    assert answer == "over"

    assert KeyChange.objects.get().phase == Phase.DONE
    for step in KeyStep.objects.filter(place__startswith="devices.device."):
        last_pass = (2, ROWS, 0) if step.kind == StepKind.MOVE else (1, ROWS, ROWS)
        assert (step.round, step.passed, step.changed, step.broken) == (*last_pass, 0)
    with rings.after():
        found = standing()
        assert not found.broken
        for number in range(ROWS):
            device = Device.objects.named_externally(ada.bank_id, name(number)).get()
            assert (device.external_id, device.push_handle) == (name(number), handle(number))
