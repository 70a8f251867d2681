"""Sealing: unsealed events go into the Merkle tree, and the tree's new state is signed.

Writers never wait for each other: an event is a plain insert, and its place in the tree is found afterwards, in the
order of the events' ids. What is not sealed yet is protected by its MAC against change, but not against removal.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from portal.audit import checkpoint_file, encoding, merkle, notes
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf, Sealer
from portal.core import clock, ids

logger = logging.getLogger(__name__)

BATCH = 5000  # events in one transaction
LATE = timedelta(seconds=20)  # a transaction that commits later than this is left to the sweep
_MOST_COUNTED = 100_000


class LogBroken(Exception):
    """The tree cannot be extended without hiding that something was lost. Nothing was sealed.

    Run `audit_verify`. Where the database was restored from a copy on purpose, keep the checkpoint file as evidence
    under another name; the next sealing begins a new one from the table.
    """


def seal_now() -> int:
    """Seal the events of the last moments; returns how many. Run each second, and on demand.

    With nothing to seal it only reads. While another process seals it returns 0 at once (SQLite: waits). Raises
    LogBroken.
    """
    return _seal(_recent())


def seal_all() -> int:
    """Seal every unsealed event, however old: the few whose transaction took very long to commit."""
    return _seal(unsealed())


def unsealed_window() -> tuple[int, float | None]:
    """How many events wait for the next sealing (counted up to 100,000), and the age of the oldest in seconds."""
    waiting = _recent()
    oldest = waiting.order_by("id").values_list("at", flat=True).first()
    if oldest is None:
        return 0, None
    return waiting[:_MOST_COUNTED].count(), max(0.0, (clock.now() - oldest).total_seconds())


def signing_key() -> Ed25519PrivateKey:
    """The key that signs checkpoints."""
    return Ed25519PrivateKey.from_private_bytes(settings.AUDIT_SIGNING_KEY)


def unsealed() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(~Exists(AuditLeaf.objects.filter(event_id=OuterRef("pk"))))


def _recent() -> QuerySet[AuditEvent]:
    """Unsealed events from a little before the newest sealed one: an index range, however long the log."""
    newest = AuditLeaf.objects.order_by("-event_id").values_list("event_id", flat=True).first()
    if newest is None:
        return unsealed()
    # An id from a clock that runs ahead must not hide the events of the right clocks.
    floor = min(_time_of(newest), clock.now()) - LATE
    return unsealed().filter(id__gte=ids.uuid7(at_ms=int(floor.timestamp() * 1000)))


def _time_of(event_id: UUID) -> datetime:
    """The moment in a time-ordered id; its first 48 bits are milliseconds."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)


def _seal(events: QuerySet[AuditEvent]) -> int:
    total, waiting = 0, events
    _publish()
    while waiting.exists():  # looked at before anything is locked
        sealed = _seal_batch(waiting)
        _publish()
        total += len(sealed)
        if len(sealed) < BATCH:
            break
        waiting = events.filter(id__gt=sealed[-1])  # not over what was just sealed again
    return total


def _seal_batch(events: QuerySet[AuditEvent]) -> list[UUID]:
    """Seal up to BATCH events in one transaction; returns their ids. None where another process is at it."""
    Sealer.objects.get_or_create(pk=1)
    with _outlasting_power_cuts(), transaction.atomic(durable=True):
        if not Sealer.objects.select_for_update(skip_locked=True).filter(pk=1):
            return []
        rows = list(encoding.rows_of(events.order_by("id"))[:BATCH])
        if rows:
            head = AuditCheckpoint.objects.order_by("-size").first()
            tree = _tree_at(head)
            AuditLeaf.objects.bulk_create([_grow(tree, row) for row in rows])
            _sign(tree, head)
        return [UUID(row[0]) for row in rows]


@contextmanager
def _outlasting_power_cuts() -> Iterator[None]:
    """Let SQLite wait for the disk at this commit, as PostgreSQL does at each.

    Its own commits may be lost in a power cut (write-ahead log, synchronous=NORMAL). Were this one, the file would be
    ahead of the table and look like the proof of a cut-off end.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        usual = int(cursor.execute("PRAGMA synchronous").fetchone()[0])
        cursor.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA synchronous={usual}")


def _grow(tree: merkle.Tree, row: encoding.Row) -> AuditLeaf:
    leaf = merkle.leaf_hash(encoding.leaf_data(encoding.encode(row), row[-1]))
    made = AuditLeaf(position=tree.size, event_id=UUID(row[0]), leaf_hash=leaf.hex())
    tree.append(leaf)
    return made


def _tree_at(head: AuditCheckpoint | None) -> merkle.Tree:
    """The tree to extend. It is taken from the table only as far as the signature covers it."""
    if head is None:
        return merkle.Tree()
    try:
        notes.check(head.note, signing_key().public_key())
        signed = notes.read(head.note)
        tree = merkle.Tree(head.size, map(bytes.fromhex, head.frontier.split()))
    except ValueError as problem:
        raise LogBroken(f"the checkpoint of size {head.size} was changed: {problem}") from None
    if (tree.size, tree.root()) != (signed.size, signed.root):
        raise LogBroken(f"the checkpoint of size {head.size} was changed: its tree is not the one it signs")
    return tree


def _sign(tree: merkle.Tree, head: AuditCheckpoint | None) -> None:
    key = signing_key()
    at = clock.now().replace(microsecond=0)
    previous = notes.digest(head.note) if head else notes.NO_PREVIOUS
    AuditCheckpoint.objects.create(
        size=tree.size,
        root=tree.root().hex(),
        previous=previous,
        at=at,
        key_id=notes.key_hash(key.public_key()).hex(),
        frontier=" ".join(part.hex() for part in tree.frontier),
        note=notes.sign(notes.Checkpoint(tree.size, tree.root(), previous, at), key),
    )


def _publish() -> None:
    """Bring this node's file up to the table. A disk that refuses is logged: the next run tries again.

    Raises LogBroken where the file knows a checkpoint that the table does not.
    """
    try:
        with checkpoint_file.appending(checkpoint_file.default_path()) as file:
            newest = AuditCheckpoint.objects.order_by("-size").values_list("note", flat=True).first()
            if file.last != (newest or ""):
                _append_missing(file)
            elif file.is_torn:
                raise LogBroken("the checkpoint file begins a checkpoint that the database does not hold")
    except checkpoint_file.FileBroken as broken:
        raise LogBroken(str(broken)) from None
    except OSError:
        logger.exception("the audit checkpoint file could not be written")


def _append_missing(file: checkpoint_file.Appender) -> None:
    checkpoints = AuditCheckpoint.objects.order_by("size")
    if file.last:
        try:
            last = notes.read(file.last).size
        except notes.BadNote:
            raise LogBroken("the last record of the checkpoint file is no checkpoint") from None
        if checkpoints.filter(size=last).values_list("note", flat=True).first() != file.last:
            raise LogBroken(f"the checkpoint file holds a checkpoint of size {last} that the database does not")
        checkpoints = checkpoints.filter(size__gt=last)
    for note in checkpoints.values_list("note", flat=True).iterator():
        file.append(note)
