"""People and banks in the admin. Customers' data is corrected; staff and banks are looked at."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from portal.accounts.models import Bank, User, UserKind
from portal.accounts.operations.people import contact_of, correct_customer
from portal.accounts.roles import Capability, Role
from portal.core.actor import Actor
from portal.web.admin_base import PortalAdmin
from portal.web.admin_corrections import CorrectionForm, OperationAdmin
from portal.web.admin_lists import choice_filter


def masked(text: str) -> str:
    """Enough to recognise a contact by, not to use it: `··67`, `a··@example.com`."""
    name, at, domain = text.rpartition("@")
    if at:
        return f"{name[:1]}··@{domain}"
    return f"··{text[-2:]}" if text else ""


class CustomerForm(CorrectionForm):
    """Contact data is sealed: its fields start empty, and one that stays empty leaves what is there."""

    phone = forms.CharField(required=False, max_length=32, widget=AdminTextInputWidget)
    email = forms.CharField(required=False, max_length=254, label="E-mail", widget=AdminTextInputWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        contact = contact_of(self.instance)
        for name, there in (("phone", contact.phone), ("email", contact.email)):
            hint = f"On file: {masked(there)}." if there else "None on file."
            self.fields[name].help_text = f"{hint} Left empty, it stays as it is."


class UserAdmin(OperationAdmin[User]):
    """Customers for whoever sees devices, staff for whoever manages staff. Only customers are corrected here."""

    view_capabilities = (Capability.DEVICES_READ, Capability.STAFF_MANAGE)
    change_capability = Capability.DEVICES_CORRECT
    correctable = ("name", "customer_number", "phone", "email")
    form = CustomerForm
    facts = ("public_id", "kind", "username", "role", "is_active", "created_at")
    list_display = ("name", "kind", "customer_number", "username", "role", "is_active", "created_at")
    list_filter = (choice_filter("kind", UserKind.choices), choice_filter("role", Role.choices))
    ordering = ("-created_at", "-id")
    search_fields = ("name", "=customer_number", "=username")
    search_help_text = "Name, customer number, username or USR_…"

    def rows(self, actor: Actor) -> QuerySet[User]:
        shown = Q(pk__in=[])
        if actor.can(Capability.DEVICES_READ):
            shown |= Q(kind=UserKind.CUSTOMER)
        if actor.can(Capability.STAFF_MANAGE):
            shown |= Q(kind=UserKind.STAFF)
        return User.objects.visible_to(actor).filter(shown)

    def correct(self, actor: Actor, row: User, changes: Mapping[str, str], reason: str) -> None:
        correct_customer(actor=actor, user_id=row.pk, changes=changes, reason=reason)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.is_staff)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        found, repeats = super().get_search_results(request, queryset, search_term)
        key = User.id_from(search_term.strip())
        return (found | queryset.filter(pk=key) if key else found), repeats

    @admin.display(description="User id")
    def public_id(self, row: User) -> str:
        return row.public_id


class BankAdmin(PortalAdmin[Bank]):
    """One's own bank, for everybody who manages people or clients, or sees devices."""

    view_capabilities = (Capability.DEVICES_READ, Capability.STAFF_MANAGE, Capability.CLIENTS_MANAGE)
    facts = ("name", "code", "id", "created_at")
    list_display = ("name", "code", "created_at")
    ordering = ("name",)

    def rows(self, actor: Actor) -> QuerySet[Bank]:
        return Bank.objects.visible_to(actor)
