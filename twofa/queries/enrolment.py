"""Where a bank's customers prove who they are, and the codes that let first devices in, as staff look at them."""

from contextlib import suppress
from typing import Final
from uuid import UUID

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core import ids
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page
from twofa.models import ActivationCode, EnrolmentPolicy, IdentityProvider
from twofa.policies import require_read

PAGE_SIZE: Final = 25


def providers(actor: Actor) -> list[IdentityProvider]:
    """The bank's identity providers, by name. One query. Raises Forbidden."""
    require_capability(actor, Capability.CLIENTS_MANAGE)
    return list(IdentityProvider.objects.visible_to(actor).order_by("name"))


def get_provider(actor: Actor, provider_id: UUID) -> IdentityProvider:
    """One of them. Raises Forbidden, NotFound."""
    require_capability(actor, Capability.CLIENTS_MANAGE)
    found = IdentityProvider.objects.visible_to(actor).filter(pk=provider_id).first()
    if found is None:
        raise NotFound("There is no such provider.")
    return found


def code_page(actor: Actor, cursor: str | None = None) -> Page[ActivationCode]:
    """25 activation codes a page, the newest first: whose they are and what became of them. Raises Forbidden."""
    require_read(actor)
    rows = ActivationCode.objects.visible_to(actor).select_related("customer")
    return keyset_page(rows, cursor, fields=("created_at", "id"), size=PAGE_SIZE)


def get_code(actor: Actor, code_id: str) -> ActivationCode:
    """One of them, by `ACT_…`. Raises Forbidden, NotFound."""
    require_read(actor)
    with suppress(ValueError):
        rows = ActivationCode.objects.visible_to(actor).select_related("customer")
        if found := rows.filter(pk=ids.read("ACT", code_id)).first():
            return found
    raise NotFound("There is no such code.")


def hands_over(actor: Actor) -> bool:
    """Whether the bank lets staff see a code to hand it over. One query."""
    return EnrolmentPolicy.objects.filter(bank_id=actor.bank_id, in_person=True).exists()  # type: ignore[misc]
