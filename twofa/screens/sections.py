"""The tabs above the pages about two-factor requests: those that this person may open."""

from typing import Final

from django.urls import reverse

from portal.accounts.roles import Capability
from portal.core.actor import Actor

SECTIONS: Final = (
    ("twofa:requests", "Requests", Capability.DEVICES_READ),
    ("twofa:push", "Push", Capability.DEVICES_READ),
    ("twofa:codes", "Activation codes", Capability.DEVICES_READ),
    ("twofa:clients", "Applications", Capability.CLIENTS_MANAGE),
    ("twofa:providers", "Identity providers", Capability.CLIENTS_MANAGE),
)


def sections(actor: Actor, here: str) -> list[dict[str, object]]:
    """Each with `label`, `url` and `current`. here: the route of the page."""
    return [
        {"label": label, "url": reverse(route), "current": route == here, "count": None, "more": False}
        for route, label, capability in SECTIONS
        if actor.can(capability)
    ]
