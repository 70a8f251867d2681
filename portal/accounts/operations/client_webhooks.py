"""Where a client is told what became of what it asked for, and the key that signs it (Standard Webhooks 1.0)."""

import base64
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction

from portal import vault
from portal.accounts.models import Application
from portal.accounts.operations.client_signing import locked_client
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import InvalidInput, InvalidState
from portal.outbox.gateways.outside import is_address
from portal.outbox.gateways.webhook import webhook_recipient

PURPOSE: Final = "application.webhook_key"
LONGEST: Final = 500
KEY_BYTES: Final = 32
MARK: Final = "whsec_"  # Standard Webhooks, "Signature scheme": how a secret is written


@dataclass(frozen=True)
class RenewedKey:
    """A client with a new key for its webhook, `whsec_` and base64, which is shown now and never again."""

    application: Application
    secret: str


@transaction.atomic
def set_webhook(*, actor: Actor, client_id: str, url: str, reason: str) -> Application:
    """Tell a client at an address of its own from now on; "" for nowhere. What is so already leaves no event.

    url: https, at most 500 characters. A first address gets a key, which `renew_webhook_key` shows; another one keeps
    it. Messages that are on their way go where they were going. reason: 1 to 500 characters. Raises Forbidden,
    InvalidInput, NotFound.
    """
    application = locked_client(actor, client_id, reason)
    url = url.strip()
    if url and (len(url) > LONGEST or not is_address(url)):
        raise InvalidInput.at("url", "address", f"This is an https address of at most {LONGEST} characters.")
    before = application.webhook_url
    if url == before:
        return application
    application.webhook_url = url
    if not url:
        application.webhook_key_sealed = ""
    elif not before:
        _give_key(application)
    application.save(update_fields=["webhook_url", "webhook_key_sealed"])
    # A path may hold what only the two sides know: the log names the host.
    changed = {"before": {"webhook": urlsplit(before).netloc}, "after": {"webhook": urlsplit(url).netloc}}
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, **changed)
    return application


@transaction.atomic
def renew_webhook_key(*, actor: Actor, client_id: str, reason: str) -> RenewedKey:
    """Sign what a client is told with a new key from now on. Each call makes another.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, InvalidState `no-webhook`.
    """
    application = locked_client(actor, client_id, reason)
    if not application.webhook_url:
        raise InvalidState("This client has no address where it is told.", code="no-webhook")
    key = _give_key(application)
    application.save(update_fields=["webhook_key_sealed"])
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, details={"renewed": "webhook_key"})
    return RenewedKey(application, MARK + base64.b64encode(key).decode())


def recipient_of(application: Application) -> str:
    """Where and by what key this client is told, as the outbox takes it; "" for one that is not."""
    if not application.webhook_url:
        return ""
    key = base64.b64decode(vault.unseal(PURPOSE, application.client_id, application.webhook_key_sealed))
    return webhook_recipient(application.webhook_url, key)


def _give_key(application: Application) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    text = base64.b64encode(key).decode()
    application.webhook_key_sealed = vault.seal(PURPOSE, application.client_id, text)
    return key
