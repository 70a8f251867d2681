"""Admin actions that call one operation for each selected row, after asking for a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse

from portal.core.actor import Actor
from portal.core.errors import DomainError
from portal.web.admin_base import PortalAdmin, admin_actor
from portal.web.refusals import write_refusal


@dataclass(frozen=True)
class RowAction:
    """A step that can be taken with each selected row.

    name: of the method on the admin class. label: a verb. meaning: what it does, in one sentence. run: calls the
    operation for one row and returns what became of it, e.g. "answers are no longer signed". title: of the page that
    asks why, where label and number of rows make none. A step that may take two people is none of these: nobody here
    counts the rows.
    """

    name: str
    label: str
    meaning: str
    run: Callable[[Actor, UUID, str], str]
    title: str = ""


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        widget=AdminTextInputWidget(attrs={"autofocus": True}),
        help_text="It is kept in the audit log.",
    )


def run_with_reason[M: Model](
    model_admin: PortalAdmin[M], request: HttpRequest, action: RowAction
) -> TemplateResponse | None:
    """Ask why, then act. Each row is a deed of its own: it is done or refused whatever becomes of the others.

    The page afterwards has one message per row. An id that the actor may not see is refused like an unknown one.
    """
    wanted = model_admin.selected(request)
    rows: dict[Any, M] = {row.pk: row for row in model_admin.get_queryset(request).filter(pk__in=wanted)}
    form = ReasonForm(request.POST if "reason" in request.POST else None)
    if not form.is_valid():
        return ask_reason(model_admin, request, action, form, rows)
    for row_id in wanted:
        _run(request, action, row_id, rows.get(row_id), form.cleaned_data["reason"])
    return None


def _run(request: HttpRequest, action: RowAction, row_id: UUID, row: Model | None, reason: str) -> None:
    actor = admin_actor(request)
    label = str(row) if row else "Unknown"
    try:
        outcome = action.run(actor, row_id, reason)
    except DomainError as error:
        write_refusal(request, actor, error, row)
        messages.error(request, f"{label}: refused. {error.message}")
    else:
        messages.success(request, f"{label}: {outcome}.")


def ask_reason[M: Model](
    model_admin: PortalAdmin[M], request: HttpRequest, action: RowAction, form: ReasonForm, rows: dict[Any, M]
) -> TemplateResponse:
    """The page that names the selected rows and asks why."""
    site = model_admin.admin_site
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "title": action.title or f"{action.label} {len(rows)} {model_admin.opts.verbose_name_plural}",
        "action": action,
        "form": form,
        "rows": list(rows.values()),
        "opts": model_admin.opts,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/reason.html", context)
