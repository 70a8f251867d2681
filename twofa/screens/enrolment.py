"""Identity providers and activation codes as the portal's pages show them."""

from typing import Final

from django.urls import reverse

from portal.core import clock
from twofa.models import CODE_TRIES, ActivationCode, IdentityProvider

OPEN: Final = "Open"


def provider(found: IdentityProvider) -> dict[str, object]:
    """A provider; of its keys only where they come from."""
    return {
        "url": reverse("twofa:provider", args=[found.pk]),
        "edit_url": reverse("twofa:provider-edit", args=[found.pk]),
        "name": found.name,
        "issuer": found.issuer,
        "audience": found.audience,
        "algorithms": ", ".join(found.algorithms),
        "keys": found.jwks_uri or "pinned here",
        "fetched_at": found.fetched_at,
        "browser": found.authorization_endpoint,
        "has_secret": bool(found.client_secret_sealed),
        "suspended_at": found.suspended_at,
        "mark": "suspended" if found.suspended_at else "ok",
        "created_at": found.created_at,
    }


def code(found: ActivationCode, *, may_cancel: bool = False) -> dict[str, object]:
    """A code, never the digits. may_cancel: the person has the right."""
    mark, label = _state(found)
    public_id = found.public_id
    return {
        "public_id": public_id,
        "cancel_url": reverse("twofa:code-cancel", args=[public_id]) if may_cancel and label == OPEN else "",
        "cancelled_by": found.cancelled_by,
        "used_at": found.used_at,
        "customer": {
            "name": found.customer.name,
            "customer_number": found.customer.customer_number,
            "url": reverse("customers:detail", args=[found.customer_id]),
        },
        "issued_by": found.issued_by,
        "way": "in person" if found.in_person else "to the contact on file",
        "tries": found.tries,
        "tries_allowed": CODE_TRIES,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "mark": mark,
        "label": label,
    }


def _state(found: ActivationCode) -> tuple[str, str]:
    """A pill's look and word."""
    if found.used_at:
        return "done", "Used"
    if found.tries >= CODE_TRIES:
        return "blocked", "Used up"
    if found.cancelled_by:
        return "inactive", "Cancelled"
    if found.closed_at:
        return "inactive", "Replaced"
    return ("inactive", "Expired") if found.expires_at <= clock.now() else ("pending", OPEN)
