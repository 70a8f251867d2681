"""The ways out of the outbox, one module each. `gateway_for` picks."""

from django.conf import settings

from portal.outbox.gateways import apns, fcm, http, push, sms
from portal.outbox.gateways.base import Gateway, GatewayError, Outgoing, RecipientGone
from portal.outbox.gateways.email import EmailGateway
from portal.outbox.gateways.push import PushGateway
from portal.outbox.gateways.sink import SinkGateway
from portal.outbox.gateways.sms import SmsGateway
from portal.outbox.gateways.webhook import WebhookGateway
from portal.outbox.models import MessageKind

__all__ = ["Gateway", "GatewayError", "Outgoing", "RecipientGone", "gateway_for", "problems", "pushes_to"]


def gateway_for(kind: str) -> Gateway | None:
    """The gateway for a kind of message: the sink in the demo. None: nothing is configured for this kind."""
    if settings.DEMO:
        return SinkGateway()
    if kind == MessageKind.EMAIL and settings.EMAIL_HOST_GIVEN:
        return EmailGateway()
    if kind == MessageKind.SMS and sms.is_configured():
        return SmsGateway()
    if kind == MessageKind.PUSH and push.platforms():
        return PushGateway()
    return WebhookGateway() if kind == MessageKind.WEBHOOK else None


def pushes_to(platform: str) -> bool:
    """Whether push messages of a service (`gcm`, `apns`) leave from here."""
    return settings.DEMO or platform in push.platforms()


def problems() -> list[tuple[str, str]]:
    """What is wrong with the gateways' settings: (name of the gateway, a sentence)."""
    found = [("sms", sms.problem()), ("fcm", fcm.problem()), ("apns", apns.problem()), ("http", http.problem())]
    return [(name, sentence) for name, sentence in found if sentence]
