"""Devices in the admin: descriptive data is corrected. States change in the portal, which its pages lead to: there a
step over many devices is one deed, and the bank's four-eyes limit is asked."""

from collections.abc import Mapping

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from devices.models import Device, DeviceKey, Kind
from devices.operations.corrections import CORRECTABLE, correct_device
from devices.states import Category, DeviceStatus, HeldBy
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.web.admin_base import admin_actor
from portal.web.admin_corrections import OperationAdmin
from portal.web.admin_lists import choice_filter


class DeviceAdmin(OperationAdmin[Device]):
    change_list_template = "admin/devices/device/change_list.html"
    view_capabilities = (Capability.DEVICES_READ,)
    change_capability = Capability.DEVICES_CORRECT
    correctable = CORRECTABLE
    facts = (
        "public_id",
        "owner",
        "customer_number",
        "category",
        "kind",
        "status",
        "held_by",
        "identifier",
        "approval_key",
        "push_platform",
        "registered_at",
        "activated_at",
        "switched_off_at",
        "retired_at",
        "updated_at",
        "last_activity_at",
    )
    list_display = ("device", "status", "kind", "nickname", "owner", "customer_number", "registered_at")
    list_filter = (
        choice_filter("status", DeviceStatus.choices),
        choice_filter("kind", Kind.choices),
        choice_filter("category", Category.choices),
        choice_filter("held_by", HeldBy.choices[1:], "switched off by"),
    )
    ordering = ("-registered_at", "-id")
    search_fields = ("=external_id_last4", "=owner__customer_number", "model", "nickname")
    search_help_text = "Device id, the identifier or its last four, customer number, model or nickname"

    def rows(self, actor: Actor) -> QuerySet[Device]:
        return Device.objects.visible_to(actor).select_related("owner")

    def correct(self, actor: Actor, row: Device, changes: Mapping[str, str], reason: str) -> None:
        correct_device(actor=actor, device_id=str(row.pk), changes=changes, reason=reason)

    def get_view_on_site_url(self, obj: Device | None = None) -> str | None:
        """Its page in the portal, with its timeline."""
        return reverse("devices:detail", args=[obj.pk]) if obj else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Device], search_term: str
    ) -> tuple[QuerySet[Device], bool]:
        """Also by any spelling of the id and by the whole external identifier, through its blind index."""
        found, repeats = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, repeats
        named = Device.objects.named(search_term.strip(), admin_actor(request).bank_id)
        return found | queryset.filter(pk__in=named.values("pk")), repeats

    @admin.display(description="Device id")
    def public_id(self, row: Device) -> str:
        return row.public_id

    @admin.display(description="Device")
    def device(self, row: Device) -> str:
        return row.label

    @admin.display(description="Customer number")
    def customer_number(self, row: Device) -> str:
        return row.owner.customer_number or "none"

    @admin.display(description="Identifier")
    def identifier(self, row: Device) -> str:
        """Its kind and last four: the whole of it is sealed and stays so."""
        last4 = f"··{row.external_id_last4}" if row.external_id_last4 else "sealed"
        return f"{row.get_external_id_kind_display()} {last4}" if row.external_id_sealed else "none"

    @admin.display(description="Approval key")
    def approval_key(self, row: Device) -> str:
        """The key in use, by its fingerprint."""
        key = DeviceKey.objects.filter(device=row, retired_at__isnull=True).order_by("-registered_at").first()
        if key is None:
            return "none"
        return f"{key.algorithm}, {key.fingerprint[:16]}…, {'proved' if key.proved_at else 'not proved yet'}"
