"""Scopes by kind of token, and OAuth Toolkit's questions about them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from oauth2_provider.scopes import BaseScopes

if TYPE_CHECKING:
    from portal.accounts.models import AccessToken, Application

DIALECTS = frozenset({"asseco", "hyphen", "spid", "adiba", "est", "peere"})
CUSTOMER_SCOPES = frozenset({"devices", "fingerprints", "pin", "certificates", "transfers", "twofa"})
BANK_SCOPES = frozenset({"devices:admin", "pki:sign", "twofa:request", "phrases:manage"})
# What a device's session only has once the device's approval key has signed.
APPROVAL_SCOPES = frozenset({"twofa"})
MERCHANT_SCOPES = frozenset({"phrases:lookup"})
STAFF_SCOPES = frozenset({"staff"})
# Of the token that waits while another device approves a sign-in. Nobody asks for it, and it opens nothing else.
SIGN_IN_SCOPES = frozenset({"sign-in"})

SCOPES_BY_KIND: Mapping[str, frozenset[str]] = {
    "mobile": CUSTOMER_SCOPES,
    "bank": BANK_SCOPES,
    "merchant": MERCHANT_SCOPES,
}
DESCRIPTIONS: Mapping[str, str] = {
    "devices": "See and manage one's own devices",
    "fingerprints": "Record device fingerprints",
    "pin": "Create, change and reset device PINs",
    "certificates": "Request and rotate device certificates",
    "transfers": "Transfer a device to another owner",
    "twofa": "Answer two-factor requests",
    "devices:admin": "Manage all devices of the bank",
    "pki:sign": "Sign certificate requests",
    "twofa:request": "Ask customers for approval",
    "phrases:manage": "Link devices to phrases",
    "phrases:lookup": "Look up a customer by device",
    "staff": "Act as a member of staff",
}


class ApplicationScopes(BaseScopes):  # type: ignore[misc]
    """A client may ask for what its row lists, and gets exactly what it asked for."""

    def get_all_scopes(self) -> dict[str, str]:
        return dict(DESCRIPTIONS)

    def get_available_scopes(
        self, application: "Application | None" = None, request: object = None, *args: object, **kwargs: object
    ) -> list[str]:
        if application is None:
            return sorted(DESCRIPTIONS)
        return sorted(set(application.allowed_scopes) & SCOPES_BY_KIND[application.kind])

    def get_default_scopes(
        self, application: "Application | None" = None, request: object = None, *args: object, **kwargs: object
    ) -> list[str]:
        """A client that names no scope gets all that its row lists: its row is the narrow list."""
        return self.get_available_scopes(application) if application else []


def scopes_of(token: "AccessToken") -> frozenset[str]:
    """The scopes a token carries today: those granted, less what the client lost since."""
    granted = frozenset(str(token.scope).split())
    if token.application is None:
        return granted & STAFF_SCOPES
    if granted == SIGN_IN_SCOPES:
        return granted
    return granted & frozenset(token.application.allowed_scopes) & SCOPES_BY_KIND[token.application.kind]
