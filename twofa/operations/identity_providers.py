"""Setting up where a bank's customers prove who they are."""

from collections.abc import Sequence
from uuid import UUID

from django.db import models, transaction

from portal.accounts import policies
from portal.accounts.models import Bank
from portal.accounts.roles import Capability
from portal.approvals.gate import four_eyes
from portal.approvals.registry import Arguments, FourEyes, Preview
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, FieldProblem, InvalidInput, NotFound, SecondPersonNeeded
from portal.core.texts import line_problems
from portal.crypto.jwts import BadToken, read_keys
from portal.outbox.gateways.outside import is_address
from twofa.models import ALGORITHMS, IdentityProvider

CREATE, CHANGE, RESUME = (f"identity-provider.{step}" for step in ("create", "change", "resume"))
ALWAYS = "Always: it says whom the bank believes about its customers."
SECRET = "identity_provider.client_secret"  # noqa: S105  the name of a column


def _preview(actor: Actor, arguments: Arguments) -> Preview:
    where = arguments["jwks_uri"] or "a pinned key set"
    return [(None, f"ID tokens of {arguments['issuer']} are believed about every customer, by the keys of {where}.")]


def named(provider: IdentityProvider) -> dict[str, object]:
    """What names it in a request for a second person."""
    return {"provider_id": str(provider.pk)}


def _preview_resume(actor: Actor, arguments: Arguments) -> Preview:
    found = IdentityProvider.objects.visible_to(actor).filter(pk=arguments["provider_id"]).first()
    if found is None or found.suspended_at is None:
        return [(None, "Nothing: its tokens are taken already.")]
    return [(None, f"ID tokens of {found.issuer} are believed about every customer again.")]


@four_eyes(
    FourEyes(
        name=CREATE,
        label="Add an identity provider",
        always=ALWAYS,
        optional=False,
        several=True,
        preview=_preview,
    )
)
@transaction.atomic
def create_provider(
    *,
    actor: Actor,
    name: str,
    issuer: str,
    audience: str,
    algorithms: Sequence[str],
    jwks_uri: str = "",
    key_set: str = "",
    authorization_endpoint: str = "",
    token_endpoint: str = "",
    reason: str,
) -> IdentityProvider:
    """Believe a provider's ID tokens about the bank's customers from now on: `sub` is the customer's number.

    name: what applications call it, unique in the bank. issuer, audience: as its tokens say them. algorithms: of
    `ALGORITHMS`. Either jwks_uri (https) or key_set, a JWK set. authorization_endpoint and token_endpoint: for
    sign-in in a browser, both or none. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, Conflict
    `provider-name-taken`, and ApprovalRequired.
    """
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_reason(reason)
    endpoints = {"authorization_endpoint": authorization_endpoint, "token_endpoint": token_endpoint}
    texts = {"name": (name, 64), "issuer": (issuer, 255), "audience": (audience, 255)}
    _check(texts, {"jwks_uri": jwks_uri, **endpoints}, algorithms, key_set)
    bank = locked_bank(actor)
    if IdentityProvider.objects.filter(bank=bank, name=name).exists():
        raise Conflict("The bank has a provider of this name.", code="provider-name-taken")
    _require_two(actor, CREATE, bank)
    provider = IdentityProvider.objects.create(
        bank=bank,
        name=name,
        issuer=issuer,
        audience=audience,
        algorithms=sorted(set(algorithms)),
        jwks_uri=jwks_uri,
        key_set=key_set,
        created_at=clock.now(),
        **endpoints,
    )
    audit.record(actor, Event.IDENTITY_PROVIDER_CREATED, provider, after=_shown(provider), reason=reason)
    return provider


@four_eyes(
    FourEyes(
        name=CHANGE,
        label="Change an identity provider",
        always=ALWAYS,
        optional=False,
        names=named,
        preview=_preview,
    )
)
@transaction.atomic
def change_provider(
    *,
    actor: Actor,
    provider_id: str,
    issuer: str,
    audience: str,
    algorithms: Sequence[str],
    jwks_uri: str = "",
    key_set: str = "",
    authorization_endpoint: str = "",
    token_endpoint: str = "",
    reason: str,
) -> IdentityProvider:
    """Change what a provider's ID tokens have to say and by which keys they are checked; its name stays.

    All values as in `create_provider`; with another jwks_uri the keys are fetched anew. With another token_endpoint
    the client secret is forgotten: it was for the old one. What is so already leaves no event.
    Raises Forbidden, InvalidInput, NotFound, and ApprovalRequired.
    """
    provider = locked_provider(actor, provider_id, reason)
    endpoints = {"authorization_endpoint": authorization_endpoint, "token_endpoint": token_endpoint}
    _check(
        {"issuer": (issuer, 255), "audience": (audience, 255)},
        {"jwks_uri": jwks_uri, **endpoints},
        algorithms,
        key_set,
    )
    values: dict[str, object] = {
        "issuer": issuer,
        "audience": audience,
        "algorithms": sorted(set(algorithms)),
        "jwks_uri": jwks_uri,
        **endpoints,
    }
    if not jwks_uri or jwks_uri != provider.jwks_uri:
        values |= {"key_set": key_set, "fetched_at": None, "tried_at": None}
    if token_endpoint != provider.token_endpoint:
        values["client_secret_sealed"] = ""
    if all(getattr(provider, name) == value for name, value in values.items()):
        return provider
    _require_two(actor, CHANGE, provider)
    before = _shown(provider)
    for name, value in values.items():
        setattr(provider, name, value)
    provider.save(update_fields=list(values))
    audit.record(
        actor, Event.IDENTITY_PROVIDER_CHANGED, provider, before=before, after=_shown(provider), reason=reason
    )
    return provider


@transaction.atomic
def suspend_provider(*, actor: Actor, provider_id: str, reason: str) -> IdentityProvider:
    """Believe none of its tokens any more. A repeat changes nothing. Raises Forbidden, InvalidInput, NotFound."""
    provider = locked_provider(actor, provider_id, reason)
    if provider.suspended_at is None:
        provider.suspended_at = clock.now()
        provider.save(update_fields=["suspended_at"])
        audit.record(actor, Event.IDENTITY_PROVIDER_SUSPENDED, provider, reason=reason)
    return provider


@four_eyes(
    FourEyes(
        name=RESUME,
        label="Take an identity provider's tokens again",
        always=ALWAYS,
        optional=False,
        names=named,
        preview=_preview_resume,
    )
)
@transaction.atomic
def resume_provider(*, actor: Actor, provider_id: str, reason: str) -> IdentityProvider:
    """Believe its tokens again. A repeat changes nothing.

    Raises Forbidden, InvalidInput, NotFound, and ApprovalRequired.
    """
    provider = locked_provider(actor, provider_id, reason)
    if provider.suspended_at is not None:
        _require_two(actor, RESUME, provider)
        provider.suspended_at = None
        provider.save(update_fields=["suspended_at"])
        audit.record(actor, Event.IDENTITY_PROVIDER_RESUMED, provider, reason=reason)
    return provider


def locked_bank(actor: Actor) -> Bank:
    """The actor's own, locked: of two calls about one bank the second sees what the first did."""
    bank = Bank.objects.select_for_update(no_key=True).filter(pk=actor.bank_id or UUID(int=0)).first()
    if bank is None:
        raise NotFound("There is no such bank.")
    return bank


def locked_provider(actor: Actor, provider_id: str, reason: str) -> IdentityProvider:
    """One that the actor may change, locked. Raises Forbidden, InvalidInput, NotFound."""
    policies.require_capability(actor, Capability.CLIENTS_MANAGE)
    policies.require_reason(reason)
    try:
        key = UUID(provider_id)
    except ValueError:
        raise NotFound("There is no such provider.") from None
    found = IdentityProvider.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=key).first()
    if found is None:
        raise NotFound("There is no such provider.")
    return found


def _require_two(actor: Actor, operation: str, about: models.Model) -> None:
    """No member of staff decides alone whom the bank believes; what sets a bank up does."""
    if not actor.is_system and not actor.approved_for(operation):
        raise SecondPersonNeeded("Whom the bank believes about its customers is decided by two people.", about=about)


def _check(
    texts: dict[str, tuple[str, int]], addresses: dict[str, str], algorithms: Sequence[str], key_set: str
) -> None:
    problems: list[FieldProblem] = []
    for field, (value, longest) in texts.items():
        problems += line_problems(field, value, longest=longest, required=True)
    for field, url in addresses.items():
        if url and (len(url) > 500 or not is_address(url)):
            problems.append(FieldProblem(field, "format", "This is an https address."))
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        problems.append(FieldProblem("algorithms", "choice", f"Some of: {', '.join(ALGORITHMS)}."))
    if bool(addresses["jwks_uri"]) == bool(key_set):
        problems.append(FieldProblem("jwks_uri", "combination-required", "Either an address or a key set."))
    if bool(addresses["authorization_endpoint"]) != bool(addresses["token_endpoint"]):
        problems.append(FieldProblem("token_endpoint", "combination-required", "Both endpoints, or none."))
    if key_set and not _is_key_set(key_set):
        problems.append(FieldProblem("key_set", "format", "This is no JWK set with a public key."))
    if problems:
        raise InvalidInput(fields=tuple(problems))


def _is_key_set(text: str) -> bool:
    try:
        return bool(read_keys(text))
    except BadToken:
        return False


def _shown(provider: IdentityProvider) -> dict[str, object]:
    return {
        "issuer": provider.issuer,
        "audience": provider.audience,
        "algorithms": provider.algorithms,
        "keys": provider.jwks_uri or "pinned",
        "browser": bool(provider.authorization_endpoint),
        "client_secret": bool(provider.client_secret_sealed),
    }
