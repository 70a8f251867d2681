"""The pages of a step over many devices: choose, try, take, see what came of it."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from devices.forms.bulk import SelectionForm, TakeForm
from devices.models import BulkRun
from devices.operations.bulk import switch_many
from devices.operations.bulk_trial import Trial, try_many
from devices.policies import bulk as policies
from devices.policies import read
from devices.queries.bulk import devices_of_run, get_run, request_for_run
from devices.screens import bulk as screens
from portal.core.errors import DomainError, NotFound
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.step_up import fresh_to_send


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def choose(request: StaffRequest) -> HttpResponse:
    """A list of device ids and a step; sent, or sent by the list's checkboxes, it is tried and nothing changes."""
    read(request.actor).require()
    form = SelectionForm(request.POST if request.method == "POST" else None)

    def try_them() -> Trial:
        return try_many(request.actor, step=form.cleaned_data["step"], device_ids=_named(request, form))

    trial = attempt(request, form, try_them, finds_nothing=True)
    if trial is not None:
        initial = {"run_id": str(uuid4()), "step": form.cleaned_data["step"]}
        return _trial(request, trial, TakeForm(initial=initial))
    if not screens.offers(request.actor):
        policies.may_switch_many(request.actor, policies.STEPS["block"]).require()
    return render(request, "devices/bulk.html", {"form": form, "most": policies.MOST}, status=form.answer_status)


@require_http_methods(["POST"])
@signed_in
@fresh_to_send
def take(request: StaffRequest) -> HttpResponse:
    """Take the step that was tried; what takes a second person is asked for, and `signed_in` says so."""
    form = TakeForm(request.POST)
    device_ids = request.POST.getlist("device")

    def carry_out() -> BulkRun:
        return switch_many(actor=request.actor, device_ids=device_ids, **form.cleaned_data)

    run = attempt(request, form, carry_out)
    if run is None:
        return _again(request, form, device_ids)
    messages.success(request, "The step was taken. This is what came of it.")
    return redirect(screens.url(run))


@require_safe
@signed_in
def result(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """What a step did, device by device. One that waits for a second person leads to its request."""
    try:
        run = get_run(request.actor, run_id)
    except NotFound:
        asked = request_for_run(request.actor, run_id)
        if asked is None:
            raise
        return redirect("approvals:detail", asked.public_id)
    context = {"run": screens.result(run, devices_of_run(request.actor, run))}
    return render(request, "devices/bulk_result.html", context)


def _named(request: StaffRequest, form: SelectionForm) -> list[str]:
    """Those that were ticked in the list, and those that were written."""
    return [*request.POST.getlist("device"), *form.cleaned_data["devices"].split()]


def _again(request: StaffRequest, form: TakeForm, device_ids: list[str]) -> HttpResponse:
    """The trial once more, with what is wrong."""
    try:
        trial = try_many(request.actor, step=request.POST.get("step", ""), device_ids=device_ids)
    except DomainError:  # what was sent cannot be tried either
        return redirect("devices:bulk")
    return _trial(request, trial, form)


def _trial(request: StaffRequest, trial: Trial, form: TakeForm) -> HttpResponse:
    context = {"trial": screens.trial(trial), "form": form}
    return render(request, "devices/bulk_try.html", context, status=form.answer_status)
