"""The work of a change of keys: small steps, each whole in the database, so that it may be killed at any moment."""

import logging
import time
from datetime import timedelta
from typing import Final

from django.db import OperationalError, transaction
from django.db.models import Q

from portal import sealed, vault
from portal.core import clock
from portal.keys import batches
from portal.keys.change import moved
from portal.keys.models import KeyChange, KeyStep, Phase, StepKind
from portal.keys.older import open_transactions
from portal.keys.rings import index_ring
from portal.keys.standing import left_over

SLICE: Final = 5.0  # seconds of one task; then others have their turn
CLAIM: Final = timedelta(seconds=30)  # a worker that is not heard of for so long has died
AGAIN: Final = timedelta(minutes=5)  # how long a change that is stuck rests
NO_REST: Final = timedelta(0)
REST: Final = 0.05  # seconds to wait for somebody who is in the way
ROUNDS: Final = 20  # passes over one column; whoever still writes under the old key then needs a person
NEXT: Final = {Phase.FILL: Phase.SWITCHING, Phase.MOVE: Phase.SEAL, Phase.SEAL: Phase.CHECK}

log = logging.getLogger(__name__)


def open_change() -> KeyChange | None:
    return KeyChange.objects.filter(done_at=None).first()


def work(seconds: float = SLICE) -> bool:
    """Work on the open change for about so long, unless somebody else does. Returns whether work is left for us."""
    now = clock.now()
    free = Q(worker_until=None) | Q(worker_until__lte=now)
    if not KeyChange.objects.filter(free, done_at=None).update(worker_until=now + CLAIM):
        return False
    try:
        return run(seconds)
    finally:
        KeyChange.objects.filter(done_at=None).update(worker_until=None)


def run(seconds: float) -> bool:
    """Work without a claim. Several may at once: each batch is done by one of them. Returns whether work is left."""
    end = time.monotonic() + seconds
    while (change := open_change()) is not None:
        began = time.monotonic()
        if change.note or not fits(change):
            return False
        if began > end:
            return True
        try:
            advanced = step(change)
        except OperationalError as error:  # a lock took too long, or the connection went
            log.warning("key change batch refused", extra={"reason": type(error).__name__})
            advanced = False
        took = time.monotonic() - began
        time.sleep(min(took, REST) if advanced else REST)  # who waits for the database comes in between
    return False


def fits(change: KeyChange) -> bool:
    """Whether this process has the rings that the change is about: one that was not started anew has not."""
    seals = not change.sealing_key or vault.current_key() == change.sealing_key
    return seals and (not change.index_key or change.index_key in index_ring())


def retry(rested: timedelta = AGAIN) -> None:
    """Give a change that is stuck, and has rested so long, one more pass over what is left."""
    with transaction.atomic():
        stuck = KeyChange.objects.filter(done_at=None, worked_at__lte=clock.now() - rested).exclude(note="")
        if stuck.update(note="", worked_at=clock.now()):
            KeyStep.objects.filter(change__done_at=None, round__gte=ROUNDS).update(round=ROUNDS - 1)


def step(change: KeyChange) -> bool:
    """One small step. Returns False when somebody else has to come to an end first."""
    phase = Phase(change.phase)
    if phase in (Phase.STARTING, Phase.SWITCHING):
        following = Phase.FILL if phase == Phase.STARTING else Phase.MOVE
        return _older_ended(change) and moved(change, following)
    if phase == Phase.CHECK:  # what an older transaction wrote is counted, too
        return _older_ended(change) and _checked(change)
    found = change.steps.filter(kind=phase, done=False).order_by("pk").first()
    if found is None:
        return moved(change, NEXT[phase])
    done = _batch(change, found)
    now = clock.now()
    KeyChange.objects.filter(pk=change.pk, done_at=None).update(worked_at=now, worker_until=now + CLAIM)
    return not done.blocked


def _batch(change: KeyChange, found: KeyStep) -> batches.Batch:
    if found.kind == StepKind.SEAL:
        return batches.seal_batch(change, found, {one.place: one for one in sealed.columns()}[found.place])
    return batches.index_batch(change, found, {one.place: one for one in sealed.indexes()}[found.place])


def _older_ended(change: KeyChange) -> bool:
    """Whether no transaction runs any more that began before this phase did."""
    still = open_transactions()
    if change.waits_for is not None:
        still = sorted(set(still) & set(change.waits_for))
    if still:
        KeyChange.objects.filter(pk=change.pk, phase=change.phase).update(waits_for=still)
    return not still


def _checked(change: KeyChange) -> bool:
    """Done, when only broken rows are left; else once more over the columns where something is.

    What is under a sealing key, the texts say. What an index is under, nobody sees: only a pass that made every
    digest anew and had nothing to change has shown it.
    """
    again = [found for found in change.steps.exclude(kind=StepKind.FILL) if _unfinished(change, found)]
    if not again:
        return moved(change, Phase.DONE)
    if any(found.round >= ROUNDS for found in again):
        places = ", ".join(found.place for found in again)
        note = f"Somebody still writes under an old key: {places}. Have all nodes the same rings?"
        KeyChange.objects.filter(pk=change.pk).update(note=note[:300], worked_at=clock.now())
        return False
    with transaction.atomic():
        back = Phase.MOVE if any(found.kind == StepKind.MOVE for found in again) else Phase.SEAL
        if not moved(change, back):
            return False
        for found in again:
            KeyStep.objects.filter(pk=found.pk, round=found.round).update(
                round=found.round + 1, cursor="", passed=0, changed=0, broken=0, broken_rows=[], done=False
            )
    return True


def _unfinished(change: KeyChange, found: KeyStep) -> bool:
    if found.kind == StepKind.MOVE:
        return found.changed > 0
    return left_over({one.place: one for one in sealed.columns()}[found.place], change.sealing_key) > found.broken
