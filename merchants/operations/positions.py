"""The counted spans of a bank's open links: kept with every link that comes, goes or moves, in its transaction.

Whoever changes links takes the lock of the bank's `LinkTotal` (`lock`) after every other lock but those of links,
and then looks at what it is going to change. So nothing waits in a circle, and no span misses a link.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from merchants.models import Link, LinkOrder, LinkSpan, LinkTotal
from merchants.queries.spans import COLUMNS, Start, from_start, key_of, start_of, text_of, value_of

__all__ = ["SPAN_SIZE", "entered", "key_changed", "left", "lock", "rebuild", "start_of"]

SPAN_SIZE = 1000  # links; a fuller span is split. Tests make it small.
_FIRST: Final = ("", UUID(int=0))
_BATCH: Final = 1000


def lock(bank_id: UUID) -> None:
    """Let nobody else change the bank's links until the transaction ends. Made at the first link."""
    total = LinkTotal.objects.select_for_update().filter(pk=bank_id)
    if total.first() is None:
        LinkTotal.objects.bulk_create([LinkTotal(bank_id=bank_id)], ignore_conflicts=True)
        total.get()
        LinkSpan.objects.bulk_create([_first_span(bank_id, order) for order in LinkOrder], ignore_conflicts=True)


def entered(link: Link) -> None:
    """Count a link that has just been stored. Under `lock`."""
    spans = [_span_of(link.bank_id, order, text_of(key_of(link, order)), link.pk) for order in LinkOrder]
    _count(link.bank_id, spans, 1)
    LinkTotal.objects.filter(pk=link.bank_id).update(total=F("total") + 1)


def left(link: Link) -> None:
    """Count a link out that has just ended. Under `lock`, and `link` read under it."""
    spans = [_span_of(link.bank_id, order, text_of(key_of(link, order)), link.pk) for order in LinkOrder]
    _count(link.bank_id, spans, -1)
    LinkTotal.objects.filter(pk=link.bank_id).update(total=F("total") - 1)


def key_changed(link: Link, old_number_key: str) -> None:
    """Count an open link at its customer's new number, once that is stored. Under `lock`."""
    _count(link.bank_id, [_span_of(link.bank_id, LinkOrder.CUSTOMER, old_number_key, link.pk)], -1)
    _count(link.bank_id, [_span_of(link.bank_id, LinkOrder.CUSTOMER, link.number_key, link.pk)], 1)


@transaction.atomic
def rebuild(bank_id: UUID) -> int:
    """Count everything anew: after loading links past the operations, and should a count ever be wrong.

    Returns how many open links there are. A repeat makes the same spans.
    """
    lock(bank_id)
    links = Link.objects.filter(bank_id=bank_id, ended_at=None)
    total = links.count()
    LinkSpan.objects.filter(bank_id=bank_id).delete()
    for order in LinkOrder:
        LinkSpan.objects.bulk_create(_counted_anew(bank_id, order, links, total), batch_size=_BATCH)
    LinkTotal.objects.filter(pk=bank_id).update(total=total)
    return total


def _counted_anew(bank_id: UUID, order: LinkOrder, links: QuerySet[Link], total: int) -> Iterator[LinkSpan]:
    column = COLUMNS[order]
    numbered = links.annotate(number=Window(RowNumber(), order_by=[column, "id"]) - 1, part=F("number") % SPAN_SIZE)
    begins = numbered.filter(part=0).order_by("number").values_list(column, "id", "number")
    empty = True
    for key, pk, number in begins.iterator(_BATCH):
        first = (text_of(key), pk) if number else _FIRST
        empty = False
        yield _span(bank_id, order, first, min(SPAN_SIZE, total - number))
    if empty:
        yield _first_span(bank_id, order)


def _first_span(bank_id: UUID, order: LinkOrder) -> LinkSpan:
    return _span(bank_id, order, _FIRST, 0)


def _span(bank_id: UUID, order: LinkOrder, first: tuple[str, UUID], count: int) -> LinkSpan:
    return LinkSpan(bank_id=bank_id, order=order, first_key=first[0], first_id=first[1], count=count)


def _span_of(bank_id: UUID, order: LinkOrder, key: str, pk: UUID) -> LinkSpan:
    """The span in which a link stands: the last one that begins at it or before."""
    begun = LinkSpan.objects.filter(bank_id=bank_id, order=order, first_key__lte=key)
    begun = begun.filter(Q(first_key__lt=key) | Q(first_id__lte=pk))
    return begun.order_by("-first_key", "-first_id")[0]


def _count(bank_id: UUID, spans: Iterable[LinkSpan], step: int) -> None:
    """One link more or less in each of these spans."""
    spans = list(spans)
    LinkSpan.objects.filter(pk__in=[span.pk for span in spans]).update(count=F("count") + step)
    for span in spans:
        span.count += step
        if span.count > SPAN_SIZE:
            _split(span)
        elif span.count == 0 and (span.first_key, span.first_id) != _FIRST:
            span.delete()


def _split(span: LinkSpan) -> None:
    order, stays = LinkOrder(span.order), span.count // 2
    links = Link.objects.filter(bank_id=span.bank_id, ended_at=None)
    start = Start(value_of(order, span.first_key), span.first_id, 0)
    key, pk = from_start(links, order, start).values_list(COLUMNS[order], "id")[stays]
    _span(span.bank_id, order, (text_of(key), pk), span.count - stays).save(force_insert=True)
    LinkSpan.objects.filter(pk=span.pk).update(count=stays)
