"""What a bank decides about its certificates. It is changed only by two people."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from pki.certificate_policies import policy_of
from pki.models import CertificatePolicy
from pki.policies import require_manage
from pki.policy_values import (
    CHANGE_POLICY,
    FIELDS,
    LABELS,
    duration_problems,
    narrowed,
    profile_problems,
    subject_problems,
    values_of,
    wanted_of,
    zone_problems,
)
from portal.accounts.policies import require_reason
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, SecondPersonNeeded


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    if actor.bank_id is None:
        return []
    now, wanted = _flat(values_of(policy_of(actor.bank_id))), _flat(wanted_of(arguments))
    return [
        (None, f"{label}: {_say(now[label])} → {_say(wanted[label])}") for label in now if now[label] != wanted[label]
    ]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {label: values[name] for name, label in LABELS.items()}
    for profile, said in values["profiles"].items():
        found |= {f"Profile {profile}, {name.replace('_', ' ')}": value for name, value in said.items()}
    return found


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value) or "none"


@four_eyes(
    FourEyes(
        name=CHANGE_POLICY,
        label="Change the certificate policy",
        always="What stands in certificates is always changed by two people.",
        optional=False,
        preview=_preview,
    )
)
@transaction.atomic
def change_certificate_policy(
    *,
    actor: Actor,
    organisation: str,
    unit: str,
    country: str,
    zone: str,
    profiles: dict[str, dict[str, Any]],
    auto_sign: bool,
    sign_needs_two: bool,
    key_lifetime_days: int,
    overlap_days: int,
    reason: str,
) -> CertificatePolicy:
    """Set what the bank decides about its certificates. Always takes two people; what is already so writes nothing.

    Certificates that are there keep what they say. organisation: 1 to 64 characters; unit: up to 64. country: two
    capital letters. zone: a DNS name in lower case, or "". profiles: by name, the bank's `days`, `max_days`,
    `purposes` and `keys` where they are narrower than the built-in profile's. key_lifetime_days: 30 to 3650.
    overlap_days: 1 to 90. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, InvalidState `no-authority`,
    and ApprovalRequired.
    """
    require_manage(actor)
    require_reason(reason)
    problems = [
        *subject_problems(organisation, unit, country),
        *zone_problems(zone),
        *profile_problems(profiles),
        *duration_problems(key_lifetime_days, overlap_days),
    ]
    if problems:
        raise InvalidInput(fields=tuple(problems))
    policy = _locked(actor)
    before = values_of(policy)
    _set(
        policy,
        {
            "organisation": organisation,
            "unit": unit,
            "country": country,
            "zone": zone,
            "profiles": narrowed(profiles),
            "auto_sign": auto_sign,
            "sign_needs_two": sign_needs_two,
            "key_lifetime_days": key_lifetime_days,
            "overlap_days": overlap_days,
        },
    )
    if (after := values_of(policy)) == before:
        return policy
    if not actor.approved_for(CHANGE_POLICY):
        raise SecondPersonNeeded("The certificate policy is changed by two people.", about=policy)
    policy.updated_at = clock.now()
    policy.save(update_fields=[*FIELDS, "updated_at"])
    audit.record(
        actor,
        Event.CERTIFICATE_POLICY_CHANGED,
        policy,
        before=_changed(before, after),
        after=_changed(after, before),
        reason=reason,
    )
    return policy


def _locked(actor: Actor) -> CertificatePolicy:
    if actor.bank_id is None:
        raise Forbidden("A certificate policy is a bank's.", code="bank-needed")
    policy_of(actor.bank_id)  # says in words that there is none
    return CertificatePolicy.objects.select_for_update(of=("self",)).get(bank_id=actor.bank_id)


def _set(policy: CertificatePolicy, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(policy, name, value)


def _changed(values: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, so that the log shows no more than was changed."""
    found = {name: values[name] for name in FIELDS if name != "profiles" and values[name] != other[name]}
    profiles = {
        profile: differing
        for profile, said in values["profiles"].items()
        if (differing := {name: value for name, value in said.items() if value != other["profiles"][profile][name]})
    }
    return found | ({"profiles": profiles} if profiles else {})
