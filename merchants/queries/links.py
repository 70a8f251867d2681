"""The bank's open links, page by page: the last page costs what the first costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from devices.models import EXTERNAL_ID_FORM, Device
from merchants import policies
from merchants.models import Link, LinkOrder, LinkTotal, Phrase, Sighting
from merchants.models.links import PHRASE, number_key
from merchants.phrases import normal_form
from merchants.queries.spans import COLUMNS, from_start, start_of
from portal import indexes
from portal.accounts.models import User
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, NotFound
from portal.keyset import keyset_page

MOST: Final = 100  # links on a page
NEAR: Final = 1000  # so far into a list, counting from its begin is as quick as looking the place up
LONGEST_NUMBER: Final = 64
AT_ONCE: Final = 500  # links that a whole list holds at a time


@dataclass(frozen=True)
class Listed:
    """One line: the device's id and the phrase as the bank sent them, and the customer's number of today."""

    link: Link
    device_id: str
    customer_number: str
    phrase: str
    linked_at: datetime


@dataclass(frozen=True)
class LinkPage:
    """total: of all pages together. page: from 1; one beyond the last has no items."""

    items: tuple[Listed, ...]
    total: int
    page: int
    limit: int


@dataclass(frozen=True)
class LinkShown:
    """What cutting a link means. sightings: how often merchants saw the customer by it. frees: the phrase, too."""

    listed: Listed | None
    link: Link
    sightings: int
    frees_phrase: bool


def list_links(
    actor: Actor,
    *,
    page: int,
    limit: int,
    search: str = "",
    sort: LinkOrder = LinkOrder.TIME,
    descending: bool = True,
) -> LinkPage:
    """One page of the bank's open links, in an order without ties. Four queries; five where something is searched.

    page: from 1. limit: 1 to 100. search: all of a device's id in any spelling, of a phrase or of a customer's id, or
    the beginning of a customer number. Raises Forbidden, InvalidInput (`page`, `limit`).
    """
    bank_id = policies.require_links(actor)
    if page < 1:
        raise InvalidInput.at("page", "min-value", "Pages are counted from 1.")
    if not 1 <= limit <= MOST:
        raise InvalidInput.at("limit", "range", f"A page has 1 to {MOST} links.")
    links, offset = Link.objects.open().filter(bank_id=bank_id), (page - 1) * limit
    if search:
        found = links.filter(_meant(bank_id, search))
        total = found.count()
        rows = _counted(found, sort, descending, offset, limit) if offset < total else []
    else:
        total = _total(bank_id)
        rows = _page(links, bank_id, total, sort, descending, offset, limit) if offset < total else []
    return LinkPage(tuple(_listed(link) for link in rows), total, page, limit)


def show_link(actor: Actor, link_id: str) -> LinkShown:
    """One link, open or ended, and what cutting it would mean. Raises Forbidden, NotFound."""
    policies.require_links(actor)
    link = find_link(actor, link_id)
    sightings = Sighting.objects.filter(link=link).count()
    if link.phrase is None:
        return LinkShown(None, link, sightings, frees_phrase=False)
    others = Link.objects.filter(phrase=link.phrase).exclude(pk=link.pk)
    return LinkShown(_listed(link), link, sightings, frees_phrase=not others.exists())


def find_link(actor: Actor, link_id: str) -> Link:
    """The link with this id, open or ended, its customer, phrase and device with it. Raises NotFound."""
    try:
        rows = Link.objects.visible_to(actor).filter(pk=UUID(link_id))
    except ValueError:
        rows = Link.objects.none()
    link = rows.select_related("customer", "phrase", "device").first()
    if link is None:
        raise NotFound("There is no such link.")
    return link


def all_links(actor: Actor, search: str = "") -> Iterator[Listed]:
    """Every open link that fits, newest first, however many; search: as in `list_links`. Raises Forbidden at once."""
    bank_id = policies.require_links(actor)
    links = Link.objects.open().filter(bank_id=bank_id).select_related("phrase", "customer")
    return _walked(links.filter(_meant(bank_id, search)) if search else links)


def link_of_device(actor: Actor, device: Device) -> Link | None:
    """The device's open link; None also for who may not see links. One query at most."""
    if not actor.can(Capability.LINKS_MANAGE):
        return None
    return Link.objects.visible_to(actor).open().filter(device=device).first()


def _walked(links: QuerySet[Link]) -> Iterator[Listed]:
    cursor: str | None = None
    while True:
        page = keyset_page(links, cursor, fields=("linked_at", "id"), size=AT_ONCE)
        yield from map(_listed, page.items)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _total(bank_id: UUID) -> int:
    return LinkTotal.objects.filter(pk=bank_id).values_list("total", flat=True).first() or 0


def _page(
    links: QuerySet[Link], bank_id: UUID, total: int, sort: LinkOrder, descending: bool, offset: int, limit: int
) -> list[Link]:
    """Downwards is upwards from the other end: the same links, read backwards."""
    if offset < NEAR:
        return _counted(links, sort, descending, offset, limit)
    count = min(limit, total - offset)
    start = start_of(bank_id, sort, total - offset - count if descending else offset)
    wanted = from_start(links, sort, start)[start.skip : start.skip + count]
    return _whole(wanted, sort, descending)


def _counted(links: QuerySet[Link], sort: LinkOrder, descending: bool, offset: int, limit: int) -> list[Link]:
    fields = (COLUMNS[sort], "id")
    ordered = links.order_by(*(f"-{field}" if descending else field for field in fields))
    return _whole(ordered[offset : offset + limit], sort, descending)


def _whole(wanted: QuerySet[Link], sort: LinkOrder, descending: bool) -> list[Link]:
    """What is skipped is read from the index alone: the rest of a link is looked up for the page only.

    In two statements, because a planner may think a whole table cheaper than a page of rows by their ids.
    """
    fields = (COLUMNS[sort], "id")
    ids = list(wanted.values_list("pk", flat=True))
    links = Link.objects.filter(pk__in=ids).select_related("phrase", "customer")
    return list(links.order_by(*(f"-{field}" if descending else field for field in fields)))


def _listed(link: Link) -> Listed:
    phrase = link.phrase.text if link.phrase is not None else ""
    return Listed(link, link.device_id_text, link.customer.customer_number or "", phrase, link.linked_at)


def _meant(bank_id: UUID, text: str) -> Q:
    """The links that a text names; every condition stands on an index of links alone."""
    meant = Q(pk__in=[])
    if EXTERNAL_ID_FORM.fullmatch(text):
        devices = Device.objects.filter(bank_id=bank_id).named(text, bank_id)
        meant |= Q(device_id__in=list(devices.values_list("pk", flat=True)))
    if phrase := _phrase_named(bank_id, text):
        meant |= Q(phrase_id=phrase)
    if customer := User.id_from(text):
        meant |= Q(customer_id=customer)
    if len(text) <= LONGEST_NUMBER and text.isprintable():
        begin = number_key(text)
        meant |= Q(number_key__gte=begin, number_key__lt=f"{begin}g")  # "g" follows every hexadecimal digit
    return meant


def _phrase_named(bank_id: UUID, text: str) -> UUID | None:
    """A text that is no phrase names none."""
    try:
        normal = normal_form(text)
    except InvalidInput:
        return None
    phrases = Phrase.objects.filter(bank_id=bank_id, text_index__in=indexes.to_find(PHRASE, bank_id, normal))
    return phrases.values_list("pk", flat=True).first()
