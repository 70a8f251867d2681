"""The portal's pages about transfers. They translate; what may happen, the operations decide."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from devices import screens as device_screens
from devices.forms import ReasonForm
from devices.forms.transfers import DecisionForm, TransferRequestForm, TransferSearchForm
from devices.models import Device, Transfer
from devices.operations.transfers import approve_transfer, cancel_transfer, reject_transfer, request_transfer
from devices.policies import transfers as policies
from devices.queries import get_owned_device
from devices.queries.transfers import get_transfer, transfer_page
from devices.screens import transfers as screens
from portal.core import ids
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt, fresh_factor
from portal.web.forms import PortalForm
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send, proved_each_time


@require_safe
@signed_in
def transfer_list(request: StaffRequest) -> HttpResponse:
    """What waits, counted; search, state and 25 transfers to a page."""
    form = TransferSearchForm(request.GET)
    wanted = form.wanted()
    page = transfer_page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.values()) or bool(form.errors),
        "counts": screens.counts(request.actor),
        "transfers": [screens.row(transfer) for transfer in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "devices/transfers.html"), context)


@require_safe
@signed_in
def transfer_detail(request: StaffRequest, transfer_id: UUID) -> HttpResponse:
    """Who gives what to whom, what it cuts, how far it is, and what may be done."""
    return _page(request, _transfer(request, transfer_id))


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@proved_each_time
def decide(request: StaffRequest, transfer_id: UUID) -> HttpResponse:
    """Approve or reject, with a fresh code of the second factor."""
    if request.method != "POST":
        return redirect("devices:transfer", transfer_id)
    transfer = _transfer(request, transfer_id)
    form = DecisionForm(request.POST)
    approves = request.POST.get("decision") == "approve"
    decision = approve_transfer if approves else reject_transfer

    def carry_out() -> str:
        # Asked before the code is used up: a refusal that was certain costs nobody a code.
        policies.decide(request.actor, transfer).require()
        reason = form.cleaned_data["reason"]
        proof = fresh_factor(request, form.cleaned_data["code"])
        decision(actor=request.actor, transfer_id=transfer.public_id, reason=reason, proof=proof)
        told = "The transfer was approved. The new owner gets the acceptance code."
        return told if approves else "The transfer was rejected."

    done = _tried(request, transfer, form, carry_out)
    return done or _page(request, _transfer(request, transfer_id), decision_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def cancel(request: StaffRequest, transfer_id: UUID) -> HttpResponse:
    """Call it off, with a reason."""
    if request.method != "POST":
        return redirect("devices:transfer", transfer_id)
    transfer = _transfer(request, transfer_id)
    form = ReasonForm(request.POST, prefix="cancel")

    def carry_out() -> str:
        reason = form.cleaned_data["reason"]
        cancel_transfer(actor=request.actor, transfer_id=transfer.public_id, reason=reason)
        return "The transfer was cancelled."

    done = _tried(request, transfer, form, carry_out)
    return done or _page(request, _transfer(request, transfer_id), cancel_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def start(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Ask for a transfer on the owner's behalf."""
    device = get_owned_device(request.actor, str(device_id))
    request.about = device
    form = TransferRequestForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        policies.request(request.actor, device).require()

    def ask() -> Transfer:
        return request_transfer(actor=request.actor, device_id=str(device.pk), **form.cleaned_data)

    transfer = attempt(request, form, ask, finds_nothing=True)
    if transfer is None:
        return _start_page(request, device, form)
    messages.success(request, "The transfer waits for approval by somebody else.")
    return redirect("devices:transfer", transfer.pk)


def _start_page(request: StaffRequest, device: Device, form: TransferRequestForm) -> HttpResponse:
    context = {
        "device": device_screens.facts(device),
        "device_url": reverse("devices:detail", args=[device.pk]),
        "owner": device_screens.owner(device),
        "form": form,
    }
    return render(request, "devices/transfer_start.html", context, status=form.answer_status)


def _transfer(request: StaffRequest, transfer_id: UUID) -> Transfer:
    """The transfer; its device is noted on the request, so that refusals name it."""
    transfer = get_transfer(request.actor, ids.spell("TRF", transfer_id))
    request.about = transfer.device
    return transfer


def _tried(
    request: StaffRequest, transfer: Transfer, form: PortalForm, carry_out: Callable[[], str]
) -> HttpResponse | None:
    """Back to the transfer with what was done; None with the refusal put on the form."""
    told = attempt(request, form, carry_out)
    if told is None:
        return None
    messages.success(request, told)
    return redirect("devices:transfer", transfer.pk)


def _page(
    request: StaffRequest,
    transfer: Transfer,
    *,
    decision_form: DecisionForm | None = None,
    cancel_form: ReasonForm | None = None,
) -> HttpResponse:
    actor = request.actor
    story = screens.story(transfer)
    status = max(form.answer_status if form else 200 for form in (decision_form, cancel_form))
    context = {
        "transfer": screens.facts(transfer),
        "way": screens.way(transfer),
        "cuts": screens.cuts(transfer, story),
        "decision": (decision := screens.decision(actor, transfer)),
        "cancellation": screens.cancellation(actor, transfer),
        "actions": [decision] if decision else [],
        "decision_form": decision_form or DecisionForm(),
        "cancel_form": cancel_form or ReasonForm(prefix="cancel"),
        "events": screens.timeline(story, actor),
    }
    return render(request, "devices/transfer.html", context, status=status)
