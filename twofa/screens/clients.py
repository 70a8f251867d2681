"""The clients that ask, as the portal's pages show them."""

from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from devices.models import PushPlatform
from portal.accounts.models import Application, ApprovalProof
from portal.accounts.operations.clients import Created
from portal.accounts.scopes import DESCRIPTIONS
from portal.outbox.gateways import pushes_to
from twofa.client_forms import APP, CLIENT, KINDS, WEBHOOK
from twofa.queries.clients import asks

LABELS: Final = {CLIENT: "Client secret", APP: "App secret", "sign": "Sign secret", WEBHOOK: "Webhook key"}
USES: Final = {
    CLIENT: "For tokens at /oauth/token.",
    APP: "The application sends it with each call, as X-Hyphen-App-Secret.",
    "sign": "It signs what SPiD answers.",
    WEBHOOK: "It signs what the client is told, as Standard Webhooks has it.",
}


def client(found: Application) -> dict[str, object]:
    """A client with its rules; none of its secrets."""
    signed = found.approval_proof == ApprovalProof.SIGNATURE
    return {
        "url": reverse("twofa:client", args=[found.client_id]),
        "name": found.name,
        "client_id": found.client_id,
        "kind": found.kind,
        "kind_label": KINDS.get(found.kind, found.kind),
        "asks": asks(found),
        "suspended": found.suspended_at is not None,
        "proof": "signed" if signed else "not-signed",
        "proof_label": ApprovalProof(found.approval_proof).label,
        "number_matching": found.number_matching,
        "request_seconds": found.request_seconds,
        "proves_possession": found.proves_possession,
        "returns": found.redirect_uris.split(),
        "dialects": ", ".join(found.dialects),
        "rights": [DESCRIPTIONS.get(scope, scope) for scope in found.allowed_scopes],
        "networks": ", ".join(found.allowed_ips),
        "created_at": found.created,
    }


def services() -> list[dict[str, object]]:
    """The push services that reach phones, and whether messages leave for them."""
    return [
        {"name": platform.label, "is_set_up": pushes_to(platform.value)}
        for platform in (PushPlatform.APNS, PushPlatform.GCM)
    ]


def kinds(current: str) -> list[dict[str, object]]:
    """What a new client may be, as tabs."""
    here = reverse("twofa:client-new")
    return [
        {"label": label, "url": f"{here}?{urlencode({'kind': kind})}", "current": kind == current}
        for kind, label in KINDS.items()
    ]


def secrets(made: Created) -> list[dict[str, str]]:
    """What a new client needs to know, this once."""
    found = {CLIENT: made.client_secret, APP: made.app_secret, "sign": made.sign_secret}
    return [secret(which, text) for which, text in found.items() if text]


def secret(which: str, text: str) -> dict[str, str]:
    """One of them, with what it is for."""
    return {"id": f"secret-{which}", "label": LABELS[which], "use": USES[which], "text": text}
