"""Whether staff may see an activation code, to hand it to a customer who stands before them."""

from typing import Final

from django.db import transaction

from portal.accounts import policies
from portal.accounts.roles import Capability
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import SecondPersonNeeded
from twofa.models import EnrolmentPolicy
from twofa.operations.identity_providers import locked_bank

IN_PERSON: Final = "enrolment.in-person"


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    if arguments["allowed"]:
        return [(None, "Staff who issue a code may see it once, to hand it to a customer who stands before them.")]
    return [(None, "Codes only go to the contact on file; staff see none.")]


@four_eyes(
    FourEyes(
        name=IN_PERSON,
        label="Change whether staff hand over activation codes",
        always="Always, to let staff see codes.",
        preview=_preview,
    )
)
@transaction.atomic
def set_in_person(*, actor: Actor, allowed: bool, reason: str) -> EnrolmentPolicy:
    """Say whether staff may see an activation code to hand it to a customer who stands before them.

    What is so already leaves no event. To allow it, staff need a second person; to forbid it, where the bank's
    policy says so. Raises Forbidden, InvalidInput, ApprovalRequired.
    """
    policies.require_capability(actor, Capability.APPROVALS_POLICY)
    policies.require_reason(reason)
    bank = locked_bank(actor)
    policy, _ = EnrolmentPolicy.objects.get_or_create(bank=bank)
    if policy.in_person == allowed:
        return policy
    if allowed and actor.is_staff and not actor.approved_for(IN_PERSON):
        raise SecondPersonNeeded("To let staff see activation codes takes a second person.", about=bank)
    require_by_policy(actor, IN_PERSON, bank)
    policy.in_person = allowed
    policy.save(update_fields=["in_person"])
    changed = {"before": {"in_person": not allowed}, "after": {"in_person": allowed}}
    audit.record(actor, Event.ENROLMENT_POLICY_CHANGED, bank, reason=reason, **changed)
    return policy
