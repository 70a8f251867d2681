"""A new secret for an API client: shown once; the one before opens nothing from then on."""

from dataclasses import dataclass

from django.db import transaction
from oauth2_provider.generators import generate_client_secret

from portal.accounts.models import Application
from portal.accounts.operations.client_signing import locked_client
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor


@dataclass(frozen=True)
class RenewedSecret:
    """A client with a new secret, which is shown now and never again."""

    application: Application
    secret: str


@transaction.atomic
def renew_client_secret(*, actor: Actor, client_id: str, reason: str) -> RenewedSecret:
    """Give a client another secret for `/oauth/token`. Each call makes another; tokens that are out live on.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    application = locked_client(actor, client_id, reason)
    secret = generate_client_secret()
    application.client_secret = secret  # hashed on its way into the database
    application.save(update_fields=["client_secret"])
    audit.record(actor, Event.CLIENT_CHANGED, application, reason=reason, details={"renewed": "client_secret"})
    return RenewedSecret(application, secret)
