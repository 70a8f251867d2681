"""Authorities and certificates for tests, made as the product makes them. People: devices.tests.factories."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.db import transaction

from devices.models import Device
from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.keystore import StoreUnavailable
from pki.models import Certificate, CertificateAuthority, CertificateRequest, RequestSource
from pki.operations.authority_making import AuthorityFacts
from pki.operations.hierarchy import ISSUING_KEY, ROOT_KEY, create_issuing, create_root
from pki.operations.issuance import Wanted, make, reserve
from pki.states import CaRole, CertificateState
from pki.x509 import der
from pki.x509.asking import Asked, check_asked
from pki.x509.serials import new_serial
from pki.x509.signing import Signer
from pki.x509.tests.makers import asking, checked, private, raw_request, rdn
from portal.accounts.models import Bank
from portal.core import clock, ids
from portal.core.actor import Actor

_keys = count(1)


def make_ca(
    bank: Bank, *, key: str = ISSUING_KEY, root_key: str = ROOT_KEY, keystore: str = "file"
) -> CertificateAuthority:
    """The bank's issuing authority, under the one root of the test."""
    actor = Actor.system("test")
    root = CertificateAuthority.objects.filter(role=CaRole.ROOT).first() or create_root(
        actor=actor, facts=_facts("Sample Root", root_key, keystore)
    )
    return create_issuing(actor=actor, bank=bank, parent=root, facts=_facts(f"{bank.name} CA", key, keystore))


def _facts(name: str, key: str, keystore: str) -> AuthorityFacts:
    return AuthorityFacts(name=name, country="NG", organisation="Digital Bank Ltd", key=key, keystore=keystore)


def certify(device: Device, *, kind: str = "p256", number: int | None = None, **wanted: Any) -> Certificate:
    """A certificate for the device, by the way every certificate goes. Same kind and number, same key."""
    actor = Actor.system("test", bank_id=device.bank_id)
    key = checked(kind, next(_keys) if number is None else number)
    policy = policy_of(device.bank_id)
    profile = profile_of(policy, "device")
    with transaction.atomic():
        reserved = reserve(
            actor,
            Wanted(
                device=Device.objects.select_for_update().get(pk=device.pk),
                key=key,
                profile=profile,
                granted=check_asked(Asked(days=wanted.pop("days", None)), profile, key.kind),
                authority=issuing_authority(device.bank_id),
                policy=policy,
                **wanted,
            ),
        )
    return make(actor, reserved)


def token_gone(*_: object) -> Signer:
    """A key store that does not answer, in the place of `signer_of`."""
    raise StoreUnavailable("the token is not there")


def csr_for(
    device: Device, *extensions: bytes, kind: str = "p256", number: int | None = None, name: str = ""
) -> bytes:
    """The device's own request in DER. Same kind and number, same key. name: the common name, its `DEV_…` without."""
    subject = der.sequence([rdn("2.5.4.3", name or device.public_id)])
    attributes = [asking(*extensions)] if extensions else []
    key = private(kind, next(_keys) if number is None else number)
    return raw_request(key, subject=subject, attributes=attributes)


def hang_certificate(device: Device) -> Certificate:
    """A valid certificate and an open request of a device, as rows only: quick, where nobody looks into them."""
    now, key = clock.now(), ids.new_id().hex * 2
    shared = {"bank_id": device.bank_id, "device": device, "key_fingerprint": key, "key_algorithm": "p256"}
    CertificateRequest.objects.create(
        **shared | {"key_fingerprint": key[::-1]},
        source=RequestSource.DEVICE,
        der=b"0",
        maker_kind="customer",
        maker_id="",
        maker_label="",
        created_at=now,
        expires_at=now + timedelta(days=7),
    )
    return Certificate.objects.create(
        **shared,
        authority=_paper_authority(device.bank_id),
        serial=f"{new_serial():040x}",
        profile="device",
        state=CertificateState.ACTIVE,
        key_since=now,
        der=b"0",
        not_before=now,
        not_after=now + timedelta(days=365),
        reserved_at=now,
        issued_at=now,
    )


def _paper_authority(bank_id: UUID) -> CertificateAuthority:
    """The bank's authority; one that has no key where there is none."""
    found = CertificateAuthority.objects.issuing_for(bank_id).first()
    if found is not None:
        return found
    now = clock.now()
    values = {"keystore": "file", "key_name": "none", "der": b"0", "not_before": now, "created_at": now}
    values["not_after"] = now + timedelta(days=3650)

    def made(role: CaRole, **facts: Any) -> CertificateAuthority:
        key_id, serial = ids.new_id().hex + "00000000", f"{new_serial():040x}"
        facts |= {"name": "Paper CA", "key_id": key_id, "serial": serial}
        return CertificateAuthority.objects.create(role=role, **values, **facts)

    root = CertificateAuthority.objects.filter(role=CaRole.ROOT).first() or made(CaRole.ROOT)
    return made(CaRole.ISSUING, bank_id=bank_id, parent=root)
