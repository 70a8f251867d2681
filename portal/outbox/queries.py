"""Reads of the outbox: the demo's sink page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from portal import vault
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page
from portal.outbox.gateways.sink import PURPOSE
from portal.outbox.models import Message
from portal.outbox.operations import RECIPIENT

PAGE_SIZE = 50


@dataclass(frozen=True)
class SinkMessage:
    """A message as its reader would have seen it."""

    id: UUID
    kind: str
    template: str
    recipient: str
    text: str
    about_type: str
    about_id: str
    delivered_at: datetime


def sink_messages_visible_to(actor: Actor, *, cursor: str | None = None) -> Page[SinkMessage]:
    """What the demo's sink received for the actor's bank, newest first, 50 a page. One query.

    Raises NotFound outside the demo and Forbidden without the capability `outbox.read`.
    """
    if not settings.DEMO:
        raise NotFound("The sink exists in the demo only.")
    if not actor.can("outbox.read"):
        raise Forbidden("Your role does not read the outbox.", code="capability-missing", capability="outbox.read")
    rows = Message.objects.filter(sink__isnull=False).select_related("sink")
    if actor.bank_id is not None:
        rows = rows.filter(bank_id=actor.bank_id)
    page = keyset_page(rows, cursor, fields=("id",), size=PAGE_SIZE)
    return Page(tuple(_opened(message) for message in page.items), page.next_cursor, page.previous_cursor)


def _opened(message: Message) -> SinkMessage:
    return SinkMessage(
        id=message.pk,
        kind=message.kind,
        template=message.template,
        recipient=vault.unseal(RECIPIENT, message.pk, message.recipient_sealed),
        text=vault.unseal(PURPOSE, message.pk, message.sink.text_sealed),
        about_type=message.about_type,
        about_id=message.about_id,
        delivered_at=message.sink.delivered_at,
    )
