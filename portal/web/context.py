"""What every page of the portal knows: who is there, what the menu offers, light or dark, demo or not."""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from devices.queries.transfers import waiting_for as transfers_waiting_for
from portal.accounts.models import User
from portal.accounts.roles import Capability, Role
from portal.approvals.queries import waiting_for
from portal.core.actor import Actor
from portal.web.actor import actor_of, signed_in_person
from portal.web.theme import theme_of


class Entry(NamedTuple):
    """A page in the menu. capabilities: one of them is enough; none means everybody.

    waiting: how much waits there for this person; at most one query.
    """

    label: str
    icon: str
    route: str
    capabilities: frozenset[str] = frozenset()
    waiting: Callable[[Actor], int] | None = None


MENU: Final = (
    Entry("Dashboard", "layout-dashboard", "web:dashboard"),
    Entry("Devices", "smartphone", "devices:list", frozenset({Capability.DEVICES_READ})),
    Entry("Cards and tokens", "credit-card", "devices:issued", frozenset({Capability.DEVICES_READ})),
    Entry("Customers", "users", "customers:list", frozenset({Capability.DEVICES_READ})),
    Entry(
        "Transfers",
        "arrow-right-left",
        "devices:transfers",
        frozenset({Capability.DEVICES_READ}),
        waiting=transfers_waiting_for,
    ),
    Entry("Certificates", "shield-check", "pki:certificates", frozenset({Capability.DEVICES_READ})),
    Entry("Two-factor", "fingerprint", "twofa:requests", frozenset({Capability.DEVICES_READ})),
    Entry("Applications", "key-round", "twofa:clients", frozenset({Capability.CLIENTS_MANAGE})),
    Entry("Links", "link", "links:list", frozenset({Capability.LINKS_MANAGE})),
    Entry("Merchants", "store", "merchants:list", frozenset({Capability.MERCHANTS_READ})),
    Entry("Approvals", "user-check", "approvals:list", frozenset({Capability.APPROVALS_READ}), waiting=waiting_for),
    Entry("Audit", "scroll-text", "audit:list", frozenset({Capability.AUDIT_READ})),
    Entry("Keys", "lock", "web:keys", frozenset({Capability.PKI_MANAGE, Capability.AUDIT_READ})),
    Entry("Outbox", "inbox", "web:outbox", frozenset({Capability.OUTBOX_READ})),
    Entry("Staff", "user-round", "web:staff", frozenset({Capability.STAFF_MANAGE})),
    Entry(
        "Data fixes",
        "pencil",
        "admin:index",
        frozenset({Capability.DEVICES_CORRECT, Capability.STAFF_MANAGE, Capability.CLIENTS_MANAGE}),
    ),
    Entry("API docs", "book-open-text", "web:docs"),
    Entry("Account", "circle-user", "web:account"),
)

# Where a menu entry stands for more than its own page: how the names of the others begin.
SECTIONS: Final = {
    "devices:list": ("devices:",),
    "devices:issued": ("devices:issued",),
    "customers:list": ("customers:", "links:customer"),
    "devices:transfers": ("devices:transfer",),
    "pki:certificates": ("pki:",),
    "twofa:requests": ("twofa:",),
    "twofa:clients": ("twofa:client", "twofa:provider"),
    "links:list": ("links:",),
    "merchants:list": ("merchants:", "links:lookups"),
    "approvals:list": ("approvals:",),
    "audit:list": ("audit:",),
    "admin:index": ("admin:",),
    "web:account": ("web:account", "web:api-token"),
}


def shell(request: HttpRequest) -> dict[str, object]:
    """The context processor. Asks the database only for somebody who is signed in."""
    person = signed_in_person(request)
    context: dict[str, object] = {"demo": settings.DEMO, "theme": theme_of(request)}
    if person is not None:
        context["me"] = {"name": person.name, "role": Role(person.role).label, "bank": person.bank.name}
        context["nav"] = _menu(request, person)
    return context


def _section(here: str) -> str:
    """The route of the entry that stands for a page: of several whose beginning fits, the one that says most."""
    fits = [
        (len(beginning), entry.route)
        for entry in MENU
        for beginning in SECTIONS.get(entry.route, (entry.route,))
        if here.startswith(beginning)
    ]
    return max(fits, default=(0, ""))[1]


def _menu(request: HttpRequest, person: User) -> list[dict[str, object]]:
    match = request.resolver_match
    section = _section(match.view_name if match else "")
    actor = actor_of(request, person)
    return [
        {
            "label": entry.label,
            "icon": entry.icon,
            "url": reverse(entry.route),
            "current": entry.route == section,
            "count": entry.waiting(actor) if entry.waiting else 0,
        }
        for entry in MENU
        if (not entry.capabilities or entry.capabilities & person.capabilities)
    ]
