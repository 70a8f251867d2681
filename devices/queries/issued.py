"""Cards and tokens of the bank, and the imports that brought them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db.models import Case, CharField, Count, F, Q, Value, When

from devices import policies
from devices.models import ISSUED_KINDS, Device, ImportRefusal, ImportRun, Kind
from devices.policies.issued import details_of
from devices.queries.registry import COUNTED_UP_TO, PAGE_SIZE, DevicePage, OffsetPage
from devices.querysets import DeviceQuerySet
from devices.states import CardStatus, DeviceStatus
from portal.accounts.models import User
from portal.accounts.queries import claimed_customer
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

SORTS: Final = {"nickname": "nickname_key", "status": "card_status", "registered_at": "registered_at"}
EXPORTED_AT_ONCE: Final = 500
REFUSALS_SHOWN: Final = 50


def _today() -> date:
    return clock.now().date()


def with_card_status(devices: DeviceQuerySet) -> DeviceQuerySet:
    """Each with `card_status`: the first of these that is true. It is valid through its last day (ISO/IEC 7813)."""
    rules = (
        (Q(lost_at__isnull=False), CardStatus.LOST),
        (Q(status=DeviceStatus.BLOCKED), CardStatus.BLOCKED),
        (Q(issued__expires_on__lt=_today()), CardStatus.EXPIRED),
        (Q(status__in=[DeviceStatus.PENDING, DeviceStatus.INACTIVE]), CardStatus.INACTIVE),
    )
    whens = [When(rule, then=Value(word.value)) for rule, word in rules]
    return devices.annotate(card_status=Case(*whens, default=Value(CardStatus.VALID.value), output_field=CharField()))


def card_status_of(device: Device) -> CardStatus:
    """What a card or token is to its holder. Costs a query unless `with_card_status` found it."""
    found = getattr(device, "card_status", None)
    if found is None:
        same = Device.objects.filter(pk=device.pk)
        found = getattr(with_card_status(same).get(), "card_status")  # noqa: B009  it is annotated
    return CardStatus(found)


def issued_devices(actor: Actor) -> DeviceQuerySet:
    """The cards and tokens that an actor may know of and that are in use, each with `card_status`."""
    if actor.is_staff:
        policies.read(actor).require()
    found = Device.objects.visible_to(actor).issued().in_use()
    return with_card_status(found.select_related("owner", "issued"))


def get_issued_device(actor: Actor, device_id: str) -> Device:
    """The card or token that a text names; phones, and what is out of use, are unknown here. Raises NotFound."""
    return issued_devices(actor).get_named(device_id, actor.bank_id)


def issued_devices_page(
    actor: Actor,
    *,
    customer_id: str | None = None,
    card_statuses: list[str] | None = None,
    sort_by: str = "registered_at",
    descending: bool = False,
    page: int = 1,
    page_size: int = 10,
) -> OffsetPage:
    """A customer's cards and tokens, or the bank's (of one customer).

    customer_id: as `claimed_customer` takes it. card_statuses: `CardStatus` values; only payment cards have one, so
    that nothing else is listed then. sort_by: a key of `SORTS`. Raises Forbidden.
    """
    devices = issued_devices(actor)
    if customer_id is not None:
        devices = devices.filter(owner=claimed_customer(actor, customer_id))
    if card_statuses is not None:
        devices = devices.filter(Q(kind=Kind.PAYMENT_CARD) & Q(card_status__in=card_statuses))
    sign = "-" if descending else ""
    total = devices.count()
    start = (page - 1) * page_size
    items = list(devices.order_by(f"{sign}{SORTS[sort_by]}", f"{sign}id")[start : start + page_size])
    return OffsetPage(items, total, page, page_size)


@dataclass(frozen=True)
class IssuedFilter:
    """What a member of staff looks for. Empty texts do not filter. status: a `CardStatus`, for tokens too."""

    q: str = ""
    status: str = ""
    kind: str = ""


def issued_page(actor: Actor, wanted: IssuedFilter, cursor: str | None = None) -> DevicePage:
    """The newest cards and tokens of the bank that fit, 25 to a page, in two queries however many there are."""
    devices = filtered(issued_devices(actor), wanted, actor.bank_id)
    counted = devices.order_by()[: COUNTED_UP_TO + 1].count()
    page = keyset_page(devices, cursor, fields=("registered_at", "id"), size=PAGE_SIZE)
    return DevicePage(
        items=list(page.items),
        total=min(counted, COUNTED_UP_TO),
        more=counted > COUNTED_UP_TO,
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def filtered(devices: DeviceQuerySet, wanted: IssuedFilter, bank_id: UUID | None) -> DeviceQuerySet:
    """Those that fit."""
    if wanted.status in CardStatus.values:
        devices = devices.filter(Q(card_status=wanted.status))
    if wanted.kind in ISSUED_KINDS:
        devices = devices.filter(kind=wanted.kind)
    text = wanted.q.strip()
    return devices.filter(_search(text, bank_id)) if text else devices


def _search(text: str, bank_id: UUID | None) -> Q:
    """By id, reference, customer number or `USR_…`, last four of the card number, brand or model."""
    found = Q(pk__in=Device.objects.named(text, bank_id).values("pk"))
    found |= Q(issued__reference=text) | Q(owner__customer_number=text)
    found |= Q(model__icontains=text) | Q(issued__card_brand__iexact=text)
    if len(text) == 4 and text.isdigit():
        found |= Q(issued__number_end=text)
    if owner_id := User.id_from(text):
        found |= Q(owner_id=owner_id)
    return found


def count_by_card_status(actor: Actor) -> dict[str, int]:
    """How many cards and tokens of the bank are in each state, in one query."""
    devices = issued_devices(actor).select_related(None).order_by()
    counts = dict(devices.values_list(F("card_status")).annotate(n=Count("pk")))
    return {status.value: counts.get(status.value, 0) for status in CardStatus}


def all_issued(actor: Actor, wanted: IssuedFilter | None = None) -> Iterator[Device]:
    """Every card and token that fits, newest first, however many: a few hundred are held at a time."""
    devices = filtered(issued_devices(actor), wanted or IssuedFilter(), actor.bank_id)
    cursor: str | None = None
    while True:
        page = keyset_page(devices, cursor, fields=("registered_at", "id"), size=EXPORTED_AT_ONCE)
        yield from page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def imports_page(actor: Actor, cursor: str | None = None) -> Page[ImportRun]:
    """The newest imports of the bank, 25 to a page, in one query; without their content."""
    policies.issue(actor).require()
    runs = ImportRun.objects.visible_to(actor).select_related("uploaded_by", "started_by").defer("content_sealed")
    return keyset_page(runs, cursor, fields=("created_at", "id"), size=PAGE_SIZE)


def get_import(actor: Actor, run_id: UUID) -> ImportRun:
    """One import of the bank. Raises Forbidden, NotFound."""
    policies.issue(actor).require()
    runs = ImportRun.objects.visible_to(actor).select_related("uploaded_by", "started_by").defer("content_sealed")
    run = runs.filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such import.")
    return run


def refusals_of(run: ImportRun) -> Iterator[ImportRefusal]:
    """Every refused row of an import, by line."""
    return run.refusals.order_by("line", "id").iterator(chunk_size=EXPORTED_AT_ONCE)


def first_refusals_of(run: ImportRun) -> tuple[list[ImportRefusal], bool]:
    """The first refused rows, for a page, and whether there are more."""
    found = list(run.refusals.order_by("line", "id")[: REFUSALS_SHOWN + 1])
    return found[:REFUSALS_SHOWN], len(found) > REFUSALS_SHOWN


__all__ = [
    "IssuedFilter",
    "all_issued",
    "card_status_of",
    "count_by_card_status",
    "details_of",
    "filtered",
    "first_refusals_of",
    "get_import",
    "get_issued_device",
    "imports_page",
    "issued_devices",
    "issued_devices_page",
    "issued_page",
    "refusals_of",
    "with_card_status",
]
