"""Who may do what in a transfer. `may_…` asks about the actor alone, before anything is looked up."""

from devices.models import Device, Transfer
from devices.policies.verdicts import YES, Verdict, capability_of, first_no
from devices.states import DeviceStatus, TransferState
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import Conflict, Expired, Forbidden, InvalidState

_OVER = {
    TransferState.PENDING_APPROVAL: "The bank has not approved this transfer yet.",
    TransferState.COMPLETED: "This transfer is completed.",
    TransferState.REJECTED: "This transfer was rejected.",
    TransferState.CANCELLED: "This transfer was cancelled.",
}


def _not_in(transfer: Transfer) -> Verdict:
    """No, because of the state it is in."""
    message = _OVER.get(TransferState(transfer.state), "This transfer is not in a state that allows this.")
    return Verdict(InvalidState(message, code="transfer-state-not-valid", state=transfer.state))


def _in_time(transfer: Transfer) -> Verdict:
    if not transfer.has_lapsed:
        return YES
    return Verdict(Expired("The time for this transfer has run out. Ask for it anew.", code="transfer-expired"))


def _by_staff(actor: Actor, capability: Capability) -> Verdict:
    if actor.is_staff:
        return capability_of(actor, capability)
    return Verdict(Forbidden("A bank's server moves no devices.", code="cannot-transfer"))


def may_request(actor: Actor) -> Verdict:
    """Owners ask for themselves, staff on an owner's behalf."""
    return YES if actor.is_customer or actor.is_system else _by_staff(actor, Capability.TRANSFERS_REQUEST)


def request(actor: Actor, device: Device) -> Verdict:
    """An active device."""
    may = may_request(actor)
    if not may.allowed or device.status == DeviceStatus.ACTIVE:
        return may
    return Verdict(
        InvalidState("Only an active device can change hands.", code="device-not-active", status=device.status)
    )


def may_decide(actor: Actor) -> Verdict:
    """A person of the bank's staff."""
    if actor.user_id is None or not actor.is_staff:
        return Verdict(Forbidden("A person of the bank decides.", code="staff-only"))
    return capability_of(actor, Capability.TRANSFERS_DECIDE)


def decide(actor: Actor, transfer: Transfer) -> Verdict:
    """Nobody decides on what they asked for, through whichever door they asked. Each transfer is decided on once."""
    return first_no(may_decide(actor), _not_maker(actor, transfer), _undecided(transfer))


def _not_maker(actor: Actor, transfer: Transfer) -> Verdict:
    if actor.user_id != transfer.requested_by_id:
        return YES
    return Verdict(Forbidden("Whoever asked cannot decide. Somebody else has to.", code="maker-is-checker"))


def _undecided(transfer: Transfer) -> Verdict:
    if transfer.has_lapsed or transfer.state == TransferState.PENDING_APPROVAL:
        return _in_time(transfer)
    if transfer.decided_at is None:
        return _not_in(transfer)
    return Verdict(Conflict("This has been decided already.", code="already-decided", state=transfer.state))


def may_cancel(actor: Actor) -> Verdict:
    """Whoever may ask may call it off."""
    return may_request(actor)


def cancel(actor: Actor, transfer: Transfer) -> Verdict:
    """While it is open; one that is cancelled already stays so."""
    may = may_cancel(actor)
    if not may.allowed or transfer.is_open or transfer.state == TransferState.CANCELLED:
        return may
    return first_no(_in_time(transfer), _not_in(transfer))


def may_accept(actor: Actor) -> Verdict:
    """Nobody accepts for somebody else."""
    if actor.is_customer:
        return YES
    return Verdict(Forbidden("Only the new owner accepts or declines.", code="customer-only"))


def accept(actor: Actor, transfer: Transfer) -> Verdict:
    """A transfer that the bank approved, once and in time."""
    if transfer.state in {TransferState.ACCEPTED, TransferState.COMPLETED}:
        return Verdict(Conflict("This has been accepted already.", code="already-accepted", state=transfer.state))
    in_time = _in_time(transfer)
    if in_time.allowed and transfer.state != TransferState.APPROVED:
        return _not_in(transfer)
    return first_no(may_accept(actor), in_time)


def hand_over(transfer: Transfer, device: Device) -> Verdict:
    """A device that is still active and still the old owner's, to a customer who is still let in."""
    if device.owner_id == transfer.old_owner_id and device.is_active and transfer.new_owner.is_active:
        return YES
    return Verdict(InvalidState("This device cannot change hands any more.", code="device-not-active"))
