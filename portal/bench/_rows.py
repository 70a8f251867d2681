"""The rows that benchmarks start from: a bank with an authority, devices, certificates."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from devices.models import Device, Kind
from devices.states import Category, DeviceStatus
from pki.models import Certificate, CertificateAuthority
from pki.operations.authority_making import AuthorityFacts
from pki.operations.hierarchy import ISSUING_KEY, ROOT_KEY, create_issuing, create_root
from pki.states import CertificateState
from pki.x509.serials import new_serial
from portal.accounts.models import Bank, User, UserKind
from portal.core import clock
from portal.core.actor import Actor, Channel

ACTOR: Final = Actor.system("bench", channel=Channel.COMMAND)


def make_authority() -> CertificateAuthority:
    """A bank with an authority."""
    bank = Bank.objects.create(code="bench", name="Bench")
    root = create_root(actor=ACTOR, facts=_facts("Bench Root", ROOT_KEY))
    return create_issuing(actor=ACTOR, bank=bank, parent=root, facts=_facts("Bench CA", ISSUING_KEY))


def _facts(name: str, key: str) -> AuthorityFacts:
    return AuthorityFacts(name=name, country="NG", organisation="Bench Ltd", key=key)


def make_certificates(authority: CertificateAuthority, count: int, *, revoked: bool = False) -> list[Certificate]:
    """So many rows of certificates, each of a device of its own; revoked ones all of one, and not returned."""
    assert authority.bank_id is not None  # noqa: S101  an issuing one
    devices = make_devices(authority.bank_id, 1 if revoked else count)
    made: list[Certificate] = []
    for start in range(0, count, 1000):  # not all at once: the memory of a list is measured afterwards
        numbers = range(start, min(start + 1000, count))
        rows = [_row(authority, devices[number % len(devices)], number, revoked=revoked) for number in numbers]
        Certificate.objects.bulk_create(rows)
        made += [] if revoked else rows
    return made


def _row(authority: CertificateAuthority, device: Device, number: int, *, revoked: bool) -> Certificate:
    now = clock.now()
    return Certificate(
        bank_id=device.bank_id,
        authority=authority,
        device=device,
        serial=f"{new_serial():040x}",
        profile="device",
        state=CertificateState.REVOKED if revoked else CertificateState.ACTIVE,
        revoked_at=now - timedelta(seconds=number) if revoked else None,
        revocation_reason="superseded" if revoked else "",
        key_fingerprint=f"{number:064x}",
        key_algorithm="p256",
        key_since=now,
        der=b"0",
        not_before=now,
        not_after=now + timedelta(days=365),
        reserved_at=now,
        issued_at=now,
    )


def make_devices(bank_id: UUID, count: int) -> list[Device]:
    """So many active devices of one new customer of this bank."""
    now = clock.now()
    owner = User.objects.create(
        bank_id=bank_id, kind=UserKind.CUSTOMER, name="Ada", customer_number="1", password="!"  # noqa: S106  no password
    )  # fmt: skip
    devices = [
        Device(
            bank_id=bank_id,
            owner=owner,
            category=Category.OWNED,
            kind=Kind.MOBILE,
            status=DeviceStatus.ACTIVE,
            registered_at=now,
            updated_at=now,
            activated_at=now,
        )
        for _ in range(count)
    ]
    return Device.objects.bulk_create(devices, batch_size=500)
