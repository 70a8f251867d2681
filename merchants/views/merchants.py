"""The portal's pages about merchants. They translate; what may happen, the operations decide."""

from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from merchants.merchant_forms import BudgetForm, NewMerchantForm, PlainForm, ReviewForm, SwitchForm
from merchants.models import Merchant
from merchants.operations.alerts import review_alert
from merchants.operations.merchants import (
    create_merchant,
    resume_merchant,
    set_budget,
    set_plain_ids,
    suspend_merchant,
)
from merchants.queries.merchants import (
    Standing,
    alert_of,
    alerts_of,
    hours_of,
    list_merchants,
    merchant_of,
)
from merchants.queries.sightings import lookup_page
from merchants.screens import links as link_screens
from merchants.screens import merchants as screens
from portal.accounts.operations.client_secrets import renew_client_secret
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core.errors import ApprovalRequired, InvalidState
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.forms import PortalForm
from portal.web.paging import list_template, pager
from portal.web.posting import posted
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges, message

LATEST: Final = 10


class Step(NamedTuple):
    """One of a merchant's forms: its name in the template and its fields' prefix, the form, and what it does."""

    name: str
    form: Callable[..., PortalForm]
    operation: Callable[..., Merchant]


BUDGET: Final = Step("budget", BudgetForm, set_budget)
PLAIN: Final = Step("plain", PlainForm, set_plain_ids)
SUSPEND: Final = Step("suspend", SwitchForm, suspend_merchant)
RESUME: Final = Step("resume", SwitchForm, resume_merchant)


@require_safe
@signed_in
def merchant_list(request: StaffRequest) -> HttpResponse:
    """The bank's merchants by name, each with its hour, and the alerts that nobody has looked at."""
    page = list_merchants(request.actor, cursor=request.GET.get("cursor"))
    context = {
        "merchants": [screens.merchant(row) for row in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
        "chart": screens.chart(hours_of(request.actor, hours=24)),
        "may_make": request.actor.can(Capability.CLIENTS_MANAGE),
    }
    return render(request, list_template(request, "merchants/merchant_list.html"), context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@fresh_to_send
def merchant_new(request: StaffRequest) -> HttpResponse:
    """A new one. Its secret stands in this one answer, and nowhere else."""
    require_capability(request.actor, Capability.CLIENTS_MANAGE)
    form = NewMerchantForm(request.POST if request.method == "POST" else None)
    made = attempt(
        request,
        form,
        lambda: create_merchant(actor=request.actor, bank=request.person.bank, **form.cleaned_data),
    )
    if made is not None:
        shown = {"client": screens.created(made), "secrets": [screens.secret(made.client_secret)], "is_new": True}
        return render(request, "twofa/client_secrets.html", shown)
    return render(request, "merchants/merchant_new.html", {"form": form}, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def merchant_detail(request: StaffRequest, client_id: str) -> HttpResponse:
    """One merchant, and changing what it may: each of the page's forms has a field that only it sends."""
    row = _merchant(request, client_id)
    if request.method == "POST" and not request.actor.can(Capability.CLIENTS_MANAGE):
        require_capability(request.actor, Capability.MERCHANTS_MANAGE)
    steps = (BUDGET, PLAIN, RESUME if row.is_suspended else SUSPEND)
    forms = {step.name: step.form(posted(request, f"{step.name}-reason"), merchant=row) for step in steps}
    if request.method == "POST" and not any(form.is_bound for form in forms.values()):
        raise InvalidState("There is no such form for this merchant.", code="not-for-this-merchant")
    for step in steps:
        form = forms[step.name]
        if form.is_bound and (told := _tried(request, row, form, step.operation)):
            messages.success(request, told)
            return redirect("merchants:detail", client_id)
    switch = forms.get("resume") or forms["suspend"]
    hours, seen = hours_of(request.actor, client_id), lookup_page(request.actor, client_id, size=LATEST)
    context = {
        "merchant": screens.merchant(row),
        "chart": screens.chart(hours),
        "alerts": [screens.alert(one) for one in alerts_of(request.actor, client_id, size=LATEST).items],
        "lookups": [link_screens.lookup(one, request.actor) for one in seen.items],
        "sees_devices": request.actor.can(Capability.DEVICES_READ),
        "budget_form": forms["budget"],
        "plain_form": forms["plain"],
        "switch_form": switch,
        "waiting": badges(request.actor, Merchant(application=row.client, bank_id=row.client.bank_id)),
        "may_manage": request.actor.can(Capability.MERCHANTS_MANAGE),
        "may_renew": request.actor.can(Capability.CLIENTS_MANAGE),
    }
    status = max(form.answer_status for form in forms.values())
    return render(request, "merchants/merchant_detail.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@fresh_to_send
def secret(request: StaffRequest, client_id: str) -> HttpResponse:
    """A new client secret, which stands in this one answer and nowhere else."""
    row = _merchant(request, client_id)
    require_capability(request.actor, Capability.CLIENTS_MANAGE)
    form = ReviewForm(request.POST if request.method == "POST" else None)
    made = attempt(
        request, form, lambda: renew_client_secret(actor=request.actor, client_id=client_id, **form.cleaned_data)
    )
    shown: dict[str, object] = {"client": screens.merchant(row)}
    if made is not None:
        shown |= {"secrets": [screens.secret(made.secret)], "is_new": False}
        return render(request, "twofa/client_secrets.html", shown)
    return render(request, "merchants/merchant_secret.html", {**shown, "form": form}, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def review(request: StaffRequest, alert_id: UUID) -> HttpResponse:
    """One alert, and writing down what was found."""
    found = alert_of(request.actor, str(alert_id))
    request.about = found.merchant
    form = ReviewForm(request.POST if request.method == "POST" else None)
    done = attempt(
        request, form, lambda: review_alert(actor=request.actor, alert_id=str(alert_id), **form.cleaned_data)
    )
    if done is not None:
        messages.success(request, "The alert is closed.")
        return redirect("merchants:detail", found.merchant.application.client_id)
    may_manage = request.actor.can(Capability.MERCHANTS_MANAGE)
    context = {"alert": screens.alert(found), "form": form, "may_manage": may_manage}
    return render(request, "merchants/merchant_alert.html", context, status=form.answer_status)


def _tried(request: StaffRequest, row: Standing, form: PortalForm, work: Callable[..., Merchant]) -> str:
    """What came of it; "" where something stood in the way, which the form then tells."""

    def change() -> Merchant:
        return work(actor=request.actor, client_id=row.client_id, **form.cleaned_data)

    try:
        return "The merchant is as you asked." if attempt(request, form, change) is not None else ""
    except ApprovalRequired as error:
        return message(request.actor, error)


def _merchant(request: StaffRequest, client_id: str) -> Standing:
    row = merchant_of(request.actor, client_id)
    request.about = row.client
    return row
