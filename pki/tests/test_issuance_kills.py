"""Processes that are killed while they sign, and many that sign at once: every serial is used once, and settled.

PORTAL_TEST_KILLS: how often a process is killed; PORTAL_TEST_SERIALS: how many certificates eight processes issue.
"""

import itertools
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
import time_machine
from django.conf import settings
from django.db import connection

from devices.models import Device
from devices.tests.factories import customer_actor, make_bank, make_customer, make_device
from pki.models import Certificate, CertificateRequest
from pki.operations.issuance import UNSETTLED
from pki.operations.requests import request_certificate
from pki.operations.signing import sign_request
from pki.operations.signing_work import sweep
from pki.states import CertificateState, RequestState
from pki.tests.factories import csr_for, make_ca
from pki.tests.issuing import LEAVES_A_SERIAL, STEPS
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = int(os.environ.get("PORTAL_TEST_KILLS", "8"))
SERIALS = int(os.environ.get("PORTAL_TEST_SERIALS", "160"))
PROCESSES = 8


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "devices.tests.child_settings",
        "PORTAL_CHILD_DATABASE": str(connection.settings_dict["NAME"]),
        "PORTAL_CA_DIR": str(settings.CA_DIR),
    }
    line = [sys.executable, "-m", "pki.tests.issuing", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=settings.BASE_DIR, env=environment, stdin=pipe, stdout=pipe, text=True)


def asked(device: Device) -> CertificateRequest:
    actor = customer_actor(device.owner)
    return request_certificate(actor=actor, device_id=str(device.pk), csr=csr_for(device)).request


def count(event: str) -> int:
    return AuditEvent.objects.filter(event=event).count()


def test_a_process_killed_while_it_signs_leaves_no_serial_unsettled() -> None:
    bank = make_bank()
    make_ca(bank)
    owner = make_customer(bank)
    names = [asked(make_device(owner)).public_id for _ in range(3 * KILLS)]
    chosen = random.Random(7)
    steps = [step for step, _ in zip(itertools.cycle(STEPS), range(KILLS), strict=False)]
    assert steps[0] in LEAVES_A_SERIAL
    for number, step in enumerate(steps):
        waiting = [one.public_id for one in CertificateRequest.objects.filter(state=RequestState.PENDING)]
        process = start("sign", step, str(chosen.randint(1, 2)))
        process.communicate("\n".join(waiting), timeout=120)
        assert process.returncode == -9, step
        if number == 0:
            assert sweep() == 0  # somebody may still be signing
    left = Counter(steps)
    expected = sum(left[step] for step in LEAVES_A_SERIAL)
    assert Certificate.objects.filter(state=CertificateState.SIGNING).count() == expected
    with time_machine.travel(clock.now() + UNSETTLED * 2, tick=False):
        assert sweep() == expected
        assert sweep() == 0
    settled = Counter(Certificate.objects.values_list("state", flat=True))
    assert set(settled) == {CertificateState.ABORTED, CertificateState.ACTIVE}
    assert settled[CertificateState.ABORTED] == expected == count("certificate.aborted")
    issued = CertificateRequest.objects.filter(state=RequestState.ISSUED)
    assert issued.count() == settled[CertificateState.ACTIVE] == count("certificate.issued")
    # What was given up can be signed, under a serial of its own.
    for request in CertificateRequest.objects.filter(state=RequestState.PENDING):
        sign_request(actor=Actor.system("test", bank_id=bank.pk), csr_id=request.public_id)
    assert issued.count() == len(names)
    serials = Certificate.objects.values_list("serial", flat=True)
    assert len(set(serials)) == len(serials) == len(names) + expected


def test_serials_of_eight_processes_are_all_different() -> None:
    bank = make_bank()
    make_ca(bank)
    owner = make_customer(bank)
    each = SERIALS // PROCESSES
    devices = [make_device(owner) for _ in range(PROCESSES)]
    running = [start("issue", str(device.pk), str(each)) for device in devices]
    told = [line for process in running for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in running] == [0] * PROCESSES
    assert len(set(told)) == len(told) == PROCESSES * each
    assert set(told) == set(Certificate.objects.values_list("serial", flat=True))
    for serial in told:
        assert 2**64 < int(serial, 16) < 2**159  # positive, at most 20 octets, more than 64 random bits
