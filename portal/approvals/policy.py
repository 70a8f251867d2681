"""What a bank wants a second person for. It is changed only by two people itself."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from portal.accounts.models import Bank
from portal.accounts.policies import require_capability, require_reason
from portal.accounts.roles import Capability
from portal.approvals.gate import four_eyes
from portal.approvals.models import ApprovalPolicy
from portal.approvals.registry import Arguments, FourEyes, Preview, all_registered, label_of
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput, SecondPersonNeeded

NAME: Final = "approvals.policy"
DEFAULT_THRESHOLD: Final = 10
MOST_IN_BULK: Final = 200


@dataclass(frozen=True)
class Policy:
    """required: operations that need a second person each time. bulk_threshold: bulk steps over more devices do."""

    required: frozenset[str] = frozenset()
    bulk_threshold: int = DEFAULT_THRESHOLD


def policy_of(bank_id: UUID | None) -> Policy:
    """The bank's policy; the default while nobody changed it. One query."""
    row = None if bank_id is None else ApprovalPolicy.objects.filter(bank_id=bank_id).first()
    return Policy(frozenset(row.required), row.bulk_threshold) if row else Policy()


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    now = policy_of(actor.bank_id)
    wanted = frozenset(arguments["required"])
    lines: Preview = [(None, f"{label_of(name)}: needs a second person each time") for name in wanted - now.required]
    lines += [(None, f"{label_of(name)}: one person is enough again") for name in now.required - wanted]
    if arguments["bulk_threshold"] != now.bulk_threshold:
        lines.append(
            (None, f"Bulk steps over more than {arguments['bulk_threshold']} devices, not {now.bulk_threshold}")
        )
    return sorted(lines, key=lambda line: line[1])


@four_eyes(
    FourEyes(
        name=NAME,
        label="Change the four-eyes policy",
        always="A change of the policy itself always takes two people.",
        optional=False,
        preview=_preview,
    )
)
@transaction.atomic
def change_policy(*, actor: Actor, required: list[str], bulk_threshold: int, reason: str) -> Policy:
    """Set what the bank wants a second person for. Always takes one itself; what is already so writes nothing.

    required: names of optional operations. bulk_threshold: 1 to 200 devices. reason: 1 to 500 characters. Raises
    Forbidden, InvalidInput, and ApprovalRequired.
    """
    require_capability(actor, Capability.APPROVALS_POLICY)
    require_reason(reason)
    _check(required, bulk_threshold)
    bank = Bank.objects.visible_to(actor).select_for_update(no_key=True).get()
    before = policy_of(bank.pk)
    wanted = Policy(frozenset(required), bulk_threshold)
    if wanted == before:
        return before
    if not actor.approved_for(NAME):
        raise SecondPersonNeeded("The policy is changed by two people.", about=bank)
    values = {"required": sorted(required), "bulk_threshold": bulk_threshold, "updated_at": clock.now()}
    ApprovalPolicy.objects.update_or_create(bank=bank, defaults=values)
    audit.record(
        actor,
        Event.APPROVAL_POLICY_CHANGED,
        bank,
        before={"required": sorted(before.required), "bulk_threshold": before.bulk_threshold},
        after={"required": sorted(required), "bulk_threshold": bulk_threshold},
        reason=reason,
    )
    return wanted


def _check(required: list[str], bulk_threshold: int) -> None:
    known = {entry.name for entry in all_registered() if entry.optional}
    problems = [
        FieldProblem("required", "unknown-enum", f"There is no such operation: {name[:64]}.")
        for name in required
        if name not in known
    ]
    if not 1 <= bulk_threshold <= MOST_IN_BULK:
        problems.append(FieldProblem("bulk_threshold", "out-of-range", f"From 1 to {MOST_IN_BULK} devices."))
    if problems:
        raise InvalidInput(fields=tuple(problems))
