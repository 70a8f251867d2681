"""The steps that staff take with one device, with what stands in the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from django.urls import reverse

from devices import policies
from devices.models import Device
from devices.operations.activation import Change, activate_device, block_device, deactivate_device
from devices.policies.bulk import is_so
from devices.policies.verdicts import Verdict
from devices.screens.registry import is_lost
from devices.states import DeviceStatus
from portal.approvals.policy import policy_of
from portal.approvals.registry import label_of
from portal.core.actor import Actor


@dataclass(frozen=True)
class Step:
    """One step that staff take with a device.

    done: the past participle, for the message afterwards. asks_as: its name where the bank may want a second person.
    """

    name: str
    label: str
    done: str
    icon: str
    danger: bool
    target: DeviceStatus
    meaning: str
    policy: Callable[[Actor, Device], Verdict]
    operation: Callable[..., Change]
    asks_as: str = ""

    @property
    def ends_access(self) -> bool:
        return self.target != DeviceStatus.ACTIVE

    def has_happened(self, device: Device) -> bool:
        """Whether the step would change nothing. What the owner switched off, the bank can still make its own."""
        return is_so(device, self.target)


STEPS: Final = (
    Step(
        "activate",
        "Activate",
        "activated",
        "circle-play",
        False,
        DeviceStatus.ACTIVE,
        "The device may use banking services. Its owner is told, and signs in on it anew: ended sessions stay ended.",
        policies.activate,
        activate_device,
        "device.activate",
    ),
    Step(
        "deactivate",
        "Deactivate",
        "deactivated",
        "circle-pause",
        True,
        DeviceStatus.INACTIVE,
        "The device opens nothing until the bank activates it again. Its owner is told.",
        policies.deactivate,
        deactivate_device,
        "device.deactivate",
    ),
    Step(
        "block",
        "Block",
        "blocked",
        "ban",
        True,
        DeviceStatus.BLOCKED,
        "For a device that is misused or in doubt. Lifting the block takes a second person. Its owner is told.",
        policies.block,
        block_device,
    ),
)
STEPS_BY_NAME: Final = {step.name: step for step in STEPS}

# What would make a step pass that the device's state does not allow.
WAYS_OUT: Final = {
    ("deactivate", DeviceStatus.PENDING): "It is not in use yet. Activate it first, or block it.",
    ("deactivate", DeviceStatus.BLOCKED): "It opens nothing while it is blocked.",
}


def steps(actor: Actor, device: Device, waiting: Sequence[Mapping[str, object]] = ()) -> list[dict[str, object]]:
    """The steps that would change something, each with the policy's verdict. A retired or lost device has none.

    waiting: what waits for a second person at the device; it is not offered again.
    """
    if device.status == DeviceStatus.RETIRED or is_lost(device):
        return []
    asked = {entry["label"] for entry in waiting}
    required = policy_of(actor.bank_id).required
    return [
        offer(step, step.policy(actor, device), device, by_policy=step.asks_as in required)
        for step in STEPS
        if not step.has_happened(device) and not (step.asks_as and label_of(step.asks_as) in asked)
    ]


class Offered(Protocol):
    """What the page needs to know of a step."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def icon(self) -> str: ...
    @property
    def danger(self) -> bool: ...


def offer(step: Offered, verdict: Verdict, device: Device, *, by_policy: bool = False) -> dict[str, object]:
    """A step as a button, or with what stands in its way. by_policy: the bank wants a second person each time."""
    asks = verdict.needs_second_person or (verdict.allowed and by_policy)
    return {
        "name": step.name,
        "label": f"Ask to {step.label.lower()}" if asks else step.label,
        "url": reverse(f"devices:{step.name}", args=[device.pk]),
        "icon": step.icon,
        "danger": step.danger,
        "allowed": verdict.allowed or asks,
        "asks": asks,
        "message": verdict.message,
        "way_out": "" if verdict.granted_by else WAYS_OUT.get((step.name, DeviceStatus(device.status)), ""),
        "who": ", ".join(role.lower() for role in verdict.granted_by),
        "rule": verdict.error.code if verdict.error else "",
    }


def by_policy(actor: Actor, step: Step) -> str:
    """Why the step takes a second person whatever the device, or ""."""
    required = bool(step.asks_as) and step.asks_as in policy_of(actor.bank_id).required
    return "Your bank wants a second person for this." if required else ""
