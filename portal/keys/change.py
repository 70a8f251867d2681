"""Starting a change of keys, and taking it from phase to phase."""

from typing import Final

from django.db import IntegrityError, transaction

from portal import jobs, sealed
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, Forbidden, InvalidState
from portal.keys.models import KeyChange, KeyStep, Phase, StepKind
from portal.keys.standing import Standing, standing
from portal.models import IndexKeys

TASK: Final = "keys.work"


def start_change(*, actor: Actor) -> KeyChange:
    """Begin to bring everything under the first keys of the rings. The work is done by `engine.work`.

    Raises Forbidden for anybody but our own commands, Conflict `key-change-open` while another is on, InvalidState
    `key-missing` when something is under a key that is not in the ring, `nothing-to-change` when there is nothing.
    """
    if not actor.is_system:
        raise Forbidden("Keys are changed by whoever runs the servers: manage.py rotate_keys")
    found = standing()
    _require_work(found)
    try:
        with transaction.atomic():
            return _begun(actor, found)
    except IntegrityError:  # the slot: another was faster
        raise _open() from None


def _require_work(found: Standing) -> None:
    if found.change is not None:
        raise _open()
    if found.foreign:
        text = "These are under a key that is not in the ring; put it back (last in the list) first: "
        raise InvalidState(text + "; ".join(found.foreign), code="key-missing")
    if not found.seals and not found.indexes:
        text = "Everything is under the first key of each ring: there is nothing to change."
        raise InvalidState(text, code="nothing-to-change")


def _begun(actor: Actor, found: Standing) -> KeyChange:
    now = clock.now()
    change = KeyChange(
        sealing_key=found.sealing[0] if found.seals else "",
        index_key=found.index[0] if found.indexes else "",
        started_at=now,
        worked_at=now,
        phase=Phase.STARTING if found.indexes else Phase.SEAL,
    )
    change.save(force_insert=True)
    KeyStep.objects.bulk_create(_steps(change))
    if change.index_key:
        IndexKeys.objects.update_or_create(pk=1, defaults={"now": found.index_now, "next": change.index_key})
    details = {"sealing_key": change.sealing_key, "index_key": change.index_key}
    audit.record(actor, Event.KEYS_STARTED, change, details=details)
    jobs.ring(TASK, change.pk)
    return change


def _steps(change: KeyChange) -> list[KeyStep]:
    places = [
        (kind, index.place, index.sealed.model)
        for kind in (StepKind.FILL, StepKind.MOVE)
        for index in sealed.indexes()
        if change.index_key
    ]
    places += [(StepKind.SEAL, column.place, column.model) for column in sealed.columns() if change.sealing_key]
    rows = {model: model._base_manager.count() for model in {model for _, _, model in places}}
    return [KeyStep(change=change, kind=kind, place=place, total=rows[model]) for kind, place, model in places]


def _open() -> Conflict:
    return Conflict("A change of keys is on.", code="key-change-open")


def moved(change: KeyChange, phase: Phase) -> bool:
    """Go to the next phase, once: whoever comes second gets False and reads the row again."""
    now, before = clock.now(), change.phase
    actor = Actor.system("keys.work")
    ends = {"slot": None, "done_at": now, "worker_until": None} if phase == Phase.DONE else {}
    with transaction.atomic():
        of_phase = KeyChange.objects.filter(pk=change.pk, phase=before)
        if not of_phase.update(phase=phase, waits_for=None, worked_at=now, note="", **ends):
            return False
        if phase == Phase.SWITCHING:
            IndexKeys.objects.filter(pk=1).update(now=change.index_key, next=change.index_key)
        steps = list(change.steps.all())
        broken = {f"{step.kind} {step.place}": step.broken for step in steps if step.broken}
        if phase == Phase.DONE:
            audit.record(actor, Event.KEYS_DONE, change, details={"broken": broken})
        else:
            audit.record(actor, Event.KEYS_MOVED, change, before={"phase": before}, after={"phase": phase})
    change.refresh_from_db()
    return True
