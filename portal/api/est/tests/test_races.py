"""The same call many times at once: one certificate."""

from collections import Counter
from pathlib import Path

import pytest

from devices.models import Device
from devices.tests.factories import make_token
from pki.models import Certificate, CertificateRequest, Rotation
from pki.tests.factories import certify
from pki.tests.outside import needs_openssl
from portal.accounts.models import User
from portal.api.est.tests.client import EstClient
from portal.tests.threads import race

pytestmark = [pytest.mark.django_db(transaction=True), needs_openssl]
AT_ONCE = 8


def test_one_request_in_parallel_is_one_certificate(client: EstClient, phone: Device, tmp_path: Path) -> None:
    csr = client.request(phone.public_id)
    callers = [EstClient(tmp_path, client.bank, token=client.token) for _ in range(AT_ONCE)]
    answers = race(AT_ONCE, lambda number: callers[number].enrol(csr).status_code)
    counts = Counter(str(answer) for answer in answers)
    assert set(counts) <= {"200", "202"}, counts  # who came while it was signed asks again
    assert CertificateRequest.objects.count() == 1
    assert Certificate.objects.issued().count() == 1
    assert client.enrol(csr).status_code == 200


def test_renewals_in_parallel_are_one_rotation(client: EstClient, ada: User, phone: Device, tmp_path: Path) -> None:
    old = certify(phone)
    csr = client.request(phone.public_id, key="next")
    token = make_token(user=ada, device=phone)
    callers = [EstClient(tmp_path, client.bank, token=token) for _ in range(AT_ONCE)]
    answers = race(AT_ONCE, lambda number: callers[number].enrol(csr, "simplereenroll").status_code)
    counts = Counter(str(answer) for answer in answers)
    assert set(counts) <= {"200", "202", "409"}, counts
    assert client.enrol(csr, "simplereenroll").status_code == 200
    assert Certificate.objects.issued().exclude(pk=old.pk).count() == 1
    assert Rotation.objects.open().count() <= 1
