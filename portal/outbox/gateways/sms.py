"""SMS through any provider: a JSON POST over https, with a bearer token and, with a key, signed.

POST PORTAL_SMS_URL
Authorization: Bearer PORTAL_SMS_TOKEN
Idempotency-Key: the message's id, until staff send it again
webhook-id, webhook-timestamp, webhook-signature: with PORTAL_SMS_SIGNING_KEY (Standard Webhooks 1.0)

{"id": "…", "from": "…", "to": "+385…", "text": "…"}
"""

import json

from django.conf import settings

from portal.core import clock
from portal.crypto.webhooks import signed_headers
from portal.outbox.gateways.base import Outgoing
from portal.outbox.gateways.http import post

NAME = "SMS gateway"


class SmsGateway:
    """Sends the text alone. The id is the same at each try, so that the provider sends one SMS."""

    def send(self, message: Outgoing) -> None:
        body = json.dumps(_content(message), ensure_ascii=False).encode()
        headers = {
            "Authorization": f"Bearer {settings.SMS_TOKEN}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(message.key),
        }
        if settings.SMS_SIGNING_KEY:
            headers |= signed_headers(settings.SMS_SIGNING_KEY, id=str(message.key), at=clock.now(), body=body)
        reply = post(NAME, settings.SMS_URL, headers=headers, body=body)
        if not reply.is_good:
            raise reply.refusal(NAME)


def _content(message: Outgoing) -> dict[str, str]:
    sender = {"from": settings.SMS_FROM} if settings.SMS_FROM else {}
    return {"id": str(message.id), **sender, "to": message.recipient, "text": message.body}


def is_configured() -> bool:
    return bool(settings.SMS_URL)


def problem() -> str:
    """What is wrong with the settings, for the start-up check; "" when nothing is."""
    if not is_configured():
        return ""
    if not settings.SMS_URL.startswith("https://"):
        return "PORTAL_SMS_URL is not an https address."
    return "" if settings.SMS_TOKEN else "PORTAL_SMS_URL is set without PORTAL_SMS_TOKEN."
