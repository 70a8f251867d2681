"""Rotations: how many certificates one worker renews a second, against the bare signature of the same kind.

One renewal is everything: the claim, two transactions, linting, the signature, the ledger and four audit events.
"""

import logging
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.db import transaction

from devices.models import Device
from pki.certificate_policies import policy_of, profile_of
from pki.models import Certificate, CertificateAuthority, Rotation
from pki.operations.hierarchy import BankSetUp, set_up_bank
from pki.operations.issuance import Wanted, make, reserve
from pki.operations.rotation_sweeps import plan_rotations
from pki.operations.rotation_work import rotate_batch
from pki.states import RotationState
from pki.x509.asking import Asked, check_asked
from pki.x509.keys_policy import describe_key
from portal.accounts.models import Bank
from portal.bench import own_database
from portal.bench._bare import bare_builder
from portal.bench._rows import ACTOR, make_devices
from portal.core import clock

RATE: Final = 1_000_000
BARE: Final = 2000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--certificates", type=int, default=500, help="how many to renew (default: 500)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Plan and renew so many certificates in this process; a line for each step, and the ratio to bare signing."""
    count = int(str(options["certificates"]))
    logging.disable(logging.CRITICAL)
    with own_database():
        _certify(count)
        bare = _timed(_sign_bare)
        yield f"bare P-256 certificate: {bare.processor / BARE * 1000:.3f} ms of processor time each"
        planning = _timed(plan_rotations)
        yield f"planned: {count} rotations in {planning}"
        renewing = _timed(lambda: rotate_batch(seconds=3600))
        if Rotation.objects.filter(state=RotationState.OVERLAP).count() != count:
            raise AssertionError("not every certificate was renewed")
        yield f"renewed: {count} certificates in {renewing}, {count / renewing.wall:.0f} a second by one worker"
        ratio = (renewing.processor / count) / (bare.processor / BARE)
        yield f"one renewal / one bare certificate, in processor time: {ratio:.1f}"


@dataclass(frozen=True)
class _Taken:
    """Seconds."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.processor:.1f} s of processor time)"


def _timed(step: Callable[[], object]) -> _Taken:
    wall, processor = time.perf_counter(), time.process_time()
    step()
    return _Taken(time.perf_counter() - wall, time.process_time() - processor)


def _certify(count: int) -> None:
    """So many devices, each with a certificate whose slot has come."""
    bank = Bank.objects.create(code="bench", name="Bench")
    wanted = BankSetUp(country="NG", organisation="Bench Ltd")
    authority = set_up_bank(actor=ACTOR, bank=bank, wanted=wanted).issuing
    CertificateAuthority.objects.update(rotation_rate=RATE)
    authority.refresh_from_db()
    for device in make_devices(bank.pk, count):
        _certified(device, authority)
    Certificate.objects.update(renew_at=clock.now())


def _certified(device: Device, authority: CertificateAuthority) -> None:
    key = describe_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    if key is None:
        raise AssertionError("P-256 is a kind that is taken")
    policy = policy_of(device.bank_id)
    profile = profile_of(policy, "device")
    with transaction.atomic():
        wanted = Wanted(
            device=Device.objects.select_for_update().get(pk=device.pk),
            key=key,
            profile=profile,
            granted=check_asked(Asked(), profile, key.kind),
            authority=authority,
            policy=policy,
        )
        reserved = reserve(ACTOR, wanted)
    make(ACTOR, reserved)


def _sign_bare() -> None:
    """What the library alone takes for a certificate of that kind."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = bare_builder(key)
    for _ in range(BARE):
        builder.sign(key, SHA256())
