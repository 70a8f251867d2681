"""Who looked up whom: the bank's log of lookups that found somebody, and what it says about one customer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, F, Max, Min, QuerySet

from merchants.models import Sighting
from merchants.queries.merchants import key_of, merchant_clients
from portal.accounts.models import User
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 50
AT_ONCE: Final = 500
OFFERED: Final = 200  # merchants that a filter offers
ORDER: Final = ("at", "id")
SHOWN: Final = ("merchant__application", "customer", "link__device")


@dataclass(frozen=True)
class Seen:
    """A merchant that was told of a customer: how often, and when first and last."""

    client_id: str
    name: str
    count: int
    first: datetime
    last: datetime


def merchant_names(actor: Actor) -> list[tuple[str, str]]:
    """(client id, name) of the bank's merchants, by name; for a filter. One query. Raises Forbidden."""
    found = merchant_clients(actor).order_by("name", "client_id").values_list("client_id", "name")
    return [(str(client_id), str(name)) for client_id, name in found[:OFFERED]]


def wanted_sightings(actor: Actor, client_id: str = "") -> QuerySet[Sighting]:
    """The sightings of the bank, or of one merchant, each with merchant, customer and device.

    Raises Forbidden, NotFound.
    """
    require_capability(actor, Capability.MERCHANTS_READ)
    found = Sighting.objects.visible_to(actor)
    if client_id:
        found = found.filter(merchant_id=key_of(actor, client_id))
    return found.select_related(*SHOWN)


def lookup_page(
    actor: Actor, client_id: str = "", cursor: str | None = None, *, size: int = PAGE_SIZE
) -> Page[Sighting]:
    """A page of them, newest first. One query, one more for a merchant. Raises Forbidden, NotFound."""
    return keyset_page(wanted_sightings(actor, client_id), cursor, fields=ORDER, size=size)


def sightings_of_customer(person: User, cursor: str | None = None) -> Page[Sighting]:
    """Each time that a merchant was told of a customer whom `seen_customer` gave, newest first. One query."""
    found = Sighting.objects.filter(customer=person).select_related(*SHOWN)
    return keyset_page(found, cursor, fields=ORDER, size=PAGE_SIZE)


def merchants_that_saw(person: User) -> list[Seen]:
    """The merchants that were told of a customer whom `seen_customer` gave, the latest first. One query."""
    found = Sighting.objects.filter(customer=person).values(
        named=F("merchant__application__client_id"), name=F("merchant__application__name")
    )
    found = found.annotate(number=Count("pk"), first=Min("at"), last=Max("at")).order_by("-last", "named")
    return [Seen(*row) for row in found.values_list("named", "name", "number", "first", "last")]


def all_of(found: QuerySet[Sighting]) -> Iterator[Sighting]:
    """All of them, newest first, however many."""
    cursor: str | None = None
    while True:
        page = keyset_page(found, cursor, fields=ORDER, size=AT_ONCE)
        yield from page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def seen_customer(actor: Actor, customer_id: UUID) -> User:
    """A customer of the bank, for who may see which merchants saw them. Raises Forbidden, NotFound."""
    require_capability(actor, Capability.MERCHANTS_READ)
    person = User.objects.visible_to(actor).customers().filter(pk=customer_id).first()
    if person is None:
        raise NotFound("There is no such customer.")
    return person
