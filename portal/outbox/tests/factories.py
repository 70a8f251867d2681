"""Messages for tests."""

from uuid import UUID

from django.db import models, transaction

from portal.outbox import operations
from portal.outbox.models import Message, MessageKind

BANK = UUID(int=0xB1 << 120 | 4 << 76 | 2 << 62)
OTHER_BANK = UUID(int=0xB2 << 120 | 4 << 76 | 2 << 62)
RECIPIENT = "+385911234567"
BODY = "Your code is 40319275."


def make_message(
    *,
    bank_id: UUID = BANK,
    kind: MessageKind = MessageKind.SMS,
    recipient: str = RECIPIENT,
    body: str = BODY,
    subject: str = "",
    about: models.Model | None = None,
) -> Message:
    """A message in the outbox, due now."""
    with transaction.atomic():
        return operations.write(
            bank_id=bank_id,
            kind=kind,
            recipient=recipient,
            template="code",
            subject=subject,
            body=body,
            about=about,
        )
