"""Cards, tokens and refused rows as CSV, line by line."""

from collections.abc import Iterator
from typing import Final

from devices.models import Device, ImportRefusal, ImportRun, IssuedDetails
from devices.operations.import_rows import COLUMNS
from devices.queries import issued as queries
from devices.queries.issued import IssuedFilter
from portal.core import clock, sheets
from portal.core.actor import Actor

EXPORTED: Final = (*COLUMNS, "device-id", "card-status", "issued", "activation-date")
REFUSED: Final = ("line", "column", "rule", "message")


def empty_sheet() -> str:
    """The header of a file to import."""
    return sheets.line(COLUMNS)


def issued_sheet(actor: Actor, wanted: IssuedFilter | None = None) -> Iterator[str]:
    """The bank's cards and tokens that fit, with the columns of an import in front. Raises Forbidden at once."""
    queries.issued_devices(actor)
    return _lines(actor, wanted)


def _lines(actor: Actor, wanted: IssuedFilter | None) -> Iterator[str]:
    yield sheets.line(EXPORTED)
    for device in queries.all_issued(actor, wanted):
        yield sheets.line(_cells(device, queries.details_of(device) or IssuedDetails()))


def _cells(device: Device, details: IssuedDetails) -> tuple[object, ...]:
    number = f"{details.number_start}******{details.number_end}" if details.number_end else ""
    primary = {True: "yes", False: "no", None: ""}[details.is_primary]
    return (
        device.owner.customer_number,
        device.kind,
        details.reference,
        device.model,
        " ".join(details.capabilities),
        number,
        details.card_kind,
        details.card_brand,
        details.cardholder_name,
        primary,
        details.delivered_on,
        details.expires_on,
        device.public_id,
        queries.card_status_of(device).value,
        clock.rfc3339(device.registered_at),
        device.activated_at.date() if device.activated_at else "",
    )


def refused_sheet(run: ImportRun) -> Iterator[str]:
    """The refused rows of an import: where, which column, which rule. What stood in them was not kept."""
    yield sheets.line(REFUSED)
    yield from map(refused_line, queries.refusals_of(run))


def refused_line(refusal: ImportRefusal) -> str:
    """One of them."""
    return sheets.line((refusal.line or "", refusal.field, refusal.code, refusal.message))
