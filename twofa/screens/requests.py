"""Requests as the portal's pages show them: who is asked what, and what the answer rests on."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from devices.models import Device, PushPlatform
from devices.screens.registry import name_of
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.outbox.models import Message
from portal.web.events import object_url
from twofa.forms import KINDS
from twofa.models import AlertReview, Answer, TwoFactorRequest
from twofa.operations.answering import signed_message_of
from twofa.operations.contents import content_of
from twofa.operations.telling import ASKED, CHANGED
from twofa.queries.alerts import is_open
from twofa.queries.log import CountUpTo, RequestFilter
from twofa.shown_operations import DEVICE_TRANSFER, PAYMENT
from twofa.states import Decision, Proof, RequestState

TABS: Final = {"": "All", **dict(RequestState.choices), "alerted": "Alerts"}
ICONS: Final = {"sign-in": "log-in", "payment": "credit-card", "device-transfer": "arrow-right-left"}
FACTS: Final = {
    "email": "E-mail",
    "ip": "Address",
    "location": "Place",
    "amount": "Amount",
    "currency": "Currency",
    "payee": "Payee",
    "reference": "Reference",
    "device": "Device",
    "recipient": "New owner",
}
WHY: Final = {
    "not-me": "The owner says that somebody else asked.",
    "too-many-requests": "Asked too often: further requests were refused.",
}
NEXT: Final = {
    "not-me": "Call the customer on the number on file. Somebody may have their password.",
    "too-many-requests": "Ask the customer whether it was they. If not, somebody may have their password.",
}
PUSHES: Final = {ASKED: "Asked", CHANGED: "Told the waiting device"}


def row(request: TwoFactorRequest) -> dict[str, object]:
    """A request for a list."""
    answer = request.given
    return {
        "url": reverse("twofa:request", args=[request.pk]),
        "kind": KINDS.get(request.kind, request.kind),
        "icon": ICONS.get(request.kind, "fingerprint"),
        "customer": person(request),
        "application": request.application.name,
        "device": device(request.destination),
        "state": _state(request),
        "mark": f"two-factor-{_state(request)}",
        "proof": proof_mark(answer),
        "alerted": request.alerted_at is not None,
        "alert_mark": alert_mark(request),
        "requested_at": request.requested_at,
        "closed_at": request.closed_at,
    }


def facts(request: TwoFactorRequest) -> dict[str, object]:
    """A request for its own page, with what the customer was shown."""
    content = content_of(request)
    shown = next((part for part in content.operation.values() if isinstance(part, Mapping)), {})
    return row(request) | {
        "application": (content.app or {}).get("appName", ""),
        "uuid": request.pk,
        "round": request.request_id,
        "rounds": request.rounds,
        "headline": _headline(request.kind, shown),
        "shown": [(FACTS.get(name, name), text) for name, text in shown.items() if text],
        "text": content.text,
        "source": device(request.source) if request.source else None,
        "described": content.source or {},
        "asked_device": content.destination or {},
        "expires_at": request.expires_at,
        "close_reason": request.close_reason,
        "matches_number": bool(request.number_digest),
        "wrong_numbers": request.wrong_numbers,
        "wrong_signatures": request.wrong_signatures,
        "needs": Proof(request.proof).label,
    }


def _headline(kind: str, shown: Mapping[str, object]) -> str:
    """What a person looks for first."""
    if kind == PAYMENT:
        return f"{shown.get('amount', '')} {shown.get('currency', '')} to {shown.get('payee', '')}"
    if kind == DEVICE_TRANSFER:
        return f"{shown.get('device', '')} to {shown.get('recipient', '')}"
    return str(shown.get("location", ""))


def answer(given: Answer | None) -> dict[str, object] | None:
    """Who answered, with what."""
    if given is None:
        return None
    return {
        "decision": Decision(given.decision).label,
        "mark": f"two-factor-{given.decision}",
        "at": given.answered_at,
        "device": device(given.device),
        "proof": proof_mark(given),
        "proof_label": Proof(given.proof).label,
        "key": given.key.fingerprint if given.key else "",
        "key_retired": bool(given.key and given.key.retired_at),
        "signature": given.signature,
        "tx_id": given.tx_id,
        "not_me": given.not_me,
        "message": signed_message_of(given),
    }


def alert_mark(request: TwoFactorRequest) -> str:
    """Whether somebody has looked at its alert; "" without one."""
    if request.alerted_at is None:
        return ""
    return "alert-open" if is_open(request) else "alert-reviewed"


def review(request: TwoFactorRequest) -> dict[str, object] | None:
    """What somebody found who looked at its alert."""
    found: AlertReview | None = getattr(request, "review", None)
    return {"by": found.reviewed_by, "note": found.note, "at": found.reviewed_at} if found else None


def alert(request: TwoFactorRequest, reasons: Mapping[UUID, str]) -> dict[str, object]:
    """A request that made us tell staff, for the dashboard."""
    why = reasons.get(request.pk, "")
    return row(request) | {"at": request.alerted_at, "why": WHY.get(why, "Look at it."), "next": NEXT.get(why, "")}


def pushes(
    messages: Sequence[Message], actor: Actor, request: TwoFactorRequest | None = None
) -> list[dict[str, object]]:
    """What became of the messages to the two devices, which are named where their request is known."""
    return [push(message, actor) | {"device": _told(message, request)} for message in messages]


def _told(message: Message, request: TwoFactorRequest | None) -> str:
    """Asked again, it may have been another device before: then none is named."""
    if request is None or (message.template == ASKED and request.rounds > 1):
        return ""
    told = request.destination if message.template == ASKED else request.source
    return name_of(told) if told else ""


def push(message: Message, actor: Actor) -> dict[str, object]:
    may_read = actor.can(Capability.OUTBOX_READ)
    return {
        "label": PUSHES.get(message.template, message.template),
        "mark": "message-gone" if message.gone else f"message-{message.state}",
        "service": PushPlatform(message.service).label if message.service in PushPlatform.values else "",
        "tries": message.attempts,
        "at": message.sent_at or message.created_at,
        "error": "" if message.sent_at else message.last_error,
        "url": reverse("web:outbox-message", args=[message.pk]) if may_read else "",
        "about_url": object_url(message.about_type, message.about_id, actor),
    }


def tabs(wanted: RequestFilter, counts: Mapping[str, CountUpTo], kept: Mapping[str, str]) -> list[dict[str, object]]:
    """The states as tabs, with how many there are in each. A search is kept."""
    return [
        {
            "label": label,
            "url": _list_url({**kept, **({"state": state} if state else {})}),
            "current": wanted.state == state,
            "count": counts[state].number if state else None,
            "more": counts[state].more if state else False,
        }
        for state, label in TABS.items()
    ]


def person(request: TwoFactorRequest) -> dict[str, object]:
    return {
        "name": request.account.name,
        "customer_number": request.account.customer_number,
        "url": reverse("customers:detail", args=[request.account_id]),
        "requests_url": _list_url({"q": request.account.public_id}),
    }


def device(found: Device) -> dict[str, object]:
    return {
        "url": reverse("devices:detail", args=[found.pk]),
        "requests_url": _list_url({"q": found.public_id}),
        "name": name_of(found),
        "kind": found.kind,
    }


def proof_mark(given: Answer | None) -> str:
    """`signed`, `not-signed`, or "" where nothing was approved."""
    if given is None or given.decision != Decision.APPROVED:
        return ""
    return "signed" if given.verified else "not-signed"


def _state(request: TwoFactorRequest) -> str:
    """One that nobody can answer any more is shown as expired, although the sweep comes a little later."""
    lapsed = request.state == RequestState.PENDING and not request.is_open
    return RequestState.EXPIRED.value if lapsed else request.state


def _list_url(query: Mapping[str, str]) -> str:
    url = reverse("twofa:requests")
    return f"{url}?{urlencode(query)}" if query else url
