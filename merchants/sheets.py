"""Links and lookups as CSV, line by line; cells that look like formulas are guarded in `portal.core.sheets`."""

from collections.abc import Iterator
from typing import Final

from merchants.models import Sighting
from merchants.operations.exports import export_links, export_lookups
from merchants.queries.links import Listed
from portal.accounts.roles import Capability
from portal.core import clock, sheets
from portal.core.actor import Actor

LINKS: Final = ("device-id", "customer-number", "phrase", "linked-at", "link-id")
LOOKUPS: Final = ("at", "merchant", "merchant-id", "customer-number", "device-id")


def link_sheet(actor: Actor, search: str = "") -> Iterator[str]:
    """The open links. Raises what `export_links` does, at once."""
    return _lines(LINKS, map(_link, export_links(actor=actor, search=search)))


def lookup_sheet(actor: Actor, client_id: str = "") -> Iterator[str]:
    """The lookups that found somebody; devices only for who may see devices. Raises as `export_lookups`, at once."""
    with_device = actor.can(Capability.DEVICES_READ)
    found = export_lookups(actor=actor, client_id=client_id)
    return _lines(LOOKUPS, (_lookup(sighting, with_device=with_device) for sighting in found))


def _lines(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    yield sheets.line(head)
    yield from map(sheets.line, rows)


def _link(row: Listed) -> tuple[object, ...]:
    return row.device_id, row.customer_number, row.phrase, clock.rfc3339(row.linked_at), row.link.pk


def _lookup(sighting: Sighting, *, with_device: bool) -> tuple[object, ...]:
    client = sighting.merchant.application
    device = sighting.link.device.public_id if with_device else ""
    number = sighting.customer.customer_number
    return clock.rfc3339(sighting.at), client.name, client.client_id, number, device
