"""Links, and who saw whom, as the portal's pages show them: plain values."""

from collections.abc import Sequence
from typing import Final

from django.urls import reverse

from devices.models import Device
from devices.screens.registry import name_of
from merchants.models import Link, Sighting
from merchants.models.positions import LinkOrder
from merchants.queries.links import LinkPage, LinkShown, Listed
from merchants.queries.sightings import Seen
from merchants.states import EndReason
from portal.accounts.models import User
from portal.accounts.roles import Capability
from portal.core.actor import Actor

SORTS: Final = {"time": LinkOrder.TIME, "customer": LinkOrder.CUSTOMER}
STARTS: Final = {"time": "down", "customer": "up"}  # what the first press of a column's head gives


def order_of(word: str) -> tuple[LinkOrder, bool]:
    """`customer-down` → by customer, descending."""
    column, _, way = word.partition("-")
    return SORTS[column], way == "down"


def heads(word: str) -> dict[str, dict[str, str]]:
    """The heads that sort: what pressing one asks for, and how the list stands now ("" where by another)."""
    now, _, way = word.partition("-")
    turned = "up" if way == "down" else "down"
    return {
        column: {
            "order": f"{column}-{turned if column == now else start}",
            "stands": {"up": "ascending", "down": "descending"}[way] if column == now else "",
        }
        for column, start in STARTS.items()
    }


def numbered(page: LinkPage) -> dict[str, int]:
    """The numbers of the pages around this one; 0 where there is none."""
    pages = max(1, -(-page.total // page.limit))
    return {
        "page": page.page,
        "pages": pages,
        "first": 1 if page.page > 1 else 0,
        "previous": min(page.page - 1, pages),
        "next": page.page + 1 if page.page < pages else 0,
        "last": pages if page.page < pages else 0,
    }


def listed(row: Listed) -> dict[str, object]:
    return {
        "url": reverse("links:detail", args=[row.link.pk]),
        "device_id": row.device_id,
        "phrase": row.phrase,
        "linked_at": row.linked_at,
        "customer": person(row.link.customer),
    }


def person(customer: User) -> dict[str, object]:
    return {
        "url": reverse("customers:detail", args=[customer.pk]),
        "seen_url": reverse("links:customer", args=[customer.pk]),
        "name": customer.name,
        "customer_number": customer.customer_number,
        "public_id": customer.public_id,
    }


def device(found: Device) -> dict[str, object]:
    return {
        "url": reverse("devices:detail", args=[found.pk]),
        "name": name_of(found),
        "kind": found.kind,
        "public_id": found.public_id,
    }


def shown(found: LinkShown) -> dict[str, object]:
    """One link. What an ended one no longer holds is ""."""
    link = found.link
    return {
        "url": reverse("links:detail", args=[link.pk]),
        "cut_url": reverse("links:cut", args=[link.pk]),
        "open": found.listed is not None,
        "mark": "link-open" if found.listed else "link-ended",
        "device_id": found.listed.device_id if found.listed else "",
        "phrase": found.listed.phrase if found.listed else "",
        "device": device(link.device),
        "customer": person(link.customer),
        "linked_at": link.linked_at,
        "ended_at": link.ended_at,
        "why": EndReason(link.end_reason).label if link.end_reason else "",
        "sightings": found.sightings,
        "frees_phrase": found.frees_phrase,
    }


def preview(found: LinkShown) -> list[dict[str, object]]:
    """What cutting it means, as in partials/counted.html."""
    seen = "lookup by it stays in the log" if found.sightings == 1 else "lookups by it stay in the log"
    phrase = (
        "It is the last device of this phrase: the phrase is forgotten, and any customer can have it."
        if found.frees_phrase
        else "The phrase stays the customer's: another device stands for it."
    )
    return [
        {"count": None, "text": "Merchants that look this device up find nobody from then on."},
        {"count": None, "text": phrase},
        {"count": found.sightings, "text": seen},
    ]


def of_device(link: Link | None) -> dict[str, object] | None:
    """The line on a device's page."""
    return {"url": reverse("links:detail", args=[link.pk]), "linked_at": link.linked_at} if link else None


def seen_url(actor: Actor, customer: User) -> str:
    """Where it stands which merchants saw a customer; "" for who may not know."""
    return reverse("links:customer", args=[customer.pk]) if actor.can(Capability.MERCHANTS_READ) else ""


def lookup(sighting: Sighting, actor: Actor) -> dict[str, object]:
    """A line of the log. The device only for who may see devices."""
    sees = actor.can(Capability.DEVICES_READ)
    return {
        "at": sighting.at,
        "merchant": sighting.merchant.application.name,
        "merchant_url": _of_merchant(sighting.merchant.application.client_id),
        "customer": person(sighting.customer),
        "device": device(sighting.link.device) if sees else None,
    }


def seen(found: Sequence[Seen]) -> list[dict[str, object]]:
    """The merchants that saw a customer."""
    return [
        {
            "name": one.name,
            "url": _of_merchant(one.client_id),
            "count": one.count,
            "first": one.first,
            "last": one.last,
        }
        for one in found
    ]


def seen_tiles(found: Sequence[Seen]) -> list[dict[str, object]]:
    """What a customer who asks wants to know first."""
    return [
        {"label": "Merchants", "value": len(found), "note": "were told of this customer"},
        {"label": "Lookups", "value": sum(one.count for one in found), "note": "found this customer"},
    ]


def tabs(actor: Actor, here: str) -> list[dict[str, object]]:
    """The pages that stand beside each other, for who may see more than one of them."""
    known = (
        ("links:list", "Links", Capability.LINKS_MANAGE),
        ("links:lookups", "Lookups", Capability.MERCHANTS_READ),
    )
    found = [
        {"label": label, "url": reverse(route), "current": route == here}
        for route, label, capability in known
        if actor.can(capability)
    ]
    return found if len(found) > 1 else []


def _of_merchant(client_id: object) -> str:
    return f"{reverse('links:lookups')}?merchant={client_id}"
