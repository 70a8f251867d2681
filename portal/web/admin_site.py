"""The Django admin: for looking and for data fixes, behind the portal's own sign-in with its second factor.

Everything it shows is listed here; nothing is discovered. Passwords, tokens, sessions, authenticators and messages
are not in it. What an admin class may be is in `admin_base`.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver, reverse
from django.views.decorators.csrf import csrf_protect

from devices.admin import DeviceAdmin
from devices.models import Device
from portal.accounts.models import Application, Bank, User
from portal.audit.models import AuditEvent
from portal.core.errors import Forbidden
from portal.web.access import StaffRequest, StaffView, signed_in
from portal.web.actor import signed_in_person
from portal.web.admin_clients import ApplicationAdmin
from portal.web.admin_log import AuditEventAdmin
from portal.web.admin_people import BankAdmin, UserAdmin
from portal.web.paths import safe_path
from portal.web.step_up import fresh_to_send

_NOT_OURS = {"logout", "password_change", "password_change_done", "autocomplete", "view_on_site"}


class PortalAdminSite(AdminSite):
    """For staff with a verified second factor whose role opens at least one of its pages."""

    site_title = site_header = "Device Trust data fixes"
    index_title = "Data fixes"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        if signed_in_person(request) is None:
            return False
        return any(model_admin.has_view_permission(request) for model_admin in self._registry.values())

    def admin_view[View: Callable[..., HttpResponseBase]](self, view: View, cacheable: bool = False) -> View:
        """The portal's own door: its sign-in, its pages that say no, and one audit event for each refusal.

        Whatever is sent wants a fresh second factor; looking does not.
        """

        guarded = fresh_to_send(cast("StaffView[...]", view))

        def allowed(request: StaffRequest, /, *args: object, **kwargs: object) -> HttpResponse:
            if not self.has_permission(request):
                raise Forbidden("There is nothing here for your role.", code="capability-missing")
            return guarded(request, *args, **kwargs)

        return cast(View, update_wrapper(csrf_protect(signed_in(allowed)), view))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without the addresses that the portal itself has, and those that look things up across models."""
        return [route for route in super().get_urls() if getattr(route, "name", "") not in _NOT_OURS]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in, the portal's; this address leads to it and then back."""
        target = safe_path(request.GET.get(REDIRECT_FIELD_NAME), reverse("admin:index", current_app=self.name))
        return redirect_to_login(target, reverse("web:sign-in"))

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """None are written: the audit log is the record."""
        return LogEntry.objects.none()


def make_site() -> PortalAdminSite:
    made = PortalAdminSite(name="admin")
    made.disable_action("delete_selected")
    made.register(Device, DeviceAdmin)
    made.register(User, UserAdmin)
    made.register(Application, ApplicationAdmin)
    made.register(Bank, BankAdmin)
    made.register(AuditEvent, AuditEventAdmin)
    return made


site = make_site()
