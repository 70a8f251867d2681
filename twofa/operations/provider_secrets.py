"""The secret that proves us to a provider's token endpoint. It is kept sealed, and shown nowhere."""

from typing import Final

from django.db import transaction

from portal import vault
from portal.approvals.gate import four_eyes, require_by_policy
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState
from twofa.models import IdentityProvider
from twofa.operations.identity_providers import SECRET, locked_provider, named

KEEP: Final = "identity-provider.secret"
LONGEST_SECRET: Final = 512  # characters


def set_client_secret(*, actor: Actor, provider_id: str, secret: str, reason: str) -> IdentityProvider:
    """Keep the client secret for a provider's token endpoint, or with "" forget it.

    secret: up to 512 printable ASCII characters (RFC 6749 A.2). To forget what is not kept leaves no event. Where it
    waits for a second person, it waits sealed. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound,
    InvalidState `no-token-endpoint`, and ApprovalRequired where the bank's policy says so.
    """
    with transaction.atomic():
        provider = locked_provider(actor, provider_id, reason)
        if len(secret) > LONGEST_SECRET or not (secret.isascii() and secret.isprintable()):
            text = f"A secret has at most {LONGEST_SECRET} printable ASCII characters."
            raise InvalidInput.at("secret", "format", text)
        endpoint, sealed = provider.token_endpoint, vault.seal(SECRET, provider.pk, secret)
    return keep_client_secret(
        actor=actor, provider_id=str(provider.pk), token_endpoint=endpoint, sealed=sealed, reason=reason
    )


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    where = arguments["token_endpoint"]
    if arguments["sealed"]:
        return [(None, f"Another client secret proves us to {where}.")]
    return [(None, f"No client secret proves us to {where} any more.")]


@four_eyes(FourEyes(name=KEEP, label="Change an identity provider's client secret", names=named, preview=_preview))
@transaction.atomic
def keep_client_secret(
    *, actor: Actor, provider_id: str, token_endpoint: str, sealed: str, reason: str
) -> IdentityProvider:
    """As `set_client_secret`, with the secret sealed for this provider.

    token_endpoint: the one that it is for. Raises Conflict `provider-changed` when the provider has another by now,
    and what `set_client_secret` raises.
    """
    provider = locked_provider(actor, provider_id, reason)
    if not provider.token_endpoint:
        raise InvalidState("Without a token endpoint nobody asks for a secret.", code="no-token-endpoint")
    if provider.token_endpoint != token_endpoint:
        raise Conflict("The provider has another token endpoint by now.", code="provider-changed")
    if not sealed and not provider.client_secret_sealed:
        return provider
    require_by_policy(actor, KEEP, provider)
    provider.client_secret_sealed = vault.reseal(SECRET, provider.pk, sealed)  # keys may have changed while it waited
    provider.save(update_fields=["client_secret_sealed"])
    details = {"client_secret": bool(sealed)}
    audit.record(actor, Event.IDENTITY_PROVIDER_CHANGED, provider, reason=reason, details=details)
    return provider
