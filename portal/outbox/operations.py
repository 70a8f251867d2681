"""Messages: written in the transaction that causes them, sent after it, at least once.

    PENDING → SENDING → SENT            a worker claims the row, sends outside any transaction, and wipes the body
                      → PENDING         the gateway failed for now: tried again, later each time
                      → FAILED          it failed for good, or for the eighth time

A worker that dies between claim and send leaves SENDING behind; once the claim has run out the sweep takes it again.
"""

import logging
import time
from datetime import datetime, timedelta
from random import SystemRandom
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q

from portal import jobs, vault
from portal.core import clock
from portal.crypto.sealing import SealBroken
from portal.outbox.gateways import Gateway, GatewayError, Outgoing, RecipientGone, gateway_for
from portal.outbox.models import Message, MessageKind, MessageState
from portal.outbox.recipients import push_parts, tell_gone

TRIES = 8
FIRST_PAUSE = timedelta(seconds=30)  # doubled at each try: eight tries take about an hour
LONGEST_PAUSE = timedelta(hours=1)
NO_GATEWAY_PAUSE = timedelta(minutes=10)
CLAIM = timedelta(seconds=60)  # far above a gateway's ten seconds
SWEEP_ROWS = 100
SWEEP_SECONDS = 20.0

RECIPIENT, BODY = "message.recipient", "message.body"

log = logging.getLogger(__name__)


def write(
    *,
    bank_id: UUID,
    kind: MessageKind,
    recipient: str,
    template: str,
    body: str,
    subject: str = "",
    about: models.Model | None = None,
) -> Message:
    """Put a message into the outbox, with the change that causes it: rolled back with it, sent once it commits.

    recipient and body are sealed. subject (one line, at most 200 characters) is not: it holds nothing secret.
    Raises RuntimeError outside a transaction, ValueError for a subject of more than one line or without recipient.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a message is written in the transaction of the change that causes it")
    if not recipient or subject.splitlines() not in ([], [subject]):
        raise ValueError("a message needs a recipient and a subject of one line")
    now = clock.now()
    message = Message(bank_id=bank_id, kind=kind, template=template, subject=subject[:200])
    message.recipient_sealed = vault.seal(RECIPIENT, message.pk, recipient)
    message.recipient_hint = hint(recipient)
    message.service = push_parts(recipient)[0] if kind == MessageKind.PUSH else ""
    message.body_sealed = vault.seal(BODY, message.pk, body)
    if about is not None:
        message.about_type, message.about_id = about._meta.model_name or "", str(about.pk)
    message.created_at = message.next_try_at = now
    message.save(force_insert=True)
    jobs.ring("outbox.deliver", message.pk)
    return message


def hint(recipient: str) -> str:
    """A recipient as staff may see it: the last four characters of a number, the last two before an address's @."""
    local, at, _ = recipient.rpartition("@")
    text, shown = (local, 2) if at else (recipient, 4)
    return f"•••{text[-shown:] if len(text) > 2 * shown else ''}{at}"


def deliver(message_id: UUID | str) -> MessageState | None:
    """Send one message that is due. None: it is not due, already sent, or in another worker's hands.

    At least once: a crash after the gateway took it means that it is sent again. Not inside a transaction.
    """
    kind = Message.objects.filter(pk=message_id).values_list("kind", flat=True).first()
    if kind is None:
        return None
    gateway = gateway_for(kind)
    if gateway is None:
        _wait_for_gateway(message_id, kind)
        return None
    message = _claim(message_id)
    if message is None:
        return None
    if message.attempts > TRIES:  # its workers died each time
        return _settle(message, MessageState.FAILED, last_error="no worker finished it")
    return _send(message, gateway)


def _due(now: datetime) -> Q:
    """Pending and its time has come, or claimed by a worker that did not come back (a claim moves next_try_at)."""
    return Q(state__in=[MessageState.PENDING, MessageState.SENDING], next_try_at__lte=now)


def _claim(message_id: UUID | str) -> Message | None:
    """Of any number of workers exactly one gets the message. The number of the try says whose claim it is."""
    now = clock.now()
    with transaction.atomic(durable=True):
        claimed = Message.objects.filter(_due(now), pk=message_id).update(
            state=MessageState.SENDING,
            attempts=F("attempts") + 1,
            claim_until=now + CLAIM,
            next_try_at=now + CLAIM,
        )
        return Message.objects.get(pk=message_id) if claimed else None


def _send(message: Message, gateway: Gateway) -> MessageState | None:
    try:
        opened = _opened(message)
    except SealBroken:
        return _settle(message, MessageState.FAILED, last_error="cannot be unsealed")
    try:
        gateway.send(opened)
    except RecipientGone as gone:
        # Told before it is settled: after a crash in between it is found out, and told, once more.
        tell_gone(opened.kind, opened.bank_id, opened.recipient, gone.since)
        return _settle(message, MessageState.FAILED, last_error=gone.reason, gone=True)
    except GatewayError as error:
        return _not_sent(message, error)
    return _settle(message, MessageState.SENT)


def _not_sent(message: Message, error: GatewayError) -> MessageState | None:
    if not error.retry or message.attempts >= TRIES:
        return _settle(message, MessageState.FAILED, last_error=error.reason)
    wait = max(pause(message.attempts), min(error.after or timedelta(), LONGEST_PAUSE))
    return _settle(message, MessageState.PENDING, last_error=error.reason, next_try_at=clock.now() + wait)


def _opened(message: Message) -> Outgoing:
    return Outgoing(
        id=message.pk,
        bank_id=message.bank_id,
        kind=message.kind,
        template=message.template,
        recipient=vault.unseal(RECIPIENT, message.pk, message.recipient_sealed),
        subject=message.subject,
        body=vault.unseal(BODY, message.pk, message.body_sealed),
        resends=message.resends,
    )


def _settle(
    message: Message,
    state: MessageState,
    *,
    last_error: str = "",
    next_try_at: datetime | None = None,
    gone: bool = False,
) -> MessageState | None:
    """Write the outcome, unless the claim ran out and another worker took the message meanwhile."""
    now = clock.now()
    # The tries are counted anew when staff send it again, so that the claim's own moment is looked at too.
    claim = {"attempts": message.attempts, "claim_until": message.claim_until}
    mine = Message.objects.filter(pk=message.pk, state=MessageState.SENDING, **claim)
    changes: dict[str, object] = {"state": state, "claim_until": None, "last_error": last_error[:200], "gone": gone}
    if state is MessageState.SENT:
        changes |= {"sent_at": now, "body_sealed": ""}
    if not mine.update(**changes, next_try_at=next_try_at or now):
        return None
    if state is MessageState.FAILED:
        log.error("message failed", extra={"message_id": str(message.pk), "kind": message.kind, "reason": last_error})
    return state


def pause(attempts: int) -> timedelta:
    """How long to wait after so many tries: doubled each time, at most an hour, and a random half of it less."""
    full: timedelta = min(FIRST_PAUSE * 2.0 ** (attempts - 1), LONGEST_PAUSE)
    return full * SystemRandom().uniform(0.5, 1.0)


def _wait_for_gateway(message_id: UUID | str, kind: str) -> None:
    """Nothing is lost for want of a setting: the message waits, uncounted, and the health page says why."""
    now = clock.now()
    Message.objects.filter(_due(now), pk=message_id).update(
        state=MessageState.PENDING,
        claim_until=None,
        last_error=f"no gateway for {kind}",
        next_try_at=now + NO_GATEWAY_PAUSE,
    )


def sweep() -> int:
    """Deliver what is due and nobody heard the bell for, oldest first. Returns how many were tried.

    At most `SWEEP_ROWS` rows and about `SWEEP_SECONDS` seconds; the next sweep goes on. One message that breaks its
    gateway does not stop the others.
    """
    stop = time.monotonic() + SWEEP_SECONDS
    due = Message.objects.filter(_due(clock.now())).order_by("next_try_at")
    tried = 0
    for message_id in list(due.values_list("pk", flat=True)[:SWEEP_ROWS]):
        if time.monotonic() > stop:
            break
        tried += 1
        try:
            deliver(message_id)
        except Exception:  # whatever it was: the row is still there, and the claim runs out
            log.exception("message not delivered", extra={"message_id": str(message_id)})
    return tried
