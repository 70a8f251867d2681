"""Lost devices as the portal's pages show them: the banner, and the steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.models import Device
from devices.operations.loss import Loss, report_lost, undo_loss
from devices.policies import loss as policies
from devices.policies.verdicts import Verdict
from devices.screens.registry import is_lost
from devices.screens.switching import offer
from devices.states import DeviceStatus
from portal.approvals.registry import label_of
from portal.core import clock
from portal.core.actor import Actor


@dataclass(frozen=True)
class Step:
    """Saying that a device is lost, or taking it back."""

    name: str
    label: str
    icon: str
    danger: bool
    meaning: str
    policy: Callable[[Actor, Device], Verdict]
    operation: Callable[..., Loss]


REPORT: Final = Step(
    "report-lost",
    "Report lost",
    "map-pin-off",
    True,
    "For a device that is lost or stolen. It is blocked at once, and everything that hangs on it ends. Its owner is "
    "told. Two people can undo the report for 24 hours; ended sessions and the PIN do not come back.",
    policies.report_lost,
    report_lost,
)
UNDO: Final = Step(
    "undo-loss",
    "Undo the loss report",
    "undo",
    False,
    "For a device that its owner has found again. It is as it was before the report, but signed out and without a "
    "PIN. What the bank had switched off before stays blocked. Its owner is told.",
    policies.undo_loss,
    undo_loss,
)


def steps(actor: Actor, device: Device, waiting: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """What staff may say now. A loss that waits to be undone, or cannot be undone any more, offers nothing."""
    if device.status == DeviceStatus.RETIRED:
        return []
    if not is_lost(device):
        return [offer(REPORT, REPORT.policy(actor, device), device)]
    verdict = UNDO.policy(actor, device)
    asked = label_of(policies.UNDO) in {entry["label"] for entry in waiting}
    return [] if asked or _is_final(device) else [offer(UNDO, verdict, device)]


def banner(device: Device) -> dict[str, object] | None:
    """Since when it is lost and until when that can be undone; None for a device that is not."""
    if not is_lost(device) or device.lost_at is None:
        return None
    return {"since": device.lost_at, "until": device.lost_at + policies.UNDO_WITHIN, "final": _is_final(device)}


def _is_final(device: Device) -> bool:
    return device.lost_at is not None and clock.now() >= device.lost_at + policies.UNDO_WITHIN
