"""Transfers as the portal's pages show them: plain values, and the steps on the way."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.urls import reverse

from devices.models import Device, Transfer
from devices.models.transfers import CODE_TRIES
from devices.operations import severing
from devices.policies import transfers as policies
from devices.policies.verdicts import Verdict
from devices.queries.transfers import count_by_state, open_transfer_of, story_of
from devices.screens.registry import name_of
from devices.states import TRANSFER_OPEN, Category, TransferState
from portal.accounts.models import User
from portal.accounts.roles import Capability
from portal.audit.events import Event
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.web.events import event_row, parts_of

# The way of a transfer that ends well: the step, its icon, and when it was taken.
WAY: Final = (
    ("Asked for", "plus", "requested_at"),
    ("Approved", "stamp", "decided_at"),
    ("Accepted", "circle-user", "accepted_at"),
    ("Completed", "arrow-right-left", "completed_at"),
)


def row(transfer: Transfer) -> dict[str, object]:
    """A transfer for a list."""
    return {
        "url": reverse("devices:transfer", args=[transfer.pk]),
        "public_id": transfer.public_id,
        "device": _device(transfer.device),
        "old_owner": person(transfer.old_owner),
        "new_owner": person(transfer.new_owner),
        "state": transfer.state,
        "mark": f"transfer-{transfer.state}",
        "requested_at": transfer.requested_at,
        "effective_at": transfer.effective_at,
        "ends_at": transfer.ends_at,
    }


def facts(transfer: Transfer) -> dict[str, object]:
    """A transfer for its own page."""
    return row(transfer) | {
        "uuid": transfer.pk,
        "reason": transfer.reason,
        "end_reason": transfer.end_reason,
        "asked_by": transfer.requested_by.name if transfer.requested_by else transfer.old_owner.name,
        "on_behalf": transfer.requested_by is not None,
        "decided_by": transfer.decided_by.name if transfer.decided_by else "",
        "tries": transfer.tries,
        "tries_allowed": CODE_TRIES,
        "has_code": bool(transfer.code_digest),
        "is_open": transfer.is_open,
    }


def person(user: User) -> dict[str, object]:
    return {"name": user.name, "customer_number": user.customer_number, "public_id": user.public_id}


def counts(actor: Actor) -> list[dict[str, object]]:
    """What waits, and for whom: one tile for each open state."""
    found = count_by_state(actor)
    notes = ("Staff approve or reject", "The new owner types the code", "Completed on their date")
    return [
        {
            "label": state.label,
            "value": found[state],
            "note": note,
            "url": f"{reverse('devices:transfers')}?state={state.value}",
        }
        for state, note in zip(TRANSFER_OPEN, notes, strict=True)
    ]


def way(transfer: Transfer) -> list[dict[str, object]]:
    """The steps from the request to the end. tone: done, the one that waits, one that comes, or how it broke off."""
    return list(_way(transfer))


def _way(transfer: Transfer) -> Iterator[dict[str, object]]:
    broken = not transfer.is_open and transfer.state != TransferState.COMPLETED
    waiting = transfer.is_open
    for label, icon, field in WAY:
        at: datetime | None = getattr(transfer, field)
        if field == "decided_at" and transfer.state == TransferState.REJECTED and not transfer.code_digest:
            at = None  # it was decided, but not approved
        if at is not None:
            yield {"label": label, "icon": icon, "at": at, "tone": "good", "now": False}
        elif broken:
            end = TransferState(transfer.state)
            tone = "bad" if end == TransferState.REJECTED else "off"
            yield {"label": end.label, "icon": "circle-x", "at": transfer.closed_at, "tone": tone, "now": False}
            return
        else:
            yield {"label": label, "icon": icon, "at": None, "tone": "wait" if waiting else "off", "now": waiting}
            waiting = False


def cuts(transfer: Transfer, story: list[AuditEvent]) -> list[dict[str, object]]:
    """What the transfer will cut, counted now; of a completed one, what it did cut."""
    if transfer.is_open:
        lines = severing.preview(transfer.device).lines
    else:
        done = next((event for event in story if event.event == Event.TRANSFER_COMPLETED), None)
        ended = parts_of(done).details.get("ended") if done else None
        lines = severing.lines_of(ended) if isinstance(ended, dict) else []
    return [{"count": count, "text": text} for count, text in lines]


def story(transfer: Transfer) -> list[AuditEvent]:
    """Its events, newest first."""
    return list(story_of(transfer))


def timeline(events: list[AuditEvent], actor: Actor) -> list[dict[str, object]]:
    return [event_row(event, actor) for event in events]


def decision(actor: Actor, transfer: Transfer) -> dict[str, object] | None:
    """Whether the actor may decide now, and if not, why; nothing where there is nothing to decide."""
    if transfer.state != TransferState.PENDING_APPROVAL:
        return None
    return _offer("Deciding", policies.decide(actor, transfer))


def cancellation(actor: Actor, transfer: Transfer) -> dict[str, object] | None:
    """The same for calling it off."""
    return _offer("Cancelling", policies.cancel(actor, transfer)) if transfer.is_open else None


def card(actor: Actor, device: Device) -> dict[str, object] | None:
    """The device page's card: the open transfer, or whether one can be asked for. None: such a device never moves.

    One query. For `devices/_transfer.html`, as `transfer_card`.
    """
    if device.category != Category.OWNED or not actor.can(Capability.DEVICES_READ):
        return None
    on_its_way = open_transfer_of(actor, device)
    start = _offer("A transfer", policies.request(actor, device))
    return {
        "open": row(on_its_way) if on_its_way else None,
        "start": start | {"url": reverse("devices:transfer-start", args=[device.pk])},
        "history_url": f"{reverse('devices:transfers')}?q={device.public_id}",
    }


def _device(device: Device) -> dict[str, object]:
    return {
        "url": reverse("devices:detail", args=[device.pk]),
        "name": name_of(device),
        "kind": device.kind,
        "public_id": device.public_id,
        "last_four": device.external_id_last4,
        "status": device.status,
    }


def _offer(label: str, verdict: Verdict) -> dict[str, object]:
    return {
        "label": label,
        "allowed": verdict.allowed,
        "message": verdict.message,
        "way_out": "",
        "who": ", ".join(role.lower() for role in verdict.granted_by),
        "rule": verdict.error.code if verdict.error else "",
    }
