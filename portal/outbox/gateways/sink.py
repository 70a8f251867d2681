"""The demo's way out: every message lands on the sink page, whatever its kind."""

from portal import vault
from portal.core import clock
from portal.outbox.gateways.base import Outgoing
from portal.outbox.models import SinkDelivery

PURPOSE = "sink.text"


class SinkGateway:
    """Keeps the text, sealed, where the sink page reads it. A repeat replaces the first."""

    def send(self, message: Outgoing) -> None:
        text = "\n\n".join(part for part in (message.subject, message.body) if part)
        sealed = vault.seal(PURPOSE, message.id, text)
        delivered = {"text_sealed": sealed, "delivered_at": clock.now()}
        SinkDelivery.objects.update_or_create(message_id=message.id, defaults=delivered)
