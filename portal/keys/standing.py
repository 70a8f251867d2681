"""What is under which key, counted in the columns themselves."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Count, Q
from django.db.models.functions import Left

from portal import sealed
from portal.keys.batches import elsewhere
from portal.keys.models import KeyChange
from portal.keys.rings import index_ring, sealing_ring
from portal.models import IndexKeys
from portal.sealed import SealedColumn

_BEGINNING: Final = re.compile(r"([a-z0-9-]{1,16})\.")
_SAMPLES: Final = 1000


@dataclass(frozen=True)
class ColumnStanding:
    """How many texts of a column are under which key of the ring.

    others: those that are under none of them. foreign: the key ids that these name.
    """

    place: str
    under: Mapping[str, int]
    foreign: frozenset[str] = frozenset()
    others: int = 0

    def elsewhere(self, key: str) -> int:
        """How many texts are not under this key."""
        return sum(count for name, count in self.under.items() if name != key) + self.others


@dataclass(frozen=True)
class Standing:
    """What is under which key.

    sealing, index: the rings, the first first. index_now, index_next: the keys that count for the index columns.
    stale: rows by index that are not under the first index key in both columns; only counted when no change is on and
    there is another key to drop. held: sealed texts inside other ones, by what they are and key.
    """

    sealing: list[str]
    index: list[str]
    columns: list[ColumnStanding]
    index_now: str
    index_next: str
    stale: Mapping[str, int]
    change: KeyChange | None
    held: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def seals(self) -> bool:
        """Whether anything is under another sealing key of the ring than the first."""
        return any(column.under.get(key) for column in self.columns for key in self.sealing[1:])

    @property
    def indexes(self) -> bool:
        """Whether the index columns, or rows of them, are under another key than the first of the ring."""
        return (self.index_now, self.index_next) != (self.index[0], self.index[0]) or any(self.stale.values())

    @property
    def foreign(self) -> list[str]:
        """Columns with texts under keys that are not here, as `place: key ids`."""
        named = [f"{column.place}: {', '.join(sorted(column.foreign))}" for column in self.columns if column.foreign]
        gone = sorted({self.index_now, self.index_next} - set(self.index))
        return named + [f"the index columns: {key}" for key in gone]

    @property
    def broken(self) -> int:
        """Texts that are under no key of the ring."""
        return sum(column.others for column in self.columns)

    def under(self, key: str) -> int:
        """How many texts are under a sealing key, with those that wait inside others."""
        inside = sum(counts.get(key, 0) for counts in self.held.values())
        return inside + sum(column.under.get(key, 0) for column in self.columns)

    @property
    def droppable(self) -> list[str]:
        """The old keys that nothing needs any more, as `PORTAL_…_KEYS: id`."""
        if self.change is not None:
            return []
        sealing = [f"PORTAL_SEALING_KEYS: {key}" for key in self.sealing[1:] if not self.under(key)]
        return sealing + [f"PORTAL_INDEX_KEYS: {key}" for key in self.index[1:] if not self.indexes]


def standing() -> Standing:
    """Count everything: one query for each column, each over its whole table.

    Where an old index key may be dropped next, every text with an index is opened, too.
    """
    row = IndexKeys.objects.filter(pk=1).first()
    index, change = index_ring(), KeyChange.objects.filter(done_at=None).first()
    moved = row is not None and row.now == row.next == index[0]
    counted = sealed.indexes() if moved and len(index) > 1 and change is None else []
    return Standing(
        sealing=sealing_ring(),
        index=index,
        columns=[column_standing(column) for column in sealed.columns()],
        index_now=row.now if row else index[-1],
        index_next=row.next if row else index[-1],
        stale={one.place: elsewhere(one, index[0]) for one in counted},
        change=change,
        held=sealed.held(),
    )


def column_standing(column: SealedColumn) -> ColumnStanding:
    """What is under which key in one column."""
    ring, texts = sealing_ring(), column.model._base_manager.exclude(**{column.column: ""})
    ours = {key: Q(**{f"{column.column}__startswith": f"{key}."}) for key in ring}
    counts = texts.aggregate(total=Count("pk"), **{f"k{n}": Count("pk", filter=ours[k]) for n, k in enumerate(ring)})
    under = {key: counts[f"k{number}"] for number, key in enumerate(ring)}
    others = counts["total"] - sum(under.values())
    if not others:
        return ColumnStanding(column.place, under)
    for condition in ours.values():
        texts = texts.exclude(condition)
    beginnings = texts.annotate(beginning=Left(column.column, 17)).order_by("pk").values_list("beginning", flat=True)
    ids = {found[1] for text in beginnings[:_SAMPLES] if (found := _BEGINNING.match(text))}
    return ColumnStanding(column.place, under, frozenset(ids), others)


def left_over(column: SealedColumn, key: str) -> int:
    """How many texts of a column are not under a key."""
    rows = column.model._base_manager.exclude(**{column.column: ""})
    return rows.exclude(**{f"{column.column}__startswith": f"{key}."}).count()
