"""Workers that are killed in the middle of many rotations: none is lost, none is done twice.

PORTAL_TEST_ROTATIONS and PORTAL_TEST_KILLS scale it; the promise is 10,000 and 50.
"""

import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Count, Q

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device
from pki.models import Certificate, CertificateAuthority, Rotation, RotationAttempt
from pki.operations.rotation_sweeps import plan_rotations
from pki.states import LIVE, CertificateState, RotationState
from pki.tests.factories import certify, make_ca
from portal.core import clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROTATIONS = int(os.environ.get("PORTAL_TEST_ROTATIONS", "120"))
KILLS = int(os.environ.get("PORTAL_TEST_KILLS", "4"))
WORKERS = 2
STEPS = 3  # lines of one rotation


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pki.tests.rotator", str(connection.settings_dict["NAME"])]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)


def killed_after(worker: subprocess.Popen[str], lines: int) -> int:
    """Kill a worker once it has said so many lines; how many it said at all."""
    assert worker.stdout is not None
    heard = 0
    while heard < lines and worker.stdout.readline():
        heard += 1
    worker.kill()
    heard += len(worker.stdout.readlines())
    worker.stdout.close()
    worker.wait()
    return heard


def live_of_devices() -> Counter[tuple[int, int]]:
    """How many live certificates a device has, and how many of them are its current one: devices by that."""
    rows = Device.objects.annotate(
        live=Count("certificates", filter=Q(certificates__state__in=LIVE)),
        active=Count("certificates", filter=Q(certificates__state=CertificateState.ACTIVE)),
    )
    return Counter(rows.values_list("live", "active"))


def let_claims_run_out() -> None:
    """As time would."""
    waiting = Rotation.objects.filter(state__in=[RotationState.PLANNED, RotationState.SIGNING])
    waiting.update(next_try_at=clock.now())


def test_killed_workers_lose_no_rotation_and_do_none_twice() -> None:
    ada = make_customer(make_bank())
    make_ca(ada.bank)
    CertificateAuthority.objects.update(rotation_rate=60_000)
    for _ in range(ROTATIONS):
        certify(make_device(ada))
    Certificate.objects.update(renew_at=clock.now())
    assert plan_rotations() == ROTATIONS
    assert live_of_devices() == {(1, 1): ROTATIONS}
    connection.close()  # SQLite's file is the children's as much as ours

    chance, killed = random.Random(20241201), 0
    while killed < KILLS:
        workers = [start() for _ in range(WORKERS)]
        for worker in workers:
            killed_after(worker, chance.randrange(2, max(3, STEPS * ROTATIONS // KILLS)))
            killed += 1
        assert set(live_of_devices()) <= {(1, 1), (2, 1)}
        let_claims_run_out()
    lost = RotationAttempt.objects.filter(outcome="lost").count()
    for _ in range(10):
        let_claims_run_out()
        last = start()
        assert killed_after(last, 10**9) >= 0
        if not Rotation.objects.filter(state__in=[RotationState.PLANNED, RotationState.SIGNING]).exists():
            break

    assert live_of_devices() == {(2, 1): ROTATIONS}
    assert Counter(Rotation.objects.values_list("state", flat=True)) == {"OVERLAP": ROTATIONS}
    issued = RotationAttempt.objects.filter(outcome="issued")
    assert issued.values("rotation").distinct().count() == issued.count() == ROTATIONS
    states = Counter(Certificate.objects.values_list("state", flat=True))
    assert set(states) <= {"ACTIVE", "OVERLAP", "ABORTED"}  # every serial is settled
    assert Certificate.objects.values("serial").distinct().count() == Certificate.objects.count()
    print(  # noqa: T201  the figures are what the test is for
        f"\n{ROTATIONS:,} rotations, {killed} kills: {states['ACTIVE']:,} renewed, {states['ABORTED']} serials given "
        f"up, {RotationAttempt.objects.filter(outcome='lost').count()} claims taken over ({lost} before the end)"
    )
