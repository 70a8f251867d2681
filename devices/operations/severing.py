"""Completing a transfer: the device changes hands, and nothing of the old owner survives on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.models import PUSH_FIELDS, Device, Transfer
from devices.operations import cascade
from devices.operations.cascade import Cut
from devices.operations.transfer_notices import tell
from devices.operations.transfer_steps import move, record
from devices.states import TransferState
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor

# What a person leaves in the device's own row, besides the push handle: for one, for many.
TRACES: Final = {
    "nickname": ("nickname is forgotten", "nicknames are forgotten"),
    "installation_id": ("installation id is forgotten", "installation ids are forgotten"),
    "language": ("language is forgotten", "languages are forgotten"),
    "last_activity_at": ("time of last use is forgotten", "times of last use are forgotten"),
}
_ROW: Final = (*PUSH_FIELDS, *TRACES, "nickname_key", "owner", "updated_at")


@dataclass(frozen=True)
class Severed:
    """How many of each kind of the old owner's things end (or ended), counted the same way before and after."""

    ending: cascade.Ending
    traces: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        return {**self.ending.counts, **self.traces}

    @property
    def lines(self) -> list[tuple[int, str]]:
        """For people: `(1, "nickname is forgotten")`; sessions always, the rest where there is any."""
        traces = [(count, TRACES[name][count != 1]) for name, count in self.traces.items() if count]
        return [*self.ending.lines, *traces]


def lines_of(counts: Mapping[str, int]) -> list[tuple[int, str]]:
    """The same out of `counts` as the audit log keeps them."""
    traces = {name: counts[name] for name in TRACES if name in counts}
    return Severed(cascade.Ending({"sessions": 0, **counts}), traces).lines


def preview(device: Device) -> Severed:
    """What would end if the device changed hands now. Changes nothing."""
    return Severed(cascade.preview(device, Cut.MOVED), _traces(device))


def complete(actor: Actor, transfer: Transfer) -> Severed:
    """Hand the device over, inside the caller's transaction and under its lock on the device.

    The caller has asked `policies.transfers.hand_over`, and set when it was accepted. The device keeps its
    identifier and stays active; its new owner enrols a key and sets a PIN anew.
    """
    device, now = transfer.device, clock.now()
    severed = Severed(cascade.end_access(actor, device, Cut.MOVED), _traces(device))
    _forget(device)
    device.owner = transfer.new_owner
    device.updated_at = now
    device.save(update_fields=_ROW)
    before = move(transfer, TransferState.COMPLETED, accepted_at=transfer.accepted_at, completed_at=now)
    record(actor, Event.TRANSFER_COMPLETED, transfer, before, moved=True, details={"ended": severed.counts})
    tell(transfer.old_owner, "given", transfer)
    tell(transfer.new_owner, "received", transfer)
    return severed


def _traces(device: Device) -> dict[str, int]:
    return {name: int(bool(getattr(device, name))) for name in TRACES}


def _forget(device: Device) -> None:
    device.set_nickname("")
    device.installation_id = device.language = ""
    device.last_activity_at = None
