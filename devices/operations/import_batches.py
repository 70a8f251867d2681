"""A batch of rows of an import: each is issued, there already, or refused. The rules are those of `issue_device`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import Q

from devices.models import Device, ImportRefusal, ImportRun, IssuedDetails
from devices.operations.import_rows import BadRow, Row, Wanted, wanted_of
from devices.operations.issued import new_device, require_may_hold, shown
from portal.accounts.models import User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, FieldProblem

BATCH: Final = 200  # rows in one transaction: a few hundred milliseconds of SQLite's one write lock

type Rows = Sequence[Row | BadRow]


@dataclass
class Tally:
    """What became of some rows. made: what is new, in order; bad: the rows that were refused."""

    rows: int = 0
    unchanged: int = 0
    made: list[tuple[int, Device, IssuedDetails]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def issued(self) -> int:
        return len(self.made)


def take(actor: Actor, run: ImportRun, rows: Rows, *, write: bool) -> Tally:
    """Decide on some rows in the caller's transaction and, with `write`, issue what is new. Refusals are not written.

    It costs the same number of statements for one row as for many.
    """
    wanted = [wanted_of(row) if isinstance(row, Row) else row for row in rows]
    good = [one for one in wanted if isinstance(one, Wanted)]
    owners = _owners(run.bank_id, {one.customer for one in good}, lock=write)
    there = _there(run.bank_id, {one.facts.reference for one in good})
    tally = Tally(rows=len(rows))
    for one in wanted:
        if isinstance(one, BadRow):
            tally.bad.append(one)
        else:
            _decide(tally, one, owners.get(one.customer), there)
    if write:
        _write(actor, run, tally)
    return tally


def _owners(bank_id: UUID, names: set[str], *, lock: bool) -> Mapping[str, User]:
    """The customers by the names that were used for them. Locked in primary-key order, as everybody locks many."""
    by_id = {key: name for name in names if (key := User.id_from(name))}
    people = User.objects.customers().filter(bank_id=bank_id)
    people = people.filter(Q(customer_number__in=names) | Q(pk__in=by_id)).order_by("pk")
    found: dict[str, User] = {}
    for person in people.select_for_update(no_key=True) if lock else people:
        found[str(person.customer_number)] = person
        if person.pk in by_id:
            found[by_id[person.pk]] = person
    return found


def _there(bank_id: UUID, references: set[str]) -> dict[str, IssuedDetails]:
    found = IssuedDetails.objects.filter(bank_id=bank_id, reference__in=references).select_related("device")
    return {details.reference: details for details in found}


def _decide(tally: Tally, wanted: Wanted, owner: User | None, there: dict[str, IssuedDetails]) -> None:
    facts = wanted.facts
    if owner is None:
        problem = FieldProblem("customer-number", "customer-unknown", "The bank has no customer of this number.")
        tally.bad.append(BadRow(wanted.line, (problem,)))
        return
    known = there.get(facts.reference)
    try:
        require_may_hold(owner, facts, known)
    except DomainError as refusal:
        column = "reference" if isinstance(refusal, Conflict) else "customer-number"
        tally.bad.append(BadRow(wanted.line, (FieldProblem(column, refusal.code, refusal.message),)))
        return
    if known is not None:
        tally.unchanged += 1
        return
    device, details = new_device(owner, facts)
    there[facts.reference] = details
    tally.made.append((wanted.line, device, details))


def _write(actor: Actor, run: ImportRun, tally: Tally) -> None:
    Device.objects.bulk_create(device for _, device, _ in tally.made)
    IssuedDetails.objects.bulk_create(details for _, _, details in tally.made)
    AuditEvent.objects.bulk_create(_event(actor, run, *made) for made in tally.made)


def _event(actor: Actor, run: ImportRun, line: int, device: Device, details: IssuedDetails) -> AuditEvent:
    told = {"import": str(run.pk), "line": line}
    return audit.prepared(actor, Event.DEVICE_ISSUED, device, after=shown(device, details), details=told)


def write_refusals(run: ImportRun, bad: Sequence[BadRow]) -> None:
    """Keep which rows were refused and why; nothing of what stood in them."""
    ImportRefusal.objects.bulk_create(
        ImportRefusal(
            run=run, line=row.line, field=problem.field[:40], code=problem.code[:64], message=problem.message[:200]
        )
        for row in bad
        for problem in row.problems
    )
