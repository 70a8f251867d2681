"""Audit events as pages show them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.urls import reverse

from devices.models import CardKind, Kind
from devices.states import HeldBy, TransferState
from pki.states import CaState, CertificateState, RequestState, RevocationReason, RotationState
from portal.accounts.roles import Capability
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.actor import Actor
from twofa.states import RequestState as TwoFactorState

CHANNELS: Final = {
    "portal": "Portal",
    "admin": "Data correction",
    "asseco": "Asseco API",
    "adiba": "Adiba API",
    "hyphen": "Hyphen API",
    "peere": "Peere API",
    "est": "EST",
    "oauth": "OAuth",
    "command": "Command",
    "task": "Background work",
}

# What has a page of its own, by the model's name.
PAGES: Final = {
    "device": "devices:detail",
    "bulkrun": "devices:bulk-result",
    "importrun": "devices:issued-import",
    "certificate": "pki:certificate",
    "certificateauthority": "pki:authority",
    "rotation": "pki:rotation",
    "certificaterequest": "pki:request",
    "approvalrequest": "approvals:detail",
    "twofactorrequest": "twofa:request",
    "identityprovider": "twofa:provider",
    "link": "links:detail",
    "message": "web:outbox-message",
}
# Who may see it; all others are for whoever may see devices.
NEEDS: Final = {
    "message": Capability.OUTBOX_READ,
    "importrun": Capability.DEVICES_ISSUE,
    "link": Capability.LINKS_MANAGE,
    "identityprovider": Capability.CLIENTS_MANAGE,
}

# Stored words for which people see others. A status has its own look: partials/stored.html.
WORDS: Final = {
    "kind": dict(Kind.choices),
    "card_kind": dict(CardKind.choices),
    "held_by": dict(HeldBy.choices),
    "transfer_state": dict(TransferState.choices),
    "rotation_state": dict(RotationState.choices),
    "reason": dict(RevocationReason.choices),
}
# Several kinds of objects have a state, and the same word means another thing in each.
STATES: Final = {
    "certificateauthority": dict(CaState.choices),
    "certificaterequest": dict(RequestState.choices),
    "certificate": dict(CertificateState.choices),
    "twofactorrequest": dict(TwoFactorState.choices),
}
# So has a kind, which mostly is a device's.
KINDS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {"application": {"kind": {}}}


@dataclass(frozen=True)
class Parts:
    """What an event carries besides its columns."""

    before: dict[str, object] | None
    after: dict[str, object] | None
    details: dict[str, object]


def parts_of(event: AuditEvent) -> Parts:
    """Read an event's data. What is no object is shown under the name `value`; unreadable data as nothing."""
    try:
        data = json.loads(event.data)
    except ValueError:
        data = {}
    details = {**_named(data.get("details")), **_named(data.get("claims")), **_approved(data.get("approval"))}
    words = {**WORDS, "state": STATES.get(event.object_type, {}), **KINDS.get(event.object_type, {})}
    return Parts(_shown(data.get("before"), words), _shown(data.get("after"), words), details)


def _approved(value: object) -> dict[str, object]:
    """The second person's yes that it was done by."""
    yes = _named(value)
    return {"approved_by": yes.get("by", ""), "request": yes.get("id", "")} if yes else {}


def _shown(value: object, words: Mapping[str, Mapping[str, str]]) -> dict[str, object] | None:
    """The stored values in people's words, with the one that they look for in front."""
    named = _named(value)
    order = sorted(named, key=lambda name: name != "status")
    return {name: _in_words(named[name], words.get(name, {})) for name in order} or None


def _in_words(value: object, words: Mapping[str, str]) -> object:
    return words.get(value, value) if isinstance(value, str) and value else value


def _named(value: object) -> dict[str, object]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def event_row(event: AuditEvent, actor: Actor) -> dict[str, object]:
    """An event for a list or a timeline, with links to what the actor may see."""
    parts = parts_of(event)
    return {
        "id": str(event.pk),
        "event": event.event,
        "outcome": event.outcome,
        "at": event.at,
        "actor": event.actor_label or event.actor_id or "Unknown",
        "channel": CHANNELS.get(event.channel, event.channel),
        "object_type": event.object_type,
        "object_label": event.object_label,
        "about_actor": event.object_id == event.actor_id,
        "object_url": object_url(event.object_type, event.object_id, actor),
        "code": event.code,
        "approved_by": parts.details.get("approved_by", ""),
        "reason": event.reason,
        "before": parts.before,
        "after": parts.after,
        "url": reverse("audit:detail", args=[event.pk]) if actor.can(Capability.AUDIT_READ) else "",
    }


def object_url(object_type: str, object_id: str, actor: Actor) -> str:
    """The page of an object, where there is one for this actor."""
    route = PAGES.get(object_type)
    if route is None or not actor.can(NEEDS.get(object_type, Capability.DEVICES_READ)):
        return ""
    try:
        key = UUID(object_id)
    except ValueError:
        return ""
    return reverse(route, args=[ids.spell("APR", key) if object_type == "approvalrequest" else key])
