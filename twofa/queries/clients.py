"""API clients as staff look at them: those that ask customers have rules."""

from typing import Final

from portal.accounts.models import Application
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import NotFound
from twofa.policies import require_read

ASKING: Final = frozenset({"twofa:request", "twofa"})  # a server's, and an application's whose sign-ins are approved


def clients(actor: Actor) -> list[Application]:
    """The bank's clients, by name: each bank has a handful. One query. Raises Forbidden."""
    require_capability(actor, Capability.CLIENTS_MANAGE)
    return list(Application.objects.visible_to(actor).select_related("bank").order_by("name", "pk"))


def asks(client: Application) -> bool:
    """Whether customers are asked for it, so that its rules mean something."""
    return bool(ASKING & set(client.allowed_scopes))


def client_names(actor: Actor) -> list[tuple[str, str]]:
    """Client id and name of those that ask, for the log's filter. One query. Raises Forbidden."""
    require_read(actor)
    rows = Application.objects.visible_to(actor).order_by("name", "pk")
    found = rows.values_list("client_id", "name", "allowed_scopes")
    return [(client_id, name) for client_id, name, scopes in found if ASKING & set(scopes)]


def get_client(actor: Actor, client_id: str) -> Application:
    """One of them. Raises Forbidden, NotFound."""
    require_capability(actor, Capability.CLIENTS_MANAGE)
    found = Application.objects.visible_to(actor).select_related("bank").filter(client_id=client_id).first()
    if found is None:
        raise NotFound("There is no such client.")
    return found
