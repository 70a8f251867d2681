"""Letting a new authority take an old one's place: the old one goes on answering for what it issued.

Old and new change places in one transaction, so there is always exactly one that issues.
"""

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from pki.models import CertificateAuthority, CertificatePolicy, RollOver
from pki.operations.authority_making import AuthorityFacts, make_authority, store_authority
from pki.operations.roll_over import JOB
from pki.states import CaRole, CaState, RollOverState
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, InvalidInput, InvalidState

CLAIM: Final = timedelta(minutes=5)  # far above what an RSA key in a slow token takes
FIRST_PAUSE: Final = timedelta(minutes=1)
MOST_TRIES: Final = 10  # with doubled pauses: over eight hours

log = logging.getLogger(__name__)


def carry_out(roll_over_id: UUID | str) -> bool:
    """Make the ordered authority and let it take the old one's place. The worker's work; not inside a transaction.

    Of many calls at once one does it. What does not work now is tried again later; what never will is given up, and
    staff see why. Returns whether this call did it.
    """
    claimed = _claim(roll_over_id)
    if claimed is None:
        return False
    roll_over, until = claimed
    actor = Actor.system(JOB, bank_id=roll_over.bank_id)
    policy = CertificatePolicy.objects.get(bank_id=roll_over.bank_id)
    facts = AuthorityFacts(
        name=roll_over.name,
        country=policy.country,
        organisation=policy.organisation,
        key=roll_over.key,
        keystore=roll_over.keystore,
    )
    root = CertificateAuthority.objects.filter(role=CaRole.ROOT, state=CaState.ACTIVE).first()
    try:
        made = make_authority(actor, facts, bank=roll_over.bank, parent=root or _no_root())
        _take_over(actor, roll_over.pk, until, made, facts)
    except (InvalidInput, InvalidState, Conflict) as refused:
        _give_up(actor, roll_over.pk, until, refused)
        return False
    except Exception as error:
        log.exception("a roll-over did not work", extra={"authority": roll_over.old.name})
        _try_later(actor, roll_over.pk, until, error)
        return False
    return True


def sweep() -> int:
    """Carry out what nobody heard of or what did not work before. Returns how many were carried out."""
    now = clock.now()
    due = RollOver.objects.filter(state=RollOverState.WAITING, next_try_at__lte=now).filter(_unclaimed(now))
    return sum(carry_out(pk) for pk in due.order_by("next_try_at").values_list("pk", flat=True)[:20])


def _unclaimed(now: datetime) -> Q:
    return Q(claim_until=None) | Q(claim_until__lte=now)


def _claim(roll_over_id: UUID | str) -> tuple[RollOver, datetime] | None:
    now = clock.now()
    until = now + CLAIM
    waiting = RollOver.objects.filter(pk=roll_over_id, state=RollOverState.WAITING)
    if not waiting.filter(_unclaimed(now)).update(claim_until=until):
        return None
    return RollOver.objects.select_related("old", "bank").get(pk=roll_over_id), until


def _no_root() -> CertificateAuthority:
    raise InvalidState("There is no root that signs.", code="root-needed")


@transaction.atomic(durable=True)
def _take_over(
    actor: Actor, roll_over_id: UUID, until: datetime, new: CertificateAuthority, facts: AuthorityFacts
) -> None:
    roll_over = _held(roll_over_id, until)
    if roll_over is None:
        raise Conflict("Another worker has taken this over.", code="claim-lost")
    old = CertificateAuthority.objects.select_for_update(of=("self",)).get(pk=roll_over.old_id)
    if old.state != CaState.ACTIVE:
        raise InvalidState("The authority issues nothing any more.", code="authority-not-active")
    before = old.move_to(CaState.RETIRING)
    old.save(update_fields=["state"])
    new.paused_at, new.rotation_rate = old.paused_at, old.rotation_rate
    store_authority(actor, new, facts)
    audit.record(
        actor,
        Event.CA_RETIRED,
        old,
        before={"state": before.value},
        after={"state": old.state},
        details={"successor": new.public_id, "successor_name": new.name},
    )
    _close(roll_over, RollOverState.DONE, new=new)


@transaction.atomic
def _give_up(actor: Actor, roll_over_id: UUID, until: datetime, refused: DomainError) -> None:
    roll_over = _held(roll_over_id, until)
    if roll_over is None:
        return
    _close(roll_over, RollOverState.FAILED, reason=refused.message)
    audit.record(actor, Event.CA_ROLL_OVER_FAILED, roll_over.old, reason=refused.message[:500])


@transaction.atomic
def _try_later(actor: Actor, roll_over_id: UUID, until: datetime, error: Exception) -> None:
    roll_over = _held(roll_over_id, until)
    if roll_over is None:
        return
    known = error.message if isinstance(error, DomainError) else "Something broke; the log says what."
    if roll_over.tries + 1 >= MOST_TRIES:
        _close(roll_over, RollOverState.FAILED, reason=known)
        audit.record(actor, Event.CA_ROLL_OVER_FAILED, roll_over.old, reason=known[:500])
        return
    roll_over.next_try_at = clock.now() + FIRST_PAUSE * 2**roll_over.tries
    roll_over.tries += 1
    roll_over.last_reason, roll_over.claim_until = known[:200], None
    roll_over.save(update_fields=["next_try_at", "tries", "last_reason", "claim_until"])


def _held(roll_over_id: UUID, until: datetime) -> RollOver | None:
    """The order, locked, while this worker's claim on it lasts."""
    rows = RollOver.objects.select_for_update(of=("self",)).select_related("old")
    return rows.filter(pk=roll_over_id, state=RollOverState.WAITING, claim_until=until).first()


def _close(
    roll_over: RollOver, state: RollOverState, *, new: CertificateAuthority | None = None, reason: str = ""
) -> None:
    roll_over.move_to(state)
    roll_over.new, roll_over.closed_at = new, clock.now()
    roll_over.last_reason, roll_over.claim_until = reason[:200], None
    roll_over.save(update_fields=["state", "new", "closed_at", "last_reason", "claim_until"])
