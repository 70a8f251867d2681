"""Keyset pages over a queryset, newest first: page 1,000 costs what page one costs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Model, Q, QuerySet, UUIDField

from portal.core import pages
from portal.core.pages import Page

FORWARD, BACK = "n", "p"


def keyset_page[M: Model](
    rows: QuerySet[M], cursor: str | None, *, fields: tuple[str, ...], size: int, ascending: bool = False
) -> Page[M]:
    """One page of `rows`, ordered by `fields`, descending unless told; the last field has to be unique. One query.

    cursor: of an earlier page; one that cannot be read gives the first page. The previous page's cursor is given
    even when rows arrived meanwhile that make it the first.
    """
    direction, values = _read(rows, cursor, fields)
    back = direction == BACK
    upwards = back != ascending
    if values:
        rows = rows.filter(_beyond(fields, values, "gt" if upwards else "lt"))
    ordering = fields if upwards else tuple(f"-{field}" for field in fields)
    found = list(rows.order_by(*ordering)[: size + 1])
    more, items = len(found) > size, found[:size]
    if back:
        items.reverse()
    has_next = more if not back else bool(values)
    has_previous = more if back else bool(values)
    return Page(
        items=tuple(items),
        next_cursor=_write(FORWARD, items[-1], fields) if items and has_next else None,
        previous_cursor=_write(BACK, items[0], fields) if items and has_previous else None,
    )


def _beyond(fields: tuple[str, ...], values: list[object], comparison: str) -> Q:
    """(a, b) < (x, y), spelled out: a < x, or a = x and b < y."""
    condition = Q()
    for position, field in enumerate(fields):
        equal = dict(zip(fields[:position], values[:position], strict=True))
        condition |= Q(**equal, **{f"{field}__{comparison}": values[position]})
    return condition


def _write(direction: str, row: Model, fields: tuple[str, ...]) -> str:
    texts = []
    for field in fields:
        value = getattr(row, field)
        texts.append(value.isoformat() if isinstance(value, datetime) else str(value))
    return pages.encode((direction, *texts))


def _read(rows: QuerySet[Any], cursor: str | None, fields: tuple[str, ...]) -> tuple[str, list[object]]:
    if not cursor:
        return FORWARD, []
    try:
        direction, *texts = pages.decode(cursor)
        values = [_value(rows, field, str(text)) for field, text in zip(fields, texts, strict=True)]
    except ValueError:
        return FORWARD, []
    return (BACK if direction == BACK else FORWARD), values


def _value(rows: QuerySet[Any], field: str, text: str) -> object:
    column = rows.model._meta.get_field(field)
    if isinstance(column, DateTimeField):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a cursor's time needs an offset")
        return moment
    return UUID(text) if isinstance(column, UUIDField) else text
