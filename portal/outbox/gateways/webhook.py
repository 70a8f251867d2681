"""Webhooks: a signed POST to the address that a client of ours has named (Standard Webhooks 1.0).

The recipient of such a message is the address and the key that signs, so that both are sealed like any other.
"""

import base64
from typing import Final

from portal.core import clock
from portal.crypto.webhooks import signed_headers
from portal.outbox.gateways.base import Outgoing
from portal.outbox.gateways.http import post

NAME: Final = "webhook"
GONE: Final = 410  # Standard Webhooks, "Response": the receiver wants no more


class WebhookGateway:
    """Sends the body as JSON. Anything but 2xx is tried again, as a receiver may just be away; 410 is not."""

    def send(self, message: Outgoing) -> None:
        key, _, url = message.recipient.partition(" ")
        body = message.body.encode()
        signed = signed_headers(base64.b64decode(key), id=str(message.key), at=clock.now(), body=body)
        reply = post(NAME, url, headers={"Content-Type": "application/json", **signed}, body=body, outside=True)
        if not reply.is_good:
            refusal = reply.refusal(NAME)
            refusal.retry = reply.status != GONE
            raise refusal


def webhook_recipient(url: str, key: bytes) -> str:
    """Where a webhook goes and what signs it, as one text. url: without spaces."""
    return f"{base64.b64encode(key).decode()} {url}"
