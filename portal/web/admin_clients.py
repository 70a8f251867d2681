"""API clients in the admin: looked at, and given rights and secrets that SPiD knows.

A new sign secret stands in the answer to the form that made it, and nowhere else.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from portal.accounts.models import Application, ApplicationKind
from portal.accounts.operations.client_signing import drop_sign_secret, renew_sign_secret
from portal.accounts.operations.clients import set_administration
from portal.accounts.roles import Capability
from portal.core.actor import Actor
from portal.core.errors import DomainError
from portal.web.admin_actions import ReasonForm, RowAction, ask_reason, run_with_reason
from portal.web.admin_base import PortalAdmin, admin_actor
from portal.web.admin_lists import choice_filter
from portal.web.refusals import write_refusal


@dataclass(frozen=True)
class Shown:
    """What became of one client: its new secret, or why it has none."""

    client: str
    secret: str = ""
    refusal: str = ""


def _named(actor: Actor, row_id: object) -> str:
    """The client id of a row that the actor may see; "" names nobody."""
    found = Application.objects.visible_to(actor).filter(pk=row_id)  # type: ignore[misc]
    return found.values_list("client_id", flat=True).first() or ""


def _drop(actor: Actor, row_id: object, reason: str) -> str:
    drop_sign_secret(actor=actor, client_id=_named(actor, row_id), reason=reason)
    return "answers are no longer signed"


def _give(actor: Actor, row_id: object, reason: str) -> str:
    set_administration(actor=actor, client_id=_named(actor, row_id), administers=True, reason=reason)
    return "administers the bank's clients"


def _take(actor: Actor, row_id: object, reason: str) -> str:
    set_administration(actor=actor, client_id=_named(actor, row_id), administers=False, reason=reason)
    return "administers no other client"


RENEW = RowAction(
    "renew_secret",
    "Make new secrets",
    "Each client gets a new secret that signs what SPiD answers it. It is shown once; the old one signs no more.",
    lambda actor, row_id, reason: "",  # what comes of it has a page of its own
    title="New sign secrets",
)
DROP = RowAction(
    "drop_secret", "Stop signing", "Answers to these clients are no longer signed.", _drop, title="Unsigned answers"
)
GIVE = RowAction(
    "give_administration",
    "Give the right",
    "In SPiD these clients may speak for the bank's other clients, where the person may too.",
    _give,
    title="Right to administer",
)
TAKE = RowAction(
    "take_administration",
    "Take the right",
    "In SPiD these clients speak for themselves only.",
    _take,
    title="No right to administer",
)


class ApplicationAdmin(PortalAdmin[Application]):
    """API clients. No secret of theirs is shown, nor its digest, but a new one when it is made."""

    view_capabilities = (Capability.CLIENTS_MANAGE,)
    facts = (
        "name",
        "client_id",
        "kind",
        "bank",
        "client_type",
        "authorization_grant_type",
        "dialect_names",
        "scope_names",
        "networks",
        "administration",
        "signed_answers",
        "redirect_uris",
        "created",
        "updated",
        "suspended_at",
    )
    list_display = ("name", "kind", "client_id", "dialect_names", "administration", "signed_answers", "suspended_at")
    list_filter = (choice_filter("kind", ApplicationKind.choices),)
    ordering = ("name", "id")
    search_fields = ("name", "=client_id")
    actions = ("renew_secret", "drop_secret", "give_administration", "take_administration")

    def rows(self, actor: Actor) -> QuerySet[Application]:
        return Application.objects.visible_to(actor).select_related("bank")

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return admin_actor(request).can(Capability.CLIENTS_MANAGE)

    @admin.action(permissions=["manage"], description="New sign secret…")
    def renew_secret(self, request: HttpRequest, queryset: QuerySet[Application]) -> TemplateResponse:
        return show_new_secrets(self, request)

    @admin.action(permissions=["manage"], description="Sign no more answers…")
    def drop_secret(self, request: HttpRequest, queryset: QuerySet[Application]) -> TemplateResponse | None:
        return run_with_reason(self, request, DROP)

    @admin.action(permissions=["manage"], description="Right to administer…")
    def give_administration(self, request: HttpRequest, queryset: QuerySet[Application]) -> TemplateResponse | None:
        return run_with_reason(self, request, GIVE)

    @admin.action(permissions=["manage"], description="No right to administer…")
    def take_administration(self, request: HttpRequest, queryset: QuerySet[Application]) -> TemplateResponse | None:
        return run_with_reason(self, request, TAKE)

    @admin.display(description="Dialects")
    def dialect_names(self, row: Application) -> str:
        return ", ".join(row.dialects) or "none"

    @admin.display(description="Scopes")
    def scope_names(self, row: Application) -> str:
        return ", ".join(row.allowed_scopes) or "none"

    @admin.display(description="May call from")
    def networks(self, row: Application) -> str:
        return ", ".join(row.allowed_ips) or "any address"

    @admin.display(description="Administers")
    def administration(self, row: Application) -> str:
        return "the bank's clients" if row.administers else "itself"

    @admin.display(description="Signed answers")
    def signed_answers(self, row: Application) -> str:
        return "yes" if row.sign_secret_sealed else "no"


def show_new_secrets(model_admin: PortalAdmin[Application], request: HttpRequest) -> TemplateResponse:
    """Ask why, then make a secret for each selected client and show them all."""
    wanted = model_admin.selected(request)
    rows: dict[Any, Application] = {row.pk: row for row in model_admin.get_queryset(request).filter(pk__in=wanted)}
    form = ReasonForm(request.POST if "reason" in request.POST else None)
    if not form.is_valid():
        return ask_reason(model_admin, request, RENEW, form, rows)
    shown = [_renewed(request, row_id, rows.get(row_id), form.cleaned_data["reason"]) for row_id in wanted]
    site = model_admin.admin_site
    request.current_app = site.name
    context = {**site.each_context(request), "title": "New sign secrets", "shown": shown, "opts": model_admin.opts}
    return TemplateResponse(request, "admin/secrets.html", context)


def _renewed(request: HttpRequest, row_id: object, row: Application | None, reason: str) -> Shown:
    actor = admin_actor(request)
    label = str(row) if row else "Unknown"
    try:
        made = renew_sign_secret(actor=actor, client_id=_named(actor, row_id), reason=reason)
    except DomainError as error:
        write_refusal(request, actor, error, row)
        return Shown(label, refusal=error.message)
    return Shown(label, secret=made.sign_secret)
