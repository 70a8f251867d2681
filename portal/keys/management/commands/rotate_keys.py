"""Brings everything that is sealed under the new keys, while the portal works."""

from typing import Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.core.actor import Actor, Channel
from portal.core.errors import Conflict, DomainError
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.models import KeyChange, KeyStep
from portal.keys.standing import ColumnStanding, Standing, standing

FOREVER: Final = float("inf")


class Command(BaseCommand):
    help = (
        "Seal everything anew under the first sealing key, and index it under the first index key. See docs/keys.md"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", action="store_true", help="only say what is under which key")
        parser.add_argument("--now", action="store_true", help="do the work here instead of in the workers")

    def handle(self, *args: object, status: bool, now: bool, **options: object) -> None:
        if status:
            self._tell()
            return
        try:
            change = start_change(actor=Actor.system("rotate_keys", channel=Channel.COMMAND))
            self.stdout.write(f"Started: {change}.")
        except Conflict as refused:
            self.stdout.write(refused.message)
            engine.retry(rested=engine.NO_REST)
            if not now:
                self._tell()
                return
        except DomainError as refused:
            raise CommandError(refused.message) from None
        if not now:
            self.stdout.write("The workers do it. How far it has come: manage.py rotate_keys --status")
            return
        engine.run(FOREVER)
        self._tell()
        open_change = engine.open_change()
        if open_change is not None:
            raise CommandError(open_change.note or "The rings of this process are not those of the change.")

    def _tell(self) -> None:
        for line in lines(standing()):
            self.stdout.write(line)


def lines(found: Standing) -> list[str]:
    """What is under which key, for people to read."""
    told = [f"Sealing keys: {', '.join(found.sealing)}. The first seals."]
    told += [_column(column) for column in found.columns if column.others or any(column.under.values())]
    told.append(_indexes(found))
    told += [f"  {place}: {count:,} rows are found by another key" for place, count in found.stale.items() if count]
    for what, counts in found.held.items():
        told += [f"{count:,} {what} are under {key}" for key, count in sorted(counts.items())]
    if found.change is not None:
        told += _change(found.change)
    else:
        last = KeyChange.objects.order_by("-started_at").first()
        told += _broken(last) if last is not None else []
        if found.broken:
            told.append(f"{found.broken:,} texts are under no key of the ring: nothing opens them.")
    return told + _advice(found)


def _column(column: ColumnStanding) -> str:
    under = [f"{key}: {count:,}" for key, count in column.under.items() if count]
    others = [f"not under these keys: {column.others:,}"] * bool(column.others)
    return f"  {column.place}  {', '.join(under + others)}"


def _indexes(found: Standing) -> str:
    if found.index_now == found.index_next:
        return f"Index keys: {', '.join(found.index)}. All is found by {found.index_now}."
    return f"Index keys: {', '.join(found.index)}. Changing from {found.index_now} to {found.index_next}."


def _change(change: KeyChange) -> list[str]:
    told = [f"A change is on ({change}): {change.get_phase_display().lower()}."]
    told += [f"  {_step(step)}" for step in change.steps.order_by("pk") if step.passed and not step.done]
    if change.note:
        told.append(change.note)
    if not engine.fits(change):
        told.append("The rings of this process are not those of the change: start every node with the same rings.")
    return told + _broken(change)


def _step(step: KeyStep) -> str:
    return f"{step.get_kind_display()} {step.place}: {step.percent} % of {max(step.total, step.passed):,} rows"


def _broken(change: KeyChange) -> list[str]:
    told = []
    for step in change.steps.filter(broken__gt=0).order_by("pk"):
        rows = ", ".join(step.broken_rows)
        told.append(f"{step.broken:,} of {step.place} cannot be opened or indexed ({step.kind}): {rows}")
    return told


def _advice(found: Standing) -> list[str]:
    if found.foreign:
        return [f"Under a key that is not in the ring: {'; '.join(found.foreign)}. Put it back, last in the list."]
    if found.change is not None:
        return ["Drop no key yet."]
    if found.droppable:
        return [f"May be dropped: {', '.join(found.droppable)}."]
    if found.seals or found.indexes:
        return ["Drop no key: manage.py rotate_keys brings all under the first of each ring."]
    if any(found.under(key) for key in found.sealing[1:]):
        return ["Drop no key yet: what waits for a second person is under an old one until it is decided or lapses."]
    return ["Each ring has one key; nothing can be dropped."]
