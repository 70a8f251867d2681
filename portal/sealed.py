"""Which columns are sealed, and which of them are found by a blind index: what a change of keys has to reach.

Each app names its own in `<app>/sealed_columns.py`, read when the app is ready.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.db import models

BATCH: Final = 500  # rows of one transaction


@dataclass(frozen=True, kw_only=True)
class SealedColumn:
    """One sealed column. row: the column whose value the text is bound to (`vault.seal`'s second argument).

    batch: rows of one transaction; fewer where texts are long.
    """

    model: type[models.Model]
    column: str
    purpose: str
    row: str = "pk"
    batch: int = BATCH

    @property
    def place(self) -> str:
        """How people and progress rows name it: `devices.device.push_handle_sealed`."""
        return f"{self.model._meta.label_lower}.{self.column}"


@dataclass(frozen=True, kw_only=True)
class BlindIndex:
    """The two index columns (`<name>_index`, `<name>_index_next`) of a sealed one (`<name>_sealed`).

    scope: the column that `indexes.to_write` gets as scope. indexed: what is digested of the text.
    """

    sealed: SealedColumn
    scope: str = "bank_id"
    indexed: Callable[[str], str] = str

    @property
    def now(self) -> str:
        return self.sealed.column.removesuffix("_sealed") + "_index"

    @property
    def next(self) -> str:
        return f"{self.now}_next"

    @property
    def place(self) -> str:
        return f"{self.sealed.model._meta.label_lower}.{self.now}"


type Held = Callable[[], Mapping[str, int]]
"""How many sealed texts stand inside other sealed texts, by key id."""

_columns: dict[str, SealedColumn] = {}
_indexes: dict[str, BlindIndex] = {}
_held: dict[str, Held] = {}


def register(*columns: SealedColumn, indexes: tuple[BlindIndex, ...] = ()) -> None:
    """Name an app's sealed columns and blind indexes. A repeat changes nothing."""
    _columns.update((column.place, column) for column in columns)
    _indexes.update((index.place, index) for index in indexes)


def register_held(what: str, held: Held) -> None:
    """Name sealed texts that wait inside others for as long as people take. what: in words, of one and of many."""
    _held[what] = held


def columns() -> list[SealedColumn]:
    """Every sealed column of the product, by place."""
    return [_columns[place] for place in sorted(_columns)]


def indexes() -> list[BlindIndex]:
    """Every blind index of the product, by place."""
    return [_indexes[place] for place in sorted(_indexes)]


def held() -> dict[str, Mapping[str, int]]:
    """What waits inside other texts, by what it is."""
    return {what: count() for what, count in _held.items()}
