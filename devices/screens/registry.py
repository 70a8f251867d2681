"""Devices as the portal's pages show them: plain values, and the steps staff take, with what stands in the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from django.urls import reverse

from devices import policies, queries
from devices.models import Device, ExternalIdKind, Kind
from devices.operations.activation import Change, activate_device, block_device, deactivate_device
from devices.policies.bulk import is_so
from devices.policies.verdicts import Verdict
from devices.states import Category, DeviceStatus, Enrollment, HeldBy
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


def row(device: Device) -> dict[str, object]:
    """A device for a list."""
    return {
        "url": reverse("devices:detail", args=[device.pk]),
        "name": name_of(device),
        "public_id": device.public_id,
        "kind": device.kind,
        "kind_label": Kind(device.kind).label,
        "platform": device.operating_system,
        "owner": device.owner.name,
        "owner_url": reverse("customers:detail", args=[device.owner_id]),
        "customer_number": device.owner.customer_number,
        "last_four": device.external_id_last4,
        "status": device.status,
        "lost": is_lost(device),
        "last_activity_at": device.last_activity_at,
    }


def facts(device: Device) -> dict[str, object]:
    """A device for its own page. Sealed identifiers stay sealed: staff see the last four."""
    return row(device) | {
        "uuid": str(device.pk),
        "is_owned": device.category == Category.OWNED,
        "category_label": Category(device.category).label,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "os": device.operating_system,
        "app_version": device.app_version,
        "nickname": device.nickname,
        "identifier_kind_label": ExternalIdKind(device.external_id_kind).label if device.external_id_kind else "",
        "registered_at": device.registered_at,
        "status_since": status_since(device),
        "held_by": HeldBy(device.held_by).label.lower() if device.held_by else "",
    }


def owner(device: Device) -> dict[str, object]:
    person = device.owner
    return {
        "url": reverse("customers:detail", args=[person.pk]),
        "name": person.name,
        "customer_number": person.customer_number,
        "public_id": person.public_id,
    }


def is_lost(device: Device) -> bool:
    """Whether it is reported lost now; a device that was retired since is only retired."""
    return device.lost_at is not None and device.status == DeviceStatus.BLOCKED


def name_of(device: Device) -> str:
    """What people call it: model, else kind."""
    return device.model or Kind(device.kind).label


def status_since(device: Device) -> datetime | None:
    """When the device came into its present state."""
    if is_lost(device):
        return device.lost_at
    times = {
        DeviceStatus.PENDING: device.registered_at,
        DeviceStatus.ACTIVE: device.activated_at,
        DeviceStatus.RETIRED: device.retired_at,
    }
    return times.get(DeviceStatus(device.status), device.switched_off_at)


def posture(device: Device) -> list[dict[str, object]]:
    """The posture line by line; `good` is None where there is nothing to judge."""
    found = queries.posture_of(device)
    return [
        {
            "label": "May use banking services",
            "good": device.is_active,
            "note": "" if device.is_active else "Only active devices may",
        },
        {
            "label": "Enrolled",
            "good": found.enrollment_status == Enrollment.ENROLLED,
            "note": found.enrollment_status.label,
        },
        {
            "label": "Push messages",
            "good": bool(device.push_platform),
            "note": device.get_push_platform_display() if device.push_platform else "No push handle is registered",
        },
    ]


def keys(device: Device) -> list[dict[str, object]]:
    """Its keys by fingerprint, the one in use first."""
    names = {"p256": "ECDSA P-256", "ed25519": "Ed25519"}
    found = sorted(device.keys.all(), key=lambda key: key.registered_at, reverse=True)
    rows: list[dict[str, object]] = [
        {
            "algorithm": names.get(key.algorithm, key.algorithm),
            "fingerprint": key.fingerprint,
            "since": key.registered_at,
            "proved": key.proved_at is not None,
            "retired_at": key.retired_at,
        }
        for key in found
    ]
    return sorted(rows, key=lambda entry: entry["retired_at"] is not None)


def sessions(device: Device) -> list[dict[str, object]]:
    """The live tokens bound to it."""
    return [
        {
            "client": token.application.name if token.application else "Own token",
            "started_at": token.created,
            "expires_at": token.expires,
        }
        for token in queries.live_sessions_of(device)
    ]


def steps(actor: Actor, device: Device, waiting: Sequence[Mapping[str, object]] = ()) -> list[dict[str, object]]:
    """The steps that would change something, each with the policy's verdict. A retired device has none.

    waiting: what waits for a second person at the device; it is not offered again. A lost device is not activated.
    """
    if device.status == DeviceStatus.RETIRED:
        return []
    asked = {entry["label"] for entry in waiting}
    required = policy_of(actor.bank_id).required
    return [
        offer(step, step.policy(actor, device), device, by_policy=step.asks_as in required)
        for step in STEPS
        if not step.has_happened(device)
        and not (device.lost_at and step.target == DeviceStatus.ACTIVE)
        and not (step.asks_as and label_of(step.asks_as) in asked)
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
