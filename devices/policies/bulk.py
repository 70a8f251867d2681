"""Who may take a step over many devices, what it would do to each, and when it takes a second person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.models import BulkStep, Device
from devices.policies import registry
from devices.policies.verdicts import YES, Verdict
from devices.states import DeviceStatus, HeldBy
from portal.approvals.policy import MOST_IN_BULK, policy_of
from portal.core.actor import Actor
from portal.core.errors import Forbidden

NAME: Final = "devices.bulk"
MOST: Final = MOST_IN_BULK


@dataclass(frozen=True)
class Step:
    """A step and its rules, which are those of the step over one device. operation: its name where a bank may want a
    second person for each, else ""."""

    status: DeviceStatus
    may: Callable[[Actor], Verdict]
    verdict: Callable[[Actor, Device], Verdict]
    operation: str = ""

    @property
    def ends_access(self) -> bool:
        return self.status != DeviceStatus.ACTIVE


STEPS: Final[Mapping[str, Step]] = {
    BulkStep.ACTIVATE: Step(DeviceStatus.ACTIVE, registry.may_activate, registry.activate, "device.activate"),
    BulkStep.DEACTIVATE: Step(
        DeviceStatus.INACTIVE, registry.may_deactivate, registry.deactivate, "device.deactivate"
    ),
    BulkStep.BLOCK: Step(DeviceStatus.BLOCKED, registry.may_block, registry.block),
}


def may_switch_many(actor: Actor, step: Step) -> Verdict:
    """Staff and our own work, with the right for the step itself."""
    if actor.is_staff or actor.is_system:
        return step.may(actor)
    return Verdict(Forbidden("Only staff take bulk steps.", code="staff-only"))


def is_so(device: Device, status: DeviceStatus) -> bool:
    """Whether the bank's step to this state would change nothing. What the owner switched off, the bank can still
    make its own."""
    return device.status == status and (status == DeviceStatus.ACTIVE or device.held_by == HeldBy.BANK)


def second_person(actor: Actor, step: Step, named: int, verdicts: Sequence[Verdict]) -> str:
    """Why the step takes a second person, or "". One query.

    named: how many devices it is about. verdicts: those of the devices that it would change.
    """
    if not verdicts or actor.is_system or actor.approved_for(NAME):
        return ""
    policy = policy_of(actor.bank_id)
    if named > policy.bulk_threshold:
        return f"A bulk step over more than {policy.bulk_threshold} devices takes a second person."
    if {NAME, step.operation} & policy.required:
        return "Your bank wants a second person for this."
    if any(verdict.needs_second_person for verdict in verdicts):
        return "One of these devices takes a second person, so all of them do."
    return ""


def verdict_of(actor: Actor, step: Step, device: Device) -> Verdict:
    """What the policies say of one device; nothing stands in the way of what is so already."""
    return YES if is_so(device, step.status) else step.verdict(actor, device)
