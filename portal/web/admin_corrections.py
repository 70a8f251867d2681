"""Data fixes in the admin: a form with a reason, one operation, and its refusal on the form."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, DomainError, FieldProblem, Forbidden, InvalidInput
from portal.web.admin_base import ModelForm, PortalAdmin, admin_actor
from portal.web.refusals import status_of, write_refusal


class CorrectionForm(ModelForm):
    """Cleans a correction. Whether it may stand is the operation's to say, so no rule of the model is asked here."""

    reason = forms.CharField(
        max_length=500, widget=AdminTextInputWidget, help_text="Why this is corrected. It is kept in the audit log."
    )

    def validate_unique(self) -> None:
        """The operation does, with the row locked."""

    def validate_constraints(self) -> None:
        """The database does."""

    def refuse(self, error: DomainError) -> None:
        """Show a refusal at the fields that it names, or above the form. What waits for somebody is none."""
        if isinstance(error, ApprovalRequired):
            raise error
        problems = error.fields if isinstance(error, InvalidInput) else ()
        for problem in problems or (FieldProblem("", error.code, error.message),):
            self.add_error(problem.field if problem.field in self.fields else None, problem.message)


class OperationAdmin[M: Model](PortalAdmin[M]):
    """Also corrects descriptive data: one operation, with a reason. `correctable` are the names it knows."""

    change_capability: ClassVar[Capability]
    correctable: ClassVar[tuple[str, ...]] = ()
    form = CorrectionForm

    def correct(self, actor: Actor, row: M, changes: Mapping[str, str], reason: str) -> None:
        """Call the operation. It raises DomainErrors; the page shows them."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return admin_actor(request).can(self.change_capability)

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Any:
        facts = ("Facts", {"fields": self.get_readonly_fields(request, obj)})
        if not self.has_change_permission(request, obj):
            return (facts,)
        return (("What can be corrected", {"fields": (*self.correctable, "reason")}), facts)

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> tuple[str, ...]:
        if self.has_change_permission(request, obj):
            return self.facts
        columns = {field.name for field in self.opts.get_fields()}
        return (*(name for name in self.correctable if name in columns), *self.facts)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A row's page with its form. What is sent goes to the operation; its refusal stands on the form."""
        row = self._visible(request, object_id)
        if request.method == "POST" and not self.has_change_permission(request, row):
            require_capability(admin_actor(request), self.change_capability)
            raise Forbidden("This is only to look at.", code="read-only")
        form = cast(CorrectionForm, self._form(request, row))
        refusal = None
        if request.method == "POST" and form.is_valid():
            refusal = self._correct(request, row, form)
            if refusal is None:
                return self.response_post_save_change(request, row)
        return self._page(request, row, form, status=status_of(refusal) if refusal else 200)

    def _correct(self, request: HttpRequest, row: M, form: CorrectionForm) -> DomainError | None:
        """Call the operation with what differs from what the page showed. Returns its refusal, shown on the form."""
        actor = admin_actor(request)
        changes = {name: form.cleaned_data[name] or "" for name in form.changed_data if name in self.correctable}
        try:
            if changes:
                self.correct(actor, row, changes, form.cleaned_data["reason"])
        except DomainError as error:
            write_refusal(request, actor, error, row)
            form.refuse(error)
            return error
        messages.success(request, f"{row}: {'corrected' if changes else 'nothing was changed'}.")
        return None
