"""What all pages of the Django admin have in common: they are for looking.

An admin class names the rows it shows, the capabilities that open it and its facts. One that corrects is in
`admin_corrections`, actions are in `admin_actions`; both call operations. Django's admin itself saves, adds and
deletes nothing, and keeps no log of its own: the audit log is the record.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, InvalidInput, NotFound
from portal.web.access import StaffRequest
from portal.web.actor import actor_of
from portal.web.admin_lists import BoundedPaginator

AT_ONCE = 100  # rows that one action takes; a list's page has fewer

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm

    class _ModelAdmin(admin.ModelAdmin):
        """Django's class, which only type checkers know as generic."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


def admin_actor(request: HttpRequest) -> Actor:
    """The signed-in member of staff, acting through the admin. `PortalAdminSite` lets nobody else come so far."""
    return actor_of(request, cast("StaffRequest", request).person, Channel.ADMIN)


class PortalAdmin[M: Model](_ModelAdmin[M]):
    """A list and a page per row, to look at. Subclasses say which rows (`rows`), for whom and which facts.

    labels: what people call a fact, where the column's name will not do.
    """

    view_capabilities: ClassVar[tuple[Capability, ...]]
    facts: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[Mapping[str, str]] = {}

    actions: Sequence[Any] = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[tuple[str, ...]] = ()
    list_per_page = list_max_show_all = 50
    view_on_site = False

    def rows(self, actor: Actor) -> QuerySet[M]:
        """The rows that somebody who has one of `view_capabilities` may see."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = self.rows(admin_actor(request))
        return rows.order_by(*self.ordering) if self.ordering else rows

    def get_urls(self) -> list[URLPattern]:
        """The list and the page. Adding, deleting and Django's own history have no address."""
        kept = ("_changelist", "_change")
        return [route for route in super().get_urls() if (route.name or "").endswith(kept)]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        actor = admin_actor(request)
        return any(actor.can(capability) for capability in self.view_capabilities)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only by the filters on the page: anything else would let an address ask about any column."""
        names = {getattr(entry, "parameter_name", None) for entry in self.list_filter}
        return lookup in names

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> tuple[str, ...]:
        return self.facts

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Any:
        return ((None, {"fields": self.facts}),)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list. An action that was sent without the right to it is a refusal, not a slip.

        Raises Forbidden, InvalidInput.
        """
        self._require_view(request)
        self.selected(request)
        wanted = request.POST.get("action", "")
        if wanted in self.actions and wanted not in self.get_actions(request):
            raise Forbidden(code="capability-missing")
        return super().changelist_view(request, extra_context)

    def selected(self, request: HttpRequest) -> list[Any]:
        """The keys that were ticked, each once, in the order of the page. Raises InvalidInput `bad-selection`."""
        try:
            texts = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
            keys = list(dict.fromkeys(self.opts.pk.to_python(text) for text in texts))
        except ValidationError:
            raise InvalidInput("What was selected is not in this list.", code="bad-selection") from None
        if len(keys) > AT_ONCE:
            raise InvalidInput(f"At most {AT_ONCE} can be selected at once.", code="bad-selection")
        return keys

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A row's page, from which nothing can be sent. Raises Forbidden, NotFound."""
        row = self._visible(request, object_id)
        if request.method == "POST":
            raise Forbidden("This is only to look at.", code="read-only")
        return self._page(request, row, self._form(request, row))

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            require_capability(admin_actor(request), self.view_capabilities[0])

    def _visible(self, request: HttpRequest, object_id: str) -> M:
        """The row that an address names, if the actor may see it; a refusal that follows is about it."""
        self._require_view(request)
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise NotFound
        cast("StaffRequest", request).about = row
        return row

    def _form(self, request: HttpRequest, row: M) -> ModelForm:
        """The form works on a copy: what was typed never reaches the row that the page shows."""
        fields = [name for _, part in self.get_fieldsets(request, row) for name in part["fields"]]
        kind = self.get_form(request, row, change=True, fields=fields, labels=self.labels)
        return kind(request.POST if request.method == "POST" else None, instance=copy(row))

    def _page(self, request: HttpRequest, row: M, form: ModelForm, *, status: int = 200) -> HttpResponse:
        fieldsets = list(self.get_fieldsets(request, row))
        parts = helpers.AdminForm(form, fieldsets, {}, self.get_readonly_fields(request, row), model_admin=self)
        can_change = self.has_change_permission(request, row)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{'Correct' if can_change else 'View'} {self.opts.verbose_name}",
            "subtitle": str(row),
            "adminform": parts,
            "object_id": str(row.pk),
            "original": row,
            "to_field": None,
            "media": self.media + parts.media,
            "inline_admin_formsets": [],
            "errors": helpers.AdminErrorList(form, []),
            "preserved_filters": self.get_preserved_filters(request),
            "show_save_and_continue": False,
        }
        page = self.render_change_form(request, context, change=True, obj=row)
        page.status_code = status
        return page
