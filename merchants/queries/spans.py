"""Where in a bank's open links a page begins, told by the counted spans of `merchants.operations.positions`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import F, IntegerField, Q, QuerySet, Sum, Window

from merchants.models import Link, LinkOrder, LinkSpan

COLUMNS: Final = {LinkOrder.TIME: "linked_at", LinkOrder.CUSTOMER: "number_key", LinkOrder.DEVICE: "device_id"}

type Key = datetime | str | UUID


@dataclass(frozen=True)
class Start:
    """Where to begin reading: at `key` (None: at the very first link) and `id`, and how many links to skip there."""

    key: Key | None
    id: UUID
    skip: int


def start_of(bank_id: UUID, order: LinkOrder, offset: int) -> Start:
    """Where the link stands that has `offset` links before it. One query, however far it is."""
    passed = Window(Sum("count"), order_by=["first_key", "first_id"], output_field=IntegerField())
    spans = LinkSpan.objects.filter(bank_id=bank_id, order=order).annotate(before=passed - F("count"))
    reached = spans.filter(before__lte=offset).order_by("-first_key", "-first_id")
    found = reached.values_list("first_key", "first_id", "before").first()
    if found is None:
        return Start(None, UUID(int=0), offset)
    first_key, first_id, before = found
    return Start(value_of(order, first_key), first_id, offset - before)


def from_start(links: QuerySet[Link], order: LinkOrder, start: Start) -> QuerySet[Link]:
    """The links from there on, upwards; the caller skips `start.skip` of them."""
    column = COLUMNS[order]
    links = links.order_by(column, "id")
    if start.key is None:
        return links
    # That the key is not smaller says nothing new: it is what the index is entered by.
    beyond = Q(**{f"{column}__gt": start.key}) | Q(id__gte=start.id)
    return links.filter(beyond, **{f"{column}__gte": start.key})


def key_of(link: Link, order: LinkOrder) -> Key:
    """What a link is sorted by."""
    key: Key = getattr(link, COLUMNS[order])
    return key


def text_of(key: Key) -> str:
    """The key as a text that sorts as the column does."""
    if isinstance(key, datetime):
        return key.astimezone(UTC).isoformat(timespec="microseconds")
    return key.hex if isinstance(key, UUID) else key


def value_of(order: LinkOrder, text: str) -> Key | None:
    """The key that `text_of` wrote; None for "", where the first span begins."""
    if not text or order is LinkOrder.CUSTOMER:
        return text or None
    return UUID(text) if order is LinkOrder.DEVICE else datetime.fromisoformat(text)
