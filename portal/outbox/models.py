"""Messages to people and systems: written with the change that causes them, sent after it."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from portal.core import ids
from portal.core.actor import Actor


class MessageState(models.TextChoices):
    PENDING = "pending"  # the sweep sends it when next_try_at has come
    SENDING = "sending"  # a worker has claimed it; after claim_until another may
    SENT = "sent"  # done; the body is wiped
    FAILED = "failed"  # given up after the last try


class MessageKind(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"  # recipient: `<platform>:<handle>`
    WEBHOOK = "webhook"  # recipient: as `webhook_recipient` writes it


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, actor: Actor) -> Self:
        """All of the bank, for its staff; nobody else any."""
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        return self.filter(bank_id=actor.bank_id) if actor.is_staff else self.none()


class Message(models.Model):
    """One message. Recipient and body are sealed; the body is wiped after delivery.

    service: of a push, the one that carries it (as devices name them), else "". about_type, about_id: the object it
    is about. attempts: tries so far. resends: how often staff sent it again. last_error: what the gateway said last.
    gone: given up because the service knows its recipient no more. next_try_at: when the sweep looks at it again; of
    a failed one, when it was given up.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    bank_id = models.UUIDField()
    kind = models.CharField(max_length=10, choices=MessageKind)
    template = models.CharField(max_length=64)
    service = models.CharField(max_length=10, blank=True)
    recipient_sealed = models.TextField()
    recipient_hint = models.CharField(max_length=16)
    subject = models.CharField(max_length=200, blank=True)
    body_sealed = models.TextField(blank=True)
    about_type = models.CharField(max_length=32, blank=True)
    about_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=MessageState, default=MessageState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    resends = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    claim_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    gone = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="message_state_known", condition=Q(state__in=MessageState.values)),
            models.CheckConstraint(name="message_kind_known", condition=Q(kind__in=MessageKind.values)),
            models.CheckConstraint(
                name="message_sent_is_wiped",
                condition=~Q(state=MessageState.SENT) | Q(sent_at__isnull=False, body_sealed=""),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                name="message_waiting",
                condition=Q(state__in=[MessageState.PENDING, MessageState.SENDING]),
            ),
            models.Index(fields=["next_try_at"], name="message_failed", condition=Q(state=MessageState.FAILED)),
            models.Index(fields=["sent_at"], name="message_sent", condition=Q(state=MessageState.SENT)),
            models.Index(fields=["bank_id", "-id"], name="message_by_bank"),
            models.Index(fields=["bank_id", "state", "-id"], name="message_by_state"),
            models.Index(fields=["bank_id", "kind", "-id"], name="message_by_kind"),
            models.Index(
                fields=["bank_id", "service", "state", "gone", "-id"],
                name="message_by_service",
                condition=~Q(service=""),
            ),
        ]

    def __str__(self) -> str:
        """Without its recipient: this stands in the audit log."""
        return f"{self.kind} “{self.template}”"


class SinkDelivery(models.Model):
    """What the demo's sink received: the message as its reader would have seen it, sealed. Demo mode only."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="sink")
    text_sealed = models.TextField()
    delivered_at = models.DateTimeField()
