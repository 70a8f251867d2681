"""The audit browser: who did what, when and why. Reading it needs the right `audit.read`."""

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.audit.models import AuditEvent
from portal.audit.queries import events_visible_to, matching, page_of
from portal.core.errors import NotFound
from portal.web.access import StaffRequest, signed_in
from portal.web.audit_forms import AuditSearchForm
from portal.web.events import event_row, parts_of
from portal.web.paging import list_template, pager
from portal.web.seals import seal_of, seal_state

PAGE_SIZE: Final = 25


@require_safe
@signed_in
def event_list(request: StaffRequest) -> HttpResponse:
    """The bank's events, newest first, 25 a page."""
    form = AuditSearchForm(request.GET)
    events = events_visible_to(request.actor)
    page = page_of(matching(events, form.wanted(request.actor)), request.GET.get("cursor"), size=PAGE_SIZE)
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.values()) or bool(form.errors),
        "events": [event_row(event, request.actor) for event in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
        "seal": seal_state(),
    }
    return render(request, list_template(request, "audit/list.html"), context)


@require_safe
@signed_in
def event_detail(request: StaffRequest, event_id: UUID) -> HttpResponse:
    """One event, whole, and whether a signed checkpoint covers it."""
    event = events_visible_to(request.actor).filter(pk=event_id).first()
    if event is None:
        raise NotFound("There is no such event.")
    context = {"event": _whole(event, request), "seal": seal_of(event), "list_url": reverse("audit:list")}
    return render(request, "audit/detail.html", context)


def _whole(event: AuditEvent, request: StaffRequest) -> dict[str, object]:
    return event_row(event, request.actor) | {
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "device_id": event.device_id,
        "address": event.ip,
        "object_id": event.object_id,
        "request_id": event.request_id,
        "details": parts_of(event).details,
    }
