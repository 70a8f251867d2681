"""Authorities and certificates for tests, made as the product makes them. People: devices.tests.factories."""

from itertools import count
from typing import Any

from django.db import transaction

from devices.models import Device
from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.models import Certificate, CertificateAuthority
from pki.operations.hierarchy import ISSUING_KEY, ROOT_KEY, AuthorityFacts, create_issuing, create_root
from pki.operations.issuance import Wanted, make, reserve
from pki.states import CaRole
from pki.x509.asking import Asked, check_asked
from pki.x509.tests.makers import checked
from portal.accounts.models import Bank
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
