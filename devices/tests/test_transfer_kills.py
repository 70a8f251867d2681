"""A web process that is killed in the middle of a thousand transfers: each is whole or absent."""

import random
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q

from devices.models import Device, DeviceKey, DevicePin, Transfer
from devices.states import TransferState
from devices.tests.factories import (
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_staff,
    make_token,
    make_transfer,
)
from portal.accounts.models import AccessToken
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TRANSFERS, KILLS = 1000, 12
CODE = "12345678"


def states() -> Counter[tuple[Any, ...]]:
    """Every transfer as one statement sees it: state, whose the device is, PIN, key, session, nickname."""
    rows = Transfer.objects.annotate(
        moved=Q(device__owner=F("new_owner")),
        pin=Exists(DevicePin.objects.filter(device=OuterRef("device_id"))),
        key=Exists(DeviceKey.objects.filter(device=OuterRef("device_id"), retired_at=None)),
        session=Exists(AccessToken.objects.live().filter(device=OuterRef("device_id"))),
    )
    names = ("state", "moved", "pin", "key", "session", "device__nickname")
    return Counter(
        (state, moved, pin, key, session, bool(nickname))
        for state, moved, pin, key, session, nickname in rows.values_list(*names)
    )


ABSENT = ("APPROVED", False, True, True, True, True)
WHOLE = ("COMPLETED", True, False, False, False, False)


def events() -> Counter[str]:
    rows = AuditEvent.objects.values_list("event").annotate(n=Count("pk"))
    return Counter(dict(rows))


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "devices.tests.accepting", str(connection.settings_dict["NAME"])]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(process: subprocess.Popen[str], lines: list[str], answers: int | None) -> list[str]:
    """Give a process its work; after so many answers it is killed (None: it may end). Returns what it answered."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.close()
    heard: list[str] = []
    while (answers is None or len(heard) < answers) and (line := process.stdout.readline()):
        heard.append(line.strip())
    if answers is not None:
        process.kill()
    heard += [line.strip() for line in process.stdout]
    process.stdout.close()
    process.wait()
    return heard


def test_a_thousand_transfers_and_a_process_that_is_killed_leave_each_whole_or_absent() -> None:
    ada = make_customer(make_bank())
    cem, avi = make_customer(ada.bank, "Cem"), make_staff(ada.bank, Role.APPROVER, "Avi")
    token, now = make_token(user=cem), clock.now()
    devices = [make_device(ada, nickname=f"Phone {number}") for number in range(TRANSFERS)]
    DevicePin.objects.bulk_create(
        DevicePin(device=device, digest="digest", created_at=now, changed_at=now) for device in devices
    )
    DeviceKey.objects.bulk_create(
        DeviceKey(
            device=device,
            algorithm="ed25519",
            public_key=f"{number:064x}",
            spelling=f"{number:064x}",
            fingerprint=f"{number:064x}",
            registered_at=now,
            proved_at=now,
        )
        for number, device in enumerate(devices)
    )
    app = make_application(ada.bank)
    for device in devices:
        make_token(user=ada, application=app, device=device)
    waiting = {
        transfer.public_id: f"{transfer.public_id} {CODE} {token}"
        for transfer in (make_transfer(device, cem, code=CODE, decided_by=avi) for device in devices)
    }
    connection.close()  # SQLite's file is the child's as much as ours
    assert states() == {ABSENT: TRANSFERS}

    chance = random.Random(20241201)  # the same places in each run, as far as the threads let it
    killed = 0
    for _ in range(KILLS):
        heard = run(start(), list(waiting.values()), answers=chance.randrange(1, TRANSFERS // KILLS))
        assert set(heard) == {"200"}
        killed += 1
        seen = states()
        assert set(seen) <= {WHOLE, ABSENT}
        assert seen[WHOLE] >= len(heard)
        done = Transfer.objects.filter(state=TransferState.COMPLETED)
        for key in done.values_list("pk", flat=True):
            waiting.pop(Transfer(pk=key).public_id, None)
    assert 0 < len(waiting) < TRANSFERS
    rest = run(start(), list(waiting.values()), answers=None)
    assert Counter(rest) == {"200": len(waiting)}
    assert killed == KILLS
    assert states() == {WHOLE: TRANSFERS}
    assert events() == {"transfer.accepted": TRANSFERS, "transfer.completed": TRANSFERS}
    assert Device.objects.filter(owner=cem).count() == TRANSFERS
