"""A process of the tests' own that signs: `python -m pki.tests.issuing sign STEP NUMBER`, or `… issue DEVICE COUNT`.

sign: requests by id, one a line; at the given one it kills itself at a step of `STEPS`. issue: so many certificates
for one device. PORTAL_CHILD_DATABASE is the database's name.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import django

# Step → the function it dies at, and whether before or after it.
STEPS: Final = {
    "reserved": ("make", "before"),  # the serial is committed, nothing is signed
    "signed": ("store", "before"),  # the key has signed, nothing is stored
    "storing": ("slot_of", "before"),  # inside the last transaction
    "stored": ("store", "after"),
}
LEAVES_A_SERIAL: Final = ("reserved", "signed", "storing")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fatal(function: Callable[..., Any], number: int, when: str) -> Callable[..., Any]:
    calls = 0

    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            _die()
        result = function(*args, **kwargs)
        if calls == number:
            _die()
        return result

    return called


def sign(step: str, number: str) -> None:
    """Sign what stdin names, as the bank's policy would; say each that is done."""
    from pki.models import CertificateRequest
    from pki.operations import issuance
    from pki.operations.signing import sign_request
    from portal.core.actor import Actor
    from portal.core.errors import Conflict

    if step in STEPS:
        name, when = STEPS[step]
        setattr(issuance, name, _fatal(getattr(issuance, name), int(number), when))
    bank_id = CertificateRequest.objects.values_list("bank_id", flat=True)[0]
    for line in sys.stdin:
        try:
            sign_request(actor=Actor.system("test", bank_id=bank_id), csr_id=line.strip())
        except Conflict:
            continue
        _tell(line.strip())


def issue(device_id: str, count: str) -> None:
    """Certificates for one device, one after another; the serials are told."""
    from devices.models import Device
    from pki.tests.factories import certify

    device = Device.objects.get(pk=device_id)
    for _ in range(int(count)):
        _tell(certify(device, number=0).serial)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "devices.tests.child_settings")
    django.setup()
    {"sign": sign, "issue": issue}[sys.argv[1]](*sys.argv[2:])
