"""The demo's outbox: what would have gone to people and systems, for everybody to look at."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.core.actor import Actor
from portal.outbox.queries import SinkMessage, sink_messages_visible_to
from portal.web.access import StaffRequest, signed_in
from portal.web.events import object_url
from portal.web.paging import list_template, pager


@require_safe
@signed_in
def outbox(request: StaffRequest) -> HttpResponse:
    """What the sink received, newest first. Outside the demo there is no such page."""
    page = sink_messages_visible_to(request.actor, cursor=request.GET.get("cursor"))
    context = {
        "sent": [_row(message, request.actor) for message in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "web/outbox.html"), context)


def _row(message: SinkMessage, actor: Actor) -> dict[str, object]:
    return {
        "kind": message.kind,
        "template": message.template,
        "recipient": message.recipient,
        "text": message.text,
        "about": f"a {message.about_type}" if message.about_type else "",
        "about_url": object_url(message.about_type, message.about_id, actor),
        "delivered_at": message.delivered_at,
    }
