"""One batch of one column: read, make anew, write, and say how far it went, in one transaction.

Rows are taken in the order of their primary key. On PostgreSQL a batch locks the rows it will write and stops before
the first that somebody else holds, so that it never waits for anybody and nobody is refused because of it. Each row
is written only where its sealed text is still the one that was read.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, models, transaction
from django.db.models import F
from django.db.models.functions import Left

from portal import vault
from portal.core.errors import DomainError
from portal.crypto.sealing import SealBroken
from portal.keys.models import KeyChange, KeyStep, StepKind
from portal.sealed import BlindIndex, SealedColumn

NAMED = 100  # broken rows that are kept by name
BROKEN = (SealBroken, DomainError, UnicodeDecodeError)  # a text that cannot be opened or indexed
_PREFIX = 17  # a key id and the full stop


class Made(NamedTuple):
    """A row to write: its key, the sealed text it must still have, and the new values of the columns."""

    pk: Any
    sealed: str
    values: tuple[str, ...]


class Batch(NamedTuple):
    """What one batch did. looked: rows it passed. blocked: it stopped at a row that somebody holds."""

    looked: int
    changed: int
    blocked: bool


def seal_batch(change: KeyChange, step: KeyStep, column: SealedColumn) -> Batch:
    """The next rows of a sealed column, under the new key."""

    def made(row: Sequence[Any]) -> Made | None:
        pk, bound_to, text = row
        if not text:
            return None  # emptied meanwhile
        return Made(pk, text, (vault.reseal(column.purpose, bound_to, text),))

    def wanted(beginning: str) -> bool:
        return bool(beginning) and not beginning.startswith(f"{change.sealing_key}.")

    read = (column.row, column.column)
    return _batch(step, column, read, wanted, made, (column.column,))


def index_batch(change: KeyChange, step: KeyStep, index: BlindIndex) -> Batch:
    """The next rows of a blind index: its second column under the new key, or both.

    Both times the digest is made of the text itself, so that the second pass mends what the first has not seen.
    """
    column, key = index.sealed, change.index_key
    both = step.kind == StepKind.MOVE

    def made(row: Sequence[Any]) -> Made | None:
        pk, bound_to, text, scope, now, following = row
        if not text:
            return None  # emptied meanwhile
        digest = _digest(index, key, bound_to, text, scope)
        values = (digest, digest) if both else (now, digest)
        return None if values == (now, following) else Made(pk, text, values)

    read = (column.row, column.column, index.scope, index.now, index.next)
    return _batch(step, column, read, bool, made, (index.now, index.next))


def elsewhere(index: BlindIndex, key: str) -> int:
    """How many rows have not the digest under a key in both columns of an index: every text is opened for it.

    Texts that cannot be opened or indexed are not among them.
    """
    column, found = index.sealed, 0
    names = (column.row, column.column, index.scope, index.now, index.next)
    rows = column.model._base_manager.exclude(**{column.column: ""}).values_list(*names)
    for bound_to, text, scope, now, following in rows.iterator(chunk_size=column.batch):
        with suppress(*BROKEN):
            digest = _digest(index, key, bound_to, text, scope)
            found += (now, following) != (digest, digest)
    return found


def _digest(index: BlindIndex, key: str, bound_to: object, text: str, scope: object) -> str:
    """What stands for a sealed text in an index. Raises one of BROKEN."""
    purpose = index.sealed.purpose
    return vault.blind_index(key, purpose, scope, index.indexed(vault.unseal(purpose, bound_to, text)))


def _batch(
    step: KeyStep,
    column: SealedColumn,
    read: tuple[str, ...],
    wanted: Callable[[str], bool],
    made: Callable[[Sequence[Any]], Made | None],
    written: tuple[str, ...],
) -> Batch:
    with transaction.atomic():
        window = list(
            _after(column.model, step.cursor)
            .annotate(beginning=Left(column.column, _PREFIX))
            .values_list("pk", "beginning")[: column.batch]
        )
        need = [pk for pk, beginning in window if wanted(beginning)]
        rows = {row[0]: row for row in _locked(column, need, step.kind).values_list("pk", *read)} if need else {}
        blocked = next((pk for pk in need if pk not in rows), None)
        passed = [pk for pk, _ in window]
        if blocked is not None:
            passed = passed[: passed.index(blocked)]
        new, broken = [], []
        for pk in passed:
            if pk in rows:
                try:
                    one = made(rows[pk])
                except BROKEN:
                    broken.append(str(pk))
                else:
                    new += [one] if one else []
        ended = blocked is None and len(window) < column.batch
        if (passed or ended) and not _advanced(step, passed, len(new), ended):
            return Batch(0, 0, blocked=True)  # another worker did this very batch
        refused = _written(column, written, new)
        _note_broken(step, broken + refused, len(refused))
    return Batch(len(passed), len(new) - len(refused), blocked is not None)


def _after(model: type[models.Model], cursor: str) -> models.QuerySet[Any]:
    rows = model._base_manager.order_by("pk")
    return rows.filter(pk__gt=model._meta.pk.to_python(cursor)) if cursor else rows


def _locked(column: SealedColumn, pks: list[Any], kind: str) -> models.QuerySet[Any]:
    """Those of the rows that nobody else holds. A sealed text is no key, so that rows may point at it meanwhile."""
    rows = column.model._base_manager.order_by("pk").filter(pk__in=pks)
    return rows.select_for_update(skip_locked=True, no_key=kind == StepKind.SEAL)


def _advanced(step: KeyStep, passed: list[Any], changed: int, ended: bool) -> bool:
    """Take the cursor along, if it still stands where this batch began."""
    cursor = str(passed[-1]) if passed else step.cursor
    stands = KeyStep.objects.filter(pk=step.pk, round=step.round, cursor=step.cursor, done=False)
    return bool(
        stands.update(cursor=cursor, passed=F("passed") + len(passed), changed=F("changed") + changed, done=ended)
    )


def _written(column: SealedColumn, names: tuple[str, ...], rows: list[Made]) -> list[str]:
    """Write the rows with one prepared statement. Returns those that a constraint refuses: they stay as they are."""
    if not rows:
        return []
    try:
        with transaction.atomic():
            _write(column, names, rows)
    except IntegrityError:
        return [str(row.pk) for row in rows if not _write_alone(column, names, row)]
    return []


def _write_alone(column: SealedColumn, names: tuple[str, ...], row: Made) -> bool:
    try:
        with transaction.atomic():
            _write(column, names, [row])
    except IntegrityError:
        return False
    return True


def _write(column: SealedColumn, names: tuple[str, ...], rows: list[Made]) -> None:
    meta = column.model._meta
    changes = ", ".join(f"{_quoted(column.model, name)} = %s" for name in names)
    where = f"{_quoted(column.model, meta.pk.name)} = %s AND {_quoted(column.model, column.column)} = %s"
    statement = f"UPDATE {connection.ops.quote_name(meta.db_table)} SET {changes} WHERE {where}"  # noqa: S608  our names
    values = [(*row.values, meta.pk.get_db_prep_value(row.pk, connection), row.sealed) for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


def _quoted(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)  # noqa: S101  for the type checker
    return connection.ops.quote_name(str(field.column))


def _note_broken(step: KeyStep, broken: list[str], refused: int) -> None:
    """Name the rows that stay as they are. refused: how many of them `_advanced` has counted as changed."""
    if broken:
        row = KeyStep.objects.get(pk=step.pk)
        row.broken += len(broken)
        row.changed -= refused
        row.broken_rows = [*row.broken_rows, *broken][:NAMED]
        row.save(update_fields=["broken", "broken_rows", "changed"])
