"""Verification: the whole log against its MACs, its tree, its signed checkpoints and the file outside the database.

It reads in the order of the tree, in spans of constant size, and stops at the first thing that is wrong. It changes
nothing and never seals first: events that are not sealed yet are counted, and a *removed* one among them cannot be
noticed. An end cut off from the table is noticed because the file goes on; where both lost the same end, nothing
here can tell, so keep copies of the file where the portal cannot write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.db import OperationalError
from django.db.models import QuerySet

from portal.audit import checkpoint_file, encoding, merkle, notes
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.sealing import signing_key, unsealed
from portal.core import clock

SPAN = 2000  # rows in memory at a time
FILE_LATE = timedelta(minutes=10)  # how long several checkpoints may wait for the file, after a full disk say

# What reading a row raises whose columns hold nonsense. SQLite keeps any text in any column.
_UNREADABLE = (ValueError, TypeError, AttributeError, OperationalError)

type Leaf = tuple[int, str, str, encoding.Row | None]


class Tampered(Exception):
    """The first thing found wrong, in a sentence that names it."""


@dataclass
class Report:
    """What was read. problem: the first thing wrong, "" where nothing is. size, root: the tree's, as far as read."""

    leaves: int = 0
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    checkpoints: int = 0
    root: str = ""
    file: str = ""
    file_behind: int = 0
    problem: str = ""

    @property
    def events(self) -> int:
        return self.leaves + self.unsealed


def verify(path: Path | None = None) -> Report:
    """Check the whole log. path: the checkpoint file, by default this node's. Raises OSError if it cannot be read."""
    run = _Run(path or checkpoint_file.default_path())
    try:
        run.check()
    except Tampered as found:
        run.report.problem = str(found)
    except _UNREADABLE as nonsense:
        run.report.problem = f"a row cannot be read ({nonsense}); before it, {run.tree.size} leaves were good"
    run.report.leaves, run.report.root = run.tree.size, run.tree.root().hex()
    return run.report


class _Run:
    """One verification."""

    def __init__(self, path: Path) -> None:
        self.report = Report(file=str(path))
        self.tree = merkle.Tree()
        # The file's end before the table's: sealing commits first, so the table can only be further.
        self._file = checkpoint_file.Reader(path)
        newest = AuditCheckpoint.objects.order_by("-size").values_list("size", flat=True).first()
        self._size = newest or 0
        self._leaves = _leaves(self._size)
        self._key = signing_key().public_key()
        self._key_id = notes.key_hash(self._key).hex()
        self._previous = notes.NO_PREVIOUS
        self._behind_since: datetime | None = None

    def check(self) -> None:
        for checkpoint in _checkpoints(self._size):
            self._check_note(checkpoint)
            self._check_file(checkpoint)
            self._grow_to(checkpoint)
            self.report.checkpoints += 1
        self._check_ends()
        self._check_unsealed()

    def _check_note(self, checkpoint: AuditCheckpoint) -> None:
        name = f"checkpoint {checkpoint.size}"
        try:
            said = notes.read(checkpoint.note)
            notes.check(checkpoint.note, self._key)
        except notes.BadNote as bad:
            raise Tampered(f"{name} is forged: {bad}") from None
        columns = (checkpoint.size, checkpoint.root, checkpoint.previous, checkpoint.at, checkpoint.key_id)
        if columns != (said.size, said.root.hex(), said.previous, said.at, self._key_id):
            raise Tampered(f"{name} was edited: its columns do not say what its signed text says")
        if said.previous != self._previous:
            raise Tampered(f"{name} does not follow the one before it: a checkpoint was removed or inserted there")
        self._previous = notes.digest(checkpoint.note)

    def _check_file(self, checkpoint: AuditCheckpoint) -> None:
        recorded = self._file.next
        if recorded == checkpoint.note:
            self._file.advance()
        elif recorded is not None:
            raise Tampered(
                f"checkpoint {checkpoint.size} is not the next one in the file, which has {_size(recorded)}"
            )
        else:
            self._check_late(checkpoint)

    def _check_late(self, checkpoint: AuditCheckpoint) -> None:
        """The file has ended: the checkpoints from here on may only be late."""
        if not self.report.file_behind:
            self._behind_since = checkpoint.at
            if not self._file.begins(checkpoint.note):
                raise Tampered(f"the file does not go on with checkpoint {checkpoint.size} but with something else")
        self.report.file_behind += 1

    def _grow_to(self, checkpoint: AuditCheckpoint) -> None:
        start, newest = self.tree.size, ""
        while self.tree.size < checkpoint.size:
            position, event_id, leaf_hash, row = next(self._leaves, (-1, "", "", None))
            if position != self.tree.size:
                raise Tampered(f"the leaf at position {self.tree.size} is missing")
            self.tree.append(_checked_leaf(position, event_id, leaf_hash, row))
            if event_id < newest:  # one checkpoint takes its events in the order of their ids
                raise Tampered(f"{_named(event_id, position)} was reordered")
            newest = event_id
        span = f"positions {start} to {checkpoint.size - 1}, up to event {_spelled(newest)}"
        if self.tree.root().hex() != checkpoint.root:
            raise Tampered(f"the leaves at {span}, were inserted, exchanged or reordered: they do not give the root")
        if [part.hex() for part in self.tree.frontier] != checkpoint.frontier.split():
            raise Tampered(f"checkpoint {checkpoint.size} was edited: its frontier is not the tree's")

    def _check_ends(self) -> None:
        if self._file.next is not None:
            raise Tampered(
                f"the log's end was cut off: the file goes on with checkpoint {_size(self._file.next)}, "
                f"the database ends at {self._size}"
            )
        if not self.report.file_behind and self._file.is_torn:
            raise Tampered("the log's end was cut off: the file begins a checkpoint that the database does not hold")
        late = self._behind_since and clock.now() - self._behind_since > FILE_LATE
        if late and self.report.file_behind > 1:
            raise Tampered(f"the file's end was cut off: {self.report.file_behind} checkpoints are missing there")
        stray = _stray_leaf()
        if stray is not None:
            raise Tampered(f"{_named(*stray)} stands in the tree where no checkpoint covers it")

    def _check_unsealed(self) -> None:
        for row in _rows(unsealed().order_by("id")):
            if encoding.mac(encoding.encode(row), row[-2]) != row[-1]:
                raise Tampered(
                    f"event {_spelled(row[0])} (not sealed yet) was inserted or edited by hand: its MAC is not ours"
                )
            if self.report.oldest_unsealed is None:
                self.report.oldest_unsealed = row[3]
            self.report.unsealed += 1


def _checked_leaf(position: int, event_id: str, leaf_hash: str, row: encoding.Row | None) -> bytes:
    """The event's hash, from the event itself."""
    if row is None:
        raise Tampered(f"{_named(event_id, position)} is missing: it was removed after it was sealed")
    encoded, stored_mac = encoding.encode(row), row[-1]
    leaf = merkle.leaf_hash(encoding.leaf_data(encoded, stored_mac))
    if leaf.hex() != leaf_hash:
        raise Tampered(f"{_named(event_id, position)} was edited after it was sealed: it does not match its leaf")
    if encoding.mac(encoded, row[-2]) != stored_mac:
        raise Tampered(
            f"{_named(event_id, position)} was inserted or edited by hand before it was sealed: its MAC is not ours"
        )
    return leaf


def _leaves(size: int) -> Iterator[Leaf]:
    """The leaves below `size` with their events, in order, a span at a time: no transaction is held meanwhile."""
    for start in range(0, size, SPAN):
        span = AuditLeaf.objects.filter(position__gte=start, position__lt=min(start + SPAN, size))
        events = {row[0]: row for row in _rows(AuditEvent.objects.filter(pk__in=span.values("event_id")))}
        leaves = span.order_by("position").values_list("position", encoding.hex_of("event_id"), "leaf_hash")
        for position, event_id, leaf_hash in leaves:
            yield position, event_id, leaf_hash, events.get(event_id)


def _rows(events: QuerySet[AuditEvent]) -> Iterator[encoding.Row]:
    """The events' rows. One that cannot even be read is named."""
    try:
        yield from encoding.rows_of(events).iterator(SPAN)
    except _UNREADABLE:
        raise Tampered(_first_unreadable(events)) from None


def _first_unreadable(events: QuerySet[AuditEvent]) -> str:
    named = AuditEvent.objects.annotate(hex=encoding.hex_of("id"))
    for event_id in events.order_by("id").values_list(encoding.hex_of("id"), flat=True):
        try:
            encoding.rows_of(named.filter(hex=event_id)).get()
        except _UNREADABLE:
            return f"event {_spelled(event_id)} was edited: it holds what no database of ours writes"
    return "an event could not be read"


def _checkpoints(size: int) -> Iterator[AuditCheckpoint]:
    last = -1
    while span := list(AuditCheckpoint.objects.filter(size__gt=last, size__lte=size).order_by("size")[:SPAN]):
        yield from span
        last = span[-1].size


def _stray_leaf() -> tuple[str, int] | None:
    """A leaf outside the signed tree. Leaves first, then checkpoints: sealing adds both in one commit."""
    leaves = AuditLeaf.objects.values_list(encoding.hex_of("event_id"), "position")
    last = leaves.order_by("-position").first()
    size = AuditCheckpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    if last is not None and last[1] >= size:
        return leaves.filter(position__gte=size).order_by("position").first()
    return leaves.filter(position__lt=0).first()


def _named(event_id: str, position: int) -> str:
    return f"event {_spelled(event_id)} (position {position})"


def _spelled(event_id: str) -> str:
    """An id as people and `psql` write it."""
    try:
        return str(UUID(event_id))
    except ValueError:
        return event_id


def _size(note: str) -> str:
    try:
        return str(notes.read(note).size)
    except notes.BadNote:
        return "something that is no checkpoint"
