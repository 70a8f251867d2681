"""Sending a message again that was given up."""

from uuid import UUID

from django.db import transaction

from portal import jobs
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from portal.core.texts import reason_problems
from portal.outbox.models import Message, MessageState

CAPABILITY = "outbox.resend"


def require_resend(actor: Actor) -> None:
    """Raises Forbidden, the same whether or not there is such a message."""
    if not actor.can(CAPABILITY):
        raise Forbidden("Your role does not send messages again.", code="capability-missing", capability=CAPABILITY)


@transaction.atomic
def resend_message(*, actor: Actor, message_id: UUID, reason: str) -> Message:
    """Try a failed message again from now on, as often as a new one. One that is on its way stays as it is.

    It goes where it was to go when it was written. reason: one line of 1 to 500 characters. Raises Forbidden,
    NotFound, InvalidInput; InvalidState `message-sent`: what was sent is wiped.
    """
    require_resend(actor)
    if problems := reason_problems(reason, required=True):
        raise InvalidInput(fields=tuple(problems))
    message = Message.objects.visible_to(actor).select_for_update().filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message.")
    if message.state == MessageState.SENT:
        raise InvalidState("The message was sent, and its text is gone.", code="message-sent")
    if message.state == MessageState.FAILED:
        _wait_again(actor, message, reason)
    return message


def _wait_again(actor: Actor, message: Message, reason: str) -> None:
    before = {"state": message.state, "tries": message.attempts, "error": message.last_error}
    message.state, message.attempts = MessageState.PENDING, 0
    message.resends += 1
    message.next_try_at = clock.now()
    message.save(update_fields=["state", "attempts", "resends", "next_try_at"])
    audit.record(
        actor, Event.MESSAGE_RESENT, message, before=before, after={"state": message.state, "tries": 0}, reason=reason
    )
    jobs.ring("outbox.deliver", message.pk)
