"""The ways out of the outbox, one module each. `gateway_for` picks."""

from django.conf import settings

from portal.outbox.gateways.base import Gateway, GatewayError, Outgoing
from portal.outbox.gateways.email import EmailGateway
from portal.outbox.gateways.sink import SinkGateway
from portal.outbox.models import MessageKind

__all__ = ["Gateway", "GatewayError", "Outgoing", "gateway_for"]


def gateway_for(kind: str) -> Gateway | None:
    """The gateway for a kind of message: the sink in the demo. None: nothing is configured for this kind."""
    if settings.DEMO:
        return SinkGateway()
    if kind == MessageKind.EMAIL and settings.EMAIL_HOST_GIVEN:
        return EmailGateway()
    return None
