"""What ends when a device is switched off: one list, counted the same way in the preview and in the deed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices.models import Device
from portal.accounts.models import AccessToken
from portal.accounts.operations.tokens import end_tokens_of_device


@dataclass(frozen=True)
class Step:
    """One kind of thing that ends with a device's access.

    name: as it stands in the audit log and in counts. label: for people, for one and for many.
    count: how many would end now. end: ends them inside the caller's transaction and returns how many ended.
    """

    name: str
    label: tuple[str, str]
    count: Callable[[Device], int]
    end: Callable[[Device], int]


STEPS: Final = (
    Step(
        "sessions",
        ("open session is ended", "open sessions are ended"),
        count=lambda device: AccessToken.objects.live().filter(device=device).count(),
        end=lambda device: end_tokens_of_device(device.pk),
    ),
)


@dataclass(frozen=True)
class Ending:
    """How many of each kind end (or ended)."""

    counts: dict[str, int]

    @property
    def sessions(self) -> int:
        return self.counts["sessions"]

    @property
    def lines(self) -> list[tuple[int, str]]:
        """For people: `(2, "open sessions are ended")`."""
        return [(self.counts[step.name], step.label[self.counts[step.name] != 1]) for step in STEPS]


def preview(device: Device) -> Ending:
    """What would end if the device were switched off now. Changes nothing."""
    return Ending({step.name: step.count(device) for step in STEPS})


def end_access(device: Device) -> Ending:
    """End everything. Call it in the transaction that switches the device off, with the device's row locked."""
    return Ending({step.name: step.end(device) for step in STEPS})
