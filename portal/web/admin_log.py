"""The audit log in the admin: to look at, never to change."""

import json
from collections.abc import Mapping
from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.accounts.roles import Capability
from portal.audit.events import Event, Outcome
from portal.audit.models import AuditEvent
from portal.audit.queries import events_visible_to
from portal.core.actor import Actor, Channel
from portal.web.admin_base import PortalAdmin
from portal.web.admin_lists import choice_filter


class AuditEventAdmin(PortalAdmin[AuditEvent]):
    view_capabilities = (Capability.AUDIT_READ,)
    facts = (
        "at",
        "event",
        "outcome",
        "code",
        "actor_label",
        "actor_kind",
        "actor_id",
        "channel",
        "device_id",
        "object_label",
        "object_type",
        "object_id",
        "reason",
        "details",
        "ip",
        "request_id",
        "id",
    )
    labels: ClassVar[Mapping[str, str]] = {
        "actor_label": "who",
        "device_id": "through device",
        "object_label": "on what",
        "ip": "IP address",
        "id": "event id",
    }
    list_display = ("at", "event", "outcome", "code", "actor_label", "channel", "object_label")
    list_filter = (
        choice_filter("event", Event.choices),
        choice_filter("outcome", Outcome.choices),
        choice_filter("channel", [(channel.value, channel.value.title()) for channel in Channel]),
    )
    ordering = ("-id",)
    search_fields = ("=object_id", "=actor_id", "=request_id")
    search_help_text = "The whole id of an object, an actor or a request"

    def rows(self, actor: Actor) -> QuerySet[AuditEvent]:
        return events_visible_to(actor)

    @admin.display(description="Before, after, details")
    def details(self, row: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(json.loads(row.data), indent=2, ensure_ascii=False))
