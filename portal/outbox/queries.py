"""Reads of the outbox: the ledger that staff look at.

It tells where a message is on its way, not what it says: who reads a code could use it. In the demo, where nothing
leaves the machine, it shows what the sink received.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from portal import vault
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page
from portal.outbox.gateways.sink import PURPOSE
from portal.outbox.models import Message, MessageKind, MessageQuerySet, MessageState
from portal.outbox.operations import RECIPIENT
from portal.outbox.resending import CAPABILITY as RESEND

PAGE_SIZE: Final = 25
COUNTED_UP_TO: Final = 1000
CAPABILITY: Final = "outbox.read"


@dataclass(frozen=True)
class LedgerEntry:
    """One message on its way.

    recipient: a hint; in the demo the whole of it. tries: since it was written, or sent again. next_try_at: while it
    waits. given_up_at: of a failed one. text: in the demo what its reader got; elsewhere always "".
    """

    id: UUID
    kind: str
    template: str
    subject: str
    recipient: str
    state: str
    tries: int
    last_error: str
    created_at: datetime
    next_try_at: datetime | None
    sent_at: datetime | None
    given_up_at: datetime | None
    about_type: str
    about_id: str
    text: str
    can_resend: bool


@dataclass(frozen=True)
class Count:
    """How many messages are in a state, counted up to 1,000; `more` says that there are more than that."""

    number: int
    more: bool


def ledger(actor: Actor, *, state: str = "", kind: str = "", cursor: str | None = None) -> Page[LedgerEntry]:
    """The bank's messages, newest first, 25 a page, in one query.

    state, kind: of `MessageState` and `MessageKind`; other words do not filter. Raises Forbidden without the
    capability `outbox.read`.
    """
    rows = _readable(actor)
    if state in MessageState.values:
        rows = rows.filter(state=state)
    if kind in MessageKind.values:
        rows = rows.filter(kind=kind)
    page = keyset_page(rows, cursor, fields=("id",), size=PAGE_SIZE)
    entries = tuple(_entry(actor, message) for message in page.items)
    return Page(entries, page.next_cursor, page.previous_cursor)


def ledger_entry(actor: Actor, message_id: UUID) -> tuple[Message, LedgerEntry]:
    """One message of the bank, and what the ledger says of it. Raises Forbidden, NotFound."""
    message = _readable(actor).filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message.")
    return message, _entry(actor, message)


def count_by_state(actor: Actor) -> dict[str, Count]:
    """How many of the bank's messages are in each state: one query a state, however many there are."""
    rows = _readable(actor).order_by()
    counted = {state.value: rows.filter(state=state)[: COUNTED_UP_TO + 1].count() for state in MessageState}
    return {state: Count(min(number, COUNTED_UP_TO), number > COUNTED_UP_TO) for state, number in counted.items()}


def _readable(actor: Actor) -> MessageQuerySet:
    if not actor.can(CAPABILITY):
        raise Forbidden("Your role does not read the outbox.", code="capability-missing", capability=CAPABILITY)
    rows = Message.objects.visible_to(actor)
    return rows.select_related("sink") if settings.DEMO else rows


def _entry(actor: Actor, message: Message) -> LedgerEntry:
    state = message.state
    return LedgerEntry(
        id=message.pk,
        kind=message.kind,
        template=message.template,
        subject=message.subject,
        recipient=_recipient(message),
        state=state,
        tries=message.attempts,
        last_error=message.last_error,
        created_at=message.created_at,
        next_try_at=message.next_try_at if state == MessageState.PENDING else None,
        sent_at=message.sent_at,
        given_up_at=message.next_try_at if state == MessageState.FAILED else None,
        about_type=message.about_type,
        about_id=message.about_id,
        text=_text(message),
        can_resend=state == MessageState.FAILED and actor.can(RESEND),
    )


def _recipient(message: Message) -> str:
    if not settings.DEMO:
        return message.recipient_hint
    return vault.unseal(RECIPIENT, message.pk, message.recipient_sealed)


def _text(message: Message) -> str:
    if not settings.DEMO or not hasattr(message, "sink"):
        return ""
    return vault.unseal(PURPOSE, message.pk, message.sink.text_sealed)
