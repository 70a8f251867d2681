"""The outbox: where each message to people and systems is on its way, and sending a failed one again."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.roles import Capability, who_can
from portal.audit.queries import timeline_of
from portal.core.actor import Actor
from portal.outbox.models import Message, MessageState
from portal.outbox.queries import Count, LedgerEntry, count_by_state, ledger, ledger_entry
from portal.outbox.resending import resend_message
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row, object_url
from portal.web.outbox_forms import ResendForm
from portal.web.paging import list_template, pager

ICONS: Final = {"email": "mail", "sms": "message-square", "push": "monitor-smartphone", "webhook": "activity"}
STATES: Final = {"": "All", "pending": "Waiting", "sending": "On its way", "failed": "Failed", "sent": "Sent"}
KINDS: Final = {"": "Any kind", "email": "E-mail", "sms": "SMS", "push": "Push", "webhook": "Webhook"}
TIMELINE: Final = 20


@require_safe
@signed_in
def outbox(request: StaffRequest) -> HttpResponse:
    """The ledger, newest first, by state and kind. In the demo it shows what their readers got."""
    state = _one_of(STATES, request.GET.get("state"))
    kind = _one_of(KINDS, request.GET.get("kind"))
    page = ledger(request.actor, state=state, kind=kind, cursor=request.GET.get("cursor"))
    context = {
        "states": _state_tabs(count_by_state(request.actor), state, kind),
        "kinds": [_tab(label, state, name, current=name == kind) for name, label in KINDS.items()],
        "filtered": bool(state or kind),
        "messages_listed": [_row(entry, request.actor) for entry in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "web/outbox.html"), context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def outbox_message(request: StaffRequest, message_id: UUID) -> HttpResponse:
    """One message, and sending it again once it was given up."""
    request.about, entry = ledger_entry(request.actor, message_id)
    form = ResendForm(request.POST if request.method == "POST" else None)

    def resend() -> Message:
        return resend_message(actor=request.actor, message_id=message_id, reason=form.cleaned_data["reason"])

    if sent := attempt(request, form, resend):
        messages.success(request, _told(entry.state, sent.state))
        return redirect("web:outbox-message", message_id)
    events = timeline_of("message", message_id)[:TIMELINE]
    context = {
        "message": _row(entry, request.actor),
        "may_resend": entry.can_resend,
        "who_may": ", ".join(who_can(Capability.OUTBOX_RESEND)),
        "form": form,
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "web/outbox_message.html", context, status=form.answer_status)


def _told(before: str, after: str) -> str:
    if before == MessageState.FAILED and after == MessageState.PENDING:
        return "The message is on its way again."
    return "Nothing has changed: the message is on its way already."


def _one_of(words: Mapping[str, str], asked: str | None) -> str:
    """A word that no filter knows does not filter."""
    return asked if asked is not None and asked in words else ""


def _state_tabs(counts: Mapping[str, Count], state: str, kind: str) -> list[dict[str, object]]:
    """Each state with its number; the one that is shown is marked."""
    tabs = [_tab(label, name, kind, current=name == state) for name, label in STATES.items()]
    for tab, name in zip(tabs, STATES, strict=True):
        if name:
            tab |= {"count": counts[name].number, "more": counts[name].more}
    return tabs


def _tab(label: str, state: str, kind: str, *, current: bool) -> dict[str, object]:
    query = urlencode({name: value for name, value in (("state", state), ("kind", kind)) if value})
    url = reverse("web:outbox")
    return {"label": label, "url": f"{url}?{query}" if query else url, "current": current, "count": None}


def _row(entry: LedgerEntry, actor: Actor) -> dict[str, object]:
    return {
        "url": reverse("web:outbox-message", args=[entry.id]),
        "title": entry.subject or entry.template,
        "template": entry.template,
        "kind_label": KINDS.get(entry.kind, entry.kind),
        "icon": ICONS.get(entry.kind, "mail"),
        "recipient": entry.recipient,
        "state": f"message-{entry.state}",
        "failed": entry.state == MessageState.FAILED,
        "tries": entry.tries,
        "last_error": "" if entry.state == MessageState.SENT else entry.last_error,
        "created_at": entry.created_at,
        "next_try_at": entry.next_try_at,
        "sent_at": entry.sent_at,
        "given_up_at": entry.given_up_at,
        "about": f"a {entry.about_type}" if entry.about_type else "",
        "about_url": object_url(entry.about_type, entry.about_id, actor),
        "text": entry.text,
    }
