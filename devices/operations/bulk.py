"""One step over many devices: tried first, then taken, with the same judgement in both."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import BulkRun, BulkStep
from devices.operations.activation import Change, activate_device, block_device, deactivate_device
from devices.operations.bulk_trial import (
    ALREADY,
    CHANGED,
    REFUSED,
    Line,
    Pair,
    Trial,
    devices_named,
    names_of,
    pairs_of,
    rules_of,
    trial_of,
    try_many,
)
from devices.operations.facts import check_text
from devices.policies.bulk import NAME, STEPS
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, InvalidInput, SecondPersonNeeded

OPERATIONS: Final[Mapping[str, Callable[..., Change]]] = {
    BulkStep.ACTIVATE: activate_device,
    BulkStep.DEACTIVATE: deactivate_device,
    BulkStep.BLOCK: block_device,
}
WORDS: Final = {
    CHANGED: "of the devices are changed",
    ALREADY: "of the devices are so already",
    REFUSED: "of the devices are refused",
}


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    """As the maker's run would go: whoever approves need not have the right for the step."""
    judge = Actor.system("devices.bulk", bank_id=actor.bank_id)
    trial = try_many(judge, step=arguments["step"], device_ids=arguments["device_ids"])
    lines: Preview = [(trial.counts[outcome], words) for outcome, words in WORDS.items() if trial.counts[outcome]]
    lines += trial.ended.lines if STEPS[trial.step].ends_access else []
    return lines + [(None, _told(line)) for line in trial.lines]


def _told(line: Line) -> str:
    name = f"{line.device}, {line.device.owner.name}" if line.device else line.device_id
    return f"{name}: {line.error.message if line.error else line.outcome}"


def _named(run: BulkRun) -> dict[str, object]:
    return {"run_id": str(run.pk), "device_ids": [entry["device"] for entry in run.outcomes]}


def _facts(run: BulkRun) -> dict[str, object]:
    counts = Counter(entry["outcome"] for entry in run.outcomes)
    return {"run_id": str(run.pk), **{outcome: counts[outcome] for outcome in WORDS}}


@four_eyes(
    FourEyes(
        name=NAME,
        label="Bulk step",
        always="A bulk step over more devices than your bank's limit, or over one that takes two people by itself.",
        names=_named,
        preview=_preview,
        facts=_facts,
        covers=("device.activate", "device.deactivate"),
    )
)
@transaction.atomic
def switch_many(*, actor: Actor, run_id: str, step: str, device_ids: list[str], reason: str) -> BulkRun:
    """Activate, deactivate or block up to 200 devices. Each is changed, is so already, or is refused by its own rule.

    run_id: a UUID that the caller makes; the same run again changes nothing and returns what it did. step: a
    `BulkStep`. device_ids: 1 to 200 of `DEV_…` or UUIDs; one named twice counts once. reason: 1 to 500 characters.
    Raises Forbidden, InvalidInput, Conflict `run-already-taken`, and ApprovalRequired for the whole: above the bank's
    threshold, where one device takes a second person by its own rule, or where the bank's policy says so.
    """
    rules = rules_of(actor, step)
    reason = check_text("reason", reason, required=True)
    key, names = _read_run_id(run_id), names_of(device_ids)
    pairs = pairs_of(names, devices_named(actor, names).select_for_update(of=("self",)))
    if earlier := BulkRun.objects.filter(pk=key).first():
        return _same(actor, earlier, step, pairs)
    trial = trial_of(actor, step, rules, pairs)
    run = _run(actor, key, trial)
    if trial.second_person:
        raise SecondPersonNeeded(trial.second_person, about=run)
    ended: Counter[str] = Counter()
    lines = [_take(actor, run, line, reason, ended) for line in trial.lines]
    run.outcomes, run.ended = [line.entry for line in lines], dict(ended)
    run.save(force_insert=True)
    if any(line.outcome != ALREADY for line in lines):
        details = {"step": step, "ended": run.ended, "outcomes": run.outcomes}
        audit.record(actor, Event.DEVICES_SWITCHED, run, reason=reason, details=details)
    return run


def _take(actor: Actor, run: BulkRun, line: Line, reason: str, ended: Counter[str]) -> Line:
    """Take the step over one device. What refuses it undoes that one alone; a second person is asked for all."""
    if line.outcome != CHANGED or line.device is None:
        return line
    try:
        change = OPERATIONS[run.step](actor=actor, device_id=str(line.device.pk), reason=reason)
    except SecondPersonNeeded as needed:
        raise SecondPersonNeeded(needed.message, about=run) from needed
    except DomainError as error:
        return Line(line.name, line.device, REFUSED, error)
    ended.update(change.ended.counts if change.ended else {})
    return Line(line.name, change.device, CHANGED if change.changed else ALREADY)


def _read_run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput.at("run_id", "invalid-format", "A run is named by a UUID.") from None


def _same(actor: Actor, earlier: BulkRun, step: str, pairs: Sequence[Pair]) -> BulkRun:
    wanted = [ids.spell("DEV", name) for name, _ in pairs]
    told = [entry["device"] for entry in earlier.outcomes]
    if (earlier.bank_id, earlier.step, told) != (actor.bank_id, step, wanted):
        raise Conflict("This run was taken already, for something else.", code="run-already-taken")
    return earlier


def _run(actor: Actor, key: UUID, trial: Trial) -> BulkRun:
    """Not stored yet; a request for a second person names it."""
    known = next((line.device for line in trial.lines if line.device), None)
    if known is None:
        raise InvalidInput.at("device_ids", "not-on-list", "None of these devices is known.")
    return BulkRun(
        id=key,
        bank_id=known.bank_id,
        started_by_id=actor.user_id,
        step=trial.step,
        outcomes=[line.entry for line in trial.lines],
        created_at=clock.now(),
    )
