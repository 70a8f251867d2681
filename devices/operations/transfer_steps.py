"""What every step of a transfer does: lock, move, write down."""

from collections.abc import Mapping
from typing import Final

from devices.models import Device, Transfer
from devices.models.transfers import TransferQuerySet
from devices.states import TRANSFER_OPEN, TransferState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, NotFound

_EVENTS: Final = {
    TransferState.APPROVED: Event.TRANSFER_APPROVED,
    TransferState.ACCEPTED: Event.TRANSFER_ACCEPTED,
    TransferState.REJECTED: Event.TRANSFER_REJECTED,
    TransferState.CANCELLED: Event.TRANSFER_CANCELLED,
    TransferState.EXPIRED: Event.TRANSFER_EXPIRED,
}


def lock_transfer(rows: TransferQuerySet, transfer_id: str) -> Transfer:
    """The transfer that `TRF_…` names among `rows`, with its device locked: the device always comes first.

    It is read under that lock, so what it says holds until the transaction ends. Raises NotFound.
    """
    wanted = rows.named(transfer_id)
    device_id = wanted.values_list("device_id", flat=True).first()
    device = Device.objects.select_for_update(of=("self",)).filter(pk=device_id).first() if device_id else None
    transfer = wanted.select_related("old_owner", "new_owner").first()
    if transfer is None or device is None:
        raise NotFound("There is no such transfer.")
    transfer.device = device
    return transfer


def move(transfer: Transfer, state: TransferState, **changes: object) -> TransferState:
    """Go to a state and save it with what else changes; closed states get their time. Returns the state before.

    The conditional UPDATE has the last word. Raises InvalidState, Conflict.
    """
    before = transfer.move_to(state)
    if state not in TRANSFER_OPEN:
        changes["closed_at"] = clock.now()
    for name, value in changes.items():
        setattr(transfer, name, value)
    if not Transfer.objects.filter(pk=transfer.pk, state=before).update(state=state, **changes):
        raise Conflict("Somebody else was faster.", code="already-decided")
    return before


def step(actor: Actor, transfer: Transfer, state: TransferState, reason: str = "", **changes: object) -> None:
    """Move to any state but COMPLETED, and write the event."""
    before = move(transfer, state, **changes)
    record(actor, _EVENTS[state], transfer, before, reason)


def record(
    actor: Actor,
    event: Event,
    transfer: Transfer,
    before: TransferState | None,
    reason: str = "",
    *,
    moved: bool = False,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write an event about the device, so that its timeline tells the whole story. The transfer is in the details.

    before: the state before; the present one for a step that leaves it. moved: whether the owner is another one from
    now on.
    """
    old = {"transfer_state": before.value} if before and before != transfer.state else {}
    new = {"transfer_state": transfer.state} if before != transfer.state else {}
    if moved:
        old["owner"], new["owner"] = transfer.old_owner.name, transfer.new_owner.name
    audit.record(
        actor,
        event,
        transfer.device,
        before=old or None,
        after=new or None,
        reason=reason,
        details={"transfer": transfer.public_id, **(details or {})},
    )
