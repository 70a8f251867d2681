"""Asking for a transfer, deciding on it, calling it off. `transfer_acceptance` is the rest of its life."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from devices.models import Device, Transfer
from devices.operations.facts import check_text
from devices.operations.transfer_notices import send_code, tell, tell_that_it_ended
from devices.operations.transfer_steps import lock_transfer, record, step
from devices.policies import transfers as policies
from devices.states import TransferState
from portal import vault
from portal.accounts.models import User
from portal.accounts.operations.second_factor import Verified, require_fresh
from portal.accounts.queries import claimed_customer
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from portal.crypto.codes import new_digits

APPROVAL_TIME: Final = timedelta(days=7)  # our own policy: afterwards the owner asks anew
ACCEPTANCE_TIME: Final = timedelta(hours=72)  # our own policy: a code that lies about is a risk
FARTHEST_DATE: Final = timedelta(days=365)  # our own policy
CODE_DIGITS: Final = 8  # promise C5


@transaction.atomic
def request_transfer(
    *,
    actor: Actor,
    device_id: str,
    new_owner_id: str,
    reason: str,
    current_owner_id: str = "",
    effective_date: datetime | None = None,
) -> Transfer:
    """Ask for a device to change hands. It waits for the bank's approval, seven days at most.

    device_id: any of its ids; only phones and the like, never what the bank issued. new_owner_id: `USR_…`, from staff
    also the bank's number; a customer of the same bank. reason: 1 to 500 characters. current_owner_id: a claim, as
    `claimed_customer` takes it; "" makes none. effective_date: when it changes hands at the earliest; None and a
    date in the past mean at once, once it is accepted. Raises InvalidInput (also `same-owner`), Forbidden, NotFound,
    InvalidState `device-not-active`, and Conflict `transfer-open` for a repeat.
    """
    policies.may_request(actor).require()
    reason = check_text("reason", reason, required=True)
    effective_at = _effective(effective_date)
    claimed = claimed_customer(actor, current_owner_id) if current_owner_id else None
    device = Device.objects.visible_to(actor).owned().select_related("owner").for_change(device_id, actor.bank_id)
    if claimed is not None and claimed.pk != device.owner_id:
        raise Forbidden("The device is not this customer's.", code="identity-mismatch")
    new_owner = _new_owner(actor, device, new_owner_id)
    policies.request(actor, device).require()
    _require_none_open(device)
    now = clock.now()
    transfer = Transfer(
        bank_id=device.bank_id,
        device=device,
        old_owner=device.owner,
        new_owner=new_owner,
        reason=reason,
        effective_at=effective_at,
        requested_by_id=actor.user_id if actor.is_staff else None,
        requested_at=now,
        expires_at=now + APPROVAL_TIME,
    )
    transfer.save(force_insert=True)
    details = {
        "old_owner": device.owner.public_id,
        "new_owner": new_owner.public_id,
        "effective_at": effective_at or "at once",
    }
    record(actor, Event.TRANSFER_REQUESTED, transfer, None, reason, details=details)
    tell(device.owner, "requested", transfer)
    return transfer


@transaction.atomic
def approve_transfer(*, actor: Actor, transfer_id: str, reason: str = "", proof: Verified | None) -> Transfer:
    """Approve a transfer, and send its acceptance code to the new owner's contact on file. The code lives 72 hours.

    transfer_id: `TRF_…`. reason: up to 500 characters. proof: the approver's second factor of the last five minutes.
    Raises Forbidden (`capability-missing`, `second-factor-needed`, `maker-is-checker`), NotFound, Expired,
    InvalidState, Conflict (`already-decided`, also for a repeat; `no-contact`).
    """
    transfer, reason = _to_decide(actor, transfer_id, reason, proof, required=False)
    policies.hand_over(transfer, transfer.device).require()
    now, code = clock.now(), new_digits(CODE_DIGITS)
    transfer.expires_at = now + ACCEPTANCE_TIME
    if not send_code(transfer, code):
        raise Conflict("The new owner has neither a phone number nor an e-mail address on file.", code="no-contact")
    step(
        actor,
        transfer,
        TransferState.APPROVED,
        reason,
        decided_by_id=actor.user_id,
        decided_at=now,
        expires_at=transfer.expires_at,
        code_digest=code_digest(transfer, code),
    )
    return transfer


@transaction.atomic
def reject_transfer(*, actor: Actor, transfer_id: str, reason: str, proof: Verified | None) -> Transfer:
    """Reject a transfer; the device stays where it is. reason: 1 to 500 characters. Raises as `approve_transfer`."""
    transfer, reason = _to_decide(actor, transfer_id, reason, proof, required=True)
    by_whom = {"decided_by_id": actor.user_id, "decided_at": clock.now()}
    step(actor, transfer, TransferState.REJECTED, reason, **by_whom, end_reason=reason)
    tell_that_it_ended(transfer)
    return transfer


@transaction.atomic
def cancel_transfer(*, actor: Actor, transfer_id: str, reason: str = "") -> Transfer:
    """Call an open transfer off: its old owner, or staff on the owner's behalf. One that is cancelled stays so.

    transfer_id: `TRF_…`. reason: up to 500 characters; staff must give one. The code is void from then on. Raises
    Forbidden, NotFound, InvalidInput, InvalidState, Expired.
    """
    policies.may_cancel(actor).require()
    reason = check_text("reason", reason, required=actor.is_staff)
    rows = Transfer.objects.visible_to(actor)
    if actor.is_customer:
        rows = rows.filter(old_owner_id=actor.user_id)
    transfer = lock_transfer(rows, transfer_id)
    policies.cancel(actor, transfer).require()
    if transfer.state == TransferState.CANCELLED:
        return transfer
    step(actor, transfer, TransferState.CANCELLED, reason, end_reason=reason)
    tell_that_it_ended(transfer)
    return transfer


@transaction.atomic
def decline_transfer(*, actor: Actor, transfer_id: str, acceptor_id: str = "") -> Transfer:
    """Turn an offered device down: the new owner only, instead of typing the code. A repeat is a Conflict.

    Raises Forbidden, NotFound, Expired, InvalidState, Conflict `already-accepted`.
    """
    transfer = lock_offer(actor, transfer_id, acceptor_id)
    policies.accept(actor, transfer).require()
    reason = "The new owner declined."
    step(actor, transfer, TransferState.REJECTED, reason, end_reason=reason)
    tell_that_it_ended(transfer)
    return transfer


def lock_offer(actor: Actor, transfer_id: str, acceptor_id: str) -> Transfer:
    """The transfer that is offered to this customer, locked. To everybody else there is none: NotFound.

    acceptor_id: a claim, "" makes none. Raises Forbidden.
    """
    policies.may_accept(actor).require()
    if acceptor_id:
        claimed_customer(actor, acceptor_id)
    return lock_transfer(Transfer.objects.visible_to(actor).filter(new_owner_id=actor.user_id), transfer_id)


def code_digest(transfer: Transfer, code: str) -> str:
    """What the database keeps of an acceptance code: nobody without the key can try out the 10^8 others."""
    return vault.digest("transfer.code", transfer.pk, code)


def expire(actor: Actor, transfer: Transfer) -> None:
    """Close a transfer whose time ran out, under the lock on its device."""
    step(actor, transfer, TransferState.EXPIRED, end_reason="Nobody went on with it in time.")
    tell_that_it_ended(transfer)


def _effective(date: datetime | None) -> datetime | None:
    now = clock.now()
    if date is not None and date > now + FARTHEST_DATE:
        raise InvalidInput.at("effective_date", "out-of-range", "This is at most 365 days ahead.")
    return date if date is not None and date > now else None


def _new_owner(actor: Actor, device: Device, text: str) -> User:
    """A customer names the new owner by `USR_…` only: guessing the bank's numbers would tell who is a customer."""
    people = User.objects.filter(bank_id=device.bank_id, is_active=True)
    if actor.is_customer and User.id_from(text) is None:
        raise NotFound("There is no such customer.")
    person = people.named(text)
    if person.pk == device.owner_id:
        message = "The device is this customer's already."
        problem = FieldProblem("new_owner_id", "same-owner", message)
        raise InvalidInput(message, code="same-owner", fields=(problem,))
    return person


def _require_none_open(device: Device) -> None:
    """One that nobody went on with in time does not stand in the way of a new one."""
    open_one = Transfer.objects.open().filter(device=device).select_related("old_owner", "new_owner").first()
    if open_one is None:
        return
    if open_one.has_lapsed:
        open_one.device = device
        expire(Actor.system("transfers.sweep", bank_id=device.bank_id), open_one)
        return
    raise Conflict("A transfer of this device is on its way.", code="transfer-open", transfer=open_one.public_id)


def _to_decide(
    actor: Actor, transfer_id: str, reason: str, proof: Verified | None, *, required: bool
) -> tuple[Transfer, str]:
    policies.may_decide(actor).require()
    require_fresh(actor, proof)
    reason = check_text("reason", reason, required=required)
    transfer = lock_transfer(Transfer.objects.visible_to(actor), transfer_id)
    policies.decide(actor, transfer).require()
    return transfer, reason
