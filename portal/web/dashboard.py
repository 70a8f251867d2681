"""The first page: how many devices are in which state, what happened lately, whether background work runs."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from devices.queries import count_by_status
from devices.states import DeviceStatus
from merchants.queries.merchants import hours_of
from merchants.queries.merchants import open_alerts as open_merchant_alerts
from merchants.screens.merchants import alert as merchant_alert
from merchants.screens.merchants import chart as lookup_chart
from pki.queries.rotations import authorities, days, stuck
from pki.screens.rotations import chart as rotation_chart
from portal.accounts.roles import Capability
from portal.approvals import policies, queries
from portal.audit.queries import activity_by_day, events_visible_to
from portal.core.actor import Actor
from portal.queues import QueueHealth, queue_health
from portal.web import charts
from portal.web.access import StaffRequest, signed_in
from portal.web.events import event_row
from twofa.queries.alerts import open_alerts, reasons_of
from twofa.screens.requests import alert

LATEST: Final = 8
NOTES: Final = {
    DeviceStatus.PENDING: "wait to be activated",
    DeviceStatus.ACTIVE: "may use banking services",
    DeviceStatus.INACTIVE: "switched off",
    DeviceStatus.BLOCKED: "blocked by owner or bank",
}
# Of each queue: its name, the words for well and not well, and how bad the latter is.
QUEUES: Final = {
    "outbox": ("Messages", "On time", "Late", "late"),
    "outbox-failed": ("Undelivered messages", "None", "Look", "late"),
    "audit": ("Audit sealing", "On time", "Late", "late"),
    "worker": ("Worker", "Running", "Stopped", "down"),
    "crl": ("Revocation lists", "Up to date", "Late", "late"),
}


@require_safe
@signed_in
def dashboard(request: StaffRequest) -> HttpResponse:
    """Each part is there for those who may see it; the rest of the page does not miss it."""
    actor = request.actor
    context: dict[str, Any] = {
        "activity": _activity(actor),
        "queues": [_queue(health) for health in queue_health()],
    }
    if actor.can(Capability.DEVICES_READ):
        context |= _devices(actor) | _renewals(actor) | _alerts(actor)
    if actor.can(Capability.MERCHANTS_READ):
        context |= _merchants(actor)
    if actor.can(Capability.APPROVALS_READ):
        context["tiles"] = [*context.get("tiles", ()), _approvals(actor)]
    if actor.can(Capability.AUDIT_READ):
        latest = events_visible_to(actor)[:LATEST]
        context |= {"events": [event_row(event, actor) for event in latest], "audit_url": reverse("audit:list")}
    return render(request, "web/dashboard.html", context)


def _devices(actor: Actor) -> dict[str, object]:
    counts = count_by_status(actor)
    url = reverse("devices:list")
    tiles = [
        {"label": status.label, "value": counts[status], "note": note, "url": f"{url}?status={status}"}
        for status, note in NOTES.items()
    ]
    return {"tiles": tiles, "share": charts.distribution(list(counts.items())), "devices_url": url}


def _renewals(actor: Actor) -> dict[str, object]:
    """What is renewed by day, and how much of it is stuck. Nothing for a bank without an authority."""
    if not authorities(actor):
        return {}
    return {
        "renewals": rotation_chart(days(actor)),
        "rotations_url": reverse("pki:rotations"),
        "stuck": stuck(actor).count(),
    }


def _alerts(actor: Actor) -> dict[str, object]:
    """Where somebody else may be asking a customer for approval, and nobody has looked yet."""
    found = open_alerts(actor)
    reasons = reasons_of(found) if found else {}
    return {
        "alerts": [alert(request, reasons) for request in found],
        "alerts_url": f"{reverse('twofa:requests')}?state=alerted",
    }


def _merchants(actor: Actor) -> dict[str, object]:
    """What merchants looked up in the last day, and what about them nobody has looked at. Three queries."""
    return {
        "merchant_alerts": [merchant_alert(found) for found in open_merchant_alerts(actor, most=LATEST)],
        "lookups": lookup_chart(hours_of(actor, hours=24)),
        "may_review": actor.can(Capability.MERCHANTS_MANAGE),
    }


def _approvals(actor: Actor) -> dict[str, object]:
    """What waits for a second person; for who decides, how much of it waits for them."""
    waiting = queries.count_open(actor)
    note = "wait for a second person"
    if policies.may_decide(actor):
        mine = queries.waiting_for(actor)
        note = f"wait, {mine:,} of them for you" if mine != waiting else "wait for you"
    return {"label": "Approvals", "value": waiting, "note": note, "url": reverse("approvals:list")}


def _activity(actor: Actor) -> charts.DayChart:
    days = activity_by_day(actor.bank_id) if actor.bank_id else []
    counts = [charts.DayCount(day.day, lower=day.done, upper=day.refused) for day in days]
    return charts.day_chart(counts, words=("action", "refusal"))


def _queue(health: QueueHealth) -> dict[str, object]:
    name, well, unwell, trouble = QUEUES[health.name]
    state, word = ("ok", well) if health.ok else (trouble, unwell)
    return {"name": name, "state": state, "word": word, "note": _note(health)}


def _note(health: QueueHealth) -> str:
    """What a person wants to know of a queue: how much waits and for how long, or when a worker was last seen."""
    age = health.oldest_age_seconds
    if health.name == "worker":
        return "Not seen yet" if age is None else f"Last seen {_span(age)} ago"
    if health.name == "outbox-failed":
        return f"{health.waiting:,} given up in the last day" if health.waiting else "None in the last day"
    if not health.waiting:
        return health.note.capitalize() or "Nothing waits"
    note = f"{health.waiting:,} waiting" + ("" if age is None else f", the oldest for {_span(age)}")
    return f"{note}: {health.note}" if health.note else note


def _span(seconds: float) -> str:
    """`4 s`, `3 min`, `2 h`, `5 d`."""
    span = timedelta(seconds=seconds)
    if span < timedelta(minutes=1):
        return f"{int(seconds)} s"
    if span < timedelta(hours=1):
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if span < timedelta(days=2) else f"{span.days} d"
