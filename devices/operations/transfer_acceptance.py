"""How a transfer ends by itself: the new owner's code, the date, the clock."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Transfer
from devices.models.transfers import CODE_TRIES, TransferQuerySet
from devices.operations import severing
from devices.operations.transfer_notices import tell_that_it_ended
from devices.operations.transfer_steps import lock_transfer, record, step
from devices.operations.transfers import code_digest, expire, lock_offer
from devices.policies import transfers as policies
from devices.states import TransferState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound, VerificationFailed
from portal.crypto.codes import same

BATCH: Final = 200  # rows of one sweep; the next goes on

log = logging.getLogger(__name__)


def accept_transfer(*, actor: Actor, transfer_id: str, acceptance_code: str, acceptor_id: str = "") -> Transfer:
    """Take a device over with the code that was sent: the new owner only.

    It changes hands at once, or, when its date lies ahead, on that date (state ACCEPTED). transfer_id: `TRF_…`.
    acceptance_code: eight digits; the fifth wrong one ends the transfer. acceptor_id: a claim, "" makes none.
    A repeat is a Conflict. Raises Forbidden, NotFound, Expired, InvalidState, Conflict `already-accepted`, and
    VerificationFailed `acceptance-code-wrong`; the failed attempt is then counted and written down.
    """
    with transaction.atomic(durable=True):
        transfer = lock_offer(actor, transfer_id, acceptor_id)
        policies.accept(actor, transfer).require()
        policies.hand_over(transfer, transfer.device).require()
        right = same(code_digest(transfer, acceptance_code), transfer.code_digest)
        if right:
            _take_over(actor, transfer)
        else:
            _count(actor, transfer)
    if not right:
        raise _refused(transfer)
    return transfer


@dataclass(frozen=True)
class Swept:
    """What a sweep did."""

    completed: int
    expired: int


def sweep_transfers() -> Swept:
    """Complete what is due and close what lapsed, each in a transaction of its own. A repeat finds none.

    One transfer that fails is logged and does not stop the others.
    """
    completed = _each(Transfer.objects.due().order_by("effective_at"), _complete_due)
    expired = _each(Transfer.objects.lapsed().order_by("expires_at"), _expire_lapsed)
    return Swept(completed, expired)


def _take_over(actor: Actor, transfer: Transfer) -> None:
    if transfer.waits_for_date:
        step(actor, transfer, TransferState.ACCEPTED, accepted_at=clock.now())
        return
    transfer.accepted_at = clock.now()
    record(actor, Event.TRANSFER_ACCEPTED, transfer, TransferState.APPROVED)
    severing.complete(actor, transfer)


def _count(actor: Actor, transfer: Transfer) -> None:
    """Count a wrong code and write it down; the caller commits that before it raises."""
    transfer.tries += 1
    transfer.save(update_fields=["tries"])
    details = {"transfer": transfer.public_id, "tries": transfer.tries}
    code, device = "acceptance-code-wrong", transfer.device
    audit.record_refusal(actor, Event.TRANSFER_CODE_REFUSED, device, code=code, details=details)
    if transfer.tries >= CODE_TRIES:
        reason = "Too many wrong acceptance codes."
        step(actor, transfer, TransferState.CANCELLED, reason, end_reason=reason)
        tell_that_it_ended(transfer)


def _refused(transfer: Transfer) -> VerificationFailed:
    left = CODE_TRIES - transfer.tries
    message = "The acceptance code is not right." if left else "The acceptance code is not right. The transfer ended."
    error = VerificationFailed(message, code="acceptance-code-wrong", tries_left=left)
    error.audited = True
    return error


def _each(rows: TransferQuerySet, settle: Callable[[UUID], bool]) -> int:
    done = 0
    for key in list(rows.values_list("pk", flat=True)[:BATCH]):
        try:
            done += settle(key)
        except Exception:  # whatever it was: the row is still there for the next sweep
            log.exception("a transfer could not be settled", extra={"transfer": str(key)})
    return done


@transaction.atomic
def _complete_due(key: UUID) -> bool:
    if (transfer := _still(Transfer.objects.due(), key)) is None:
        return False
    actor = Actor.system("transfers.sweep", bank_id=transfer.bank_id)
    if policies.hand_over(transfer, transfer.device).allowed:
        severing.complete(actor, transfer)
        return True
    reason = "The device could not change hands on the date."
    step(actor, transfer, TransferState.CANCELLED, reason, end_reason=reason)
    tell_that_it_ended(transfer)
    return False


@transaction.atomic
def _expire_lapsed(key: UUID) -> bool:
    if (transfer := _still(Transfer.objects.lapsed(), key)) is None:
        return False
    expire(Actor.system("transfers.sweep", bank_id=transfer.bank_id), transfer)
    return True


def _still(rows: TransferQuerySet, key: UUID) -> Transfer | None:
    """The transfer with its device locked, unless somebody moved it on meanwhile."""
    try:
        return lock_transfer(rows, Transfer(pk=key).public_id)
    except NotFound:
        return None
