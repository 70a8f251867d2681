"""Requests for a second person as the portal's pages show them: plain values."""

import math
from collections.abc import Mapping
from typing import Final

from django.urls import reverse

from portal.accounts.roles import who_can
from portal.approvals import policies
from portal.approvals.models import ApprovalRequest
from portal.approvals.payloads import Payload
from portal.approvals.queries import Shown
from portal.approvals.registry import label_of, registered
from portal.approvals.states import RequestState
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden
from portal.web.changes import spell
from portal.web.events import CHANNELS, object_url
from portal.web.marks import humanise

MOST_IN_LINE: Final = 5  # values of a list; more are folded away
ENDS: Final[Mapping[str, str]] = {
    RequestState.DONE: "Approved and carried out",
    RequestState.FAILED: "Approved, but not carried out",
    RequestState.REJECTED: "Rejected",
    RequestState.WITHDRAWN: "Withdrawn",
    RequestState.EXPIRED: "Nobody decided in time",
}


def mark_of(state: str) -> str:
    """The word of `portal.web.marks` for a state."""
    return f"approval-{state.lower()}"


def row(request: ApprovalRequest, actor: Actor) -> dict[str, object]:
    """A request for a list."""
    return {
        "url": reverse("approvals:detail", args=[request.public_id]),
        "public_id": request.public_id,
        "label": label_of(request.operation),
        "about": request.object_label,
        "about_url": object_url(request.object_type, request.object_id, actor),
        "maker": request.maker_label,
        "mine": policies.is_maker(actor, request),
        "channel": CHANNELS.get(request.channel, humanise(request.channel)),
        "reason": request.reason,
        "state": request.standing,
        "mark": mark_of(request.standing),
        "is_open": request.is_open,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
        "left": left(request),
    }


def left(request: ApprovalRequest) -> str:
    """How much time there is to decide: `47 h 59 min`, `5 min`; "" when there is none."""
    minutes = math.ceil((request.expires_at - clock.now()).total_seconds() / 60)
    if not request.is_open:
        return ""
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def whole(shown: Shown, actor: Actor) -> dict[str, object]:
    """A request for its own page: what exactly was asked for, what it would do, how it ended."""
    request, payload = shown.request, shown.payload
    known = registered(request.operation)
    return row(request, actor) | {
        "always": known.entry.always if known else "",
        "known": known is not None,
        "arguments": arguments(payload) if payload else [],
        "payload": payload.text if payload else "",
        "digest": request.payload_digest[:16],
        "preview": [{"count": count, "text": text} for count, text in shown.preview],
        "steps": steps(request),
        "results": [(humanise(name), spell(value)) for name, value in request.result.items()],
        "error": {"code": request.error_code, "message": request.error_message} if request.error_code else None,
    }


def arguments(payload: Payload) -> list[dict[str, object]]:
    """Each argument by name, the reason left out: it stands above. Long lists come with their number."""
    return [
        {
            "name": humanise(name),
            "value": spell(value),
            "count": len(value) if isinstance(value, list) and len(value) > MOST_IN_LINE else 0,
        }
        for name, value in payload.arguments.items()
        if name != "reason"
    ]


def steps(request: ApprovalRequest) -> list[dict[str, object]]:
    """What became of the request, oldest first."""
    asked: dict[str, object] = {
        "title": "Asked for",
        "tone": "info",
        "icon": "plus",
        "who": f"{request.maker_label} · {CHANNELS.get(request.channel, humanise(request.channel))}",
        "at": request.created_at,
        "reason": request.reason,
    }
    if request.is_open:
        return [asked]
    return [asked, _end(request)]


def _end(request: ApprovalRequest) -> dict[str, object]:
    tones = {RequestState.DONE: ("good", "check"), RequestState.WITHDRAWN: ("off", "undo")}
    tone, icon = tones.get(request.standing, ("bad", "circle-x"))
    if request.standing == RequestState.EXPIRED:
        tone, icon = "off", "clock"
    who = request.decided_by.name if request.decided_by else ""
    return {
        "title": ENDS[request.standing],
        "tone": tone,
        "icon": icon,
        "who": who or (request.maker_label if request.standing == RequestState.WITHDRAWN else ""),
        "at": request.ended_at,
        "reason": request.decision_reason,
    }


def barred(actor: Actor, request: ApprovalRequest) -> dict[str, object] | None:
    """Why this person cannot decide, by the policy that the operation uses; None when nothing stands in the way."""
    try:
        policies.require_decide(actor, request)
    except Forbidden as error:
        capability = str(error.details.get("capability", ""))
        return {"message": error.message, "who": ", ".join(who_can(capability)).lower() if capability else ""}
    return None
