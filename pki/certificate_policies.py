"""The bank's own say in its certificates, and the profiles it narrows."""

from dataclasses import replace
from uuid import UUID

from pki.models import CertificateAuthority, CertificatePolicy
from pki.x509.profiles import REQUESTABLE, Profile
from portal.core.errors import InvalidInput, InvalidState


def policy_of(bank_id: UUID) -> CertificatePolicy:
    """The bank's policy. Raises InvalidState `no-authority` where no authority was ever set up. One query."""
    policy = CertificatePolicy.objects.filter(bank_id=bank_id).first()
    if policy is None:
        raise InvalidState("This bank has no certificate authority yet.", code="no-authority")
    return policy


def profile_of(policy: CertificatePolicy, name: str) -> Profile:
    """A built-in profile, narrowed by what the bank says of it: never wider. Raises InvalidInput."""
    built_in = REQUESTABLE.get(name)
    if built_in is None:
        raise InvalidInput.at("profile", "unknown-enum", f"One of: {', '.join(REQUESTABLE)}.")
    said = policy.profiles.get(name, {})
    max_days = min(built_in.max_days, int(said.get("max_days", built_in.max_days)))
    return replace(
        built_in,
        max_days=max_days,
        days=min(max_days, int(said.get("days", built_in.days))),
        purposes=tuple(word for word in built_in.purposes if word in said.get("purposes", built_in.purposes)),
        keys=built_in.keys & frozenset(said.get("keys", built_in.keys)),
    )


def issuing_authority(bank_id: UUID) -> CertificateAuthority:
    """The authority that issues for a bank now. Raises InvalidState `no-authority`."""
    authority = CertificateAuthority.objects.issuing_for(bank_id).first()
    if authority is None:
        raise InvalidState("This bank has no certificate authority yet.", code="no-authority")
    return authority
