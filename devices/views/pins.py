"""The page that starts a PIN reset for an owner. Nobody of the staff ever sees or sets a PIN or a code."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from devices import screens
from devices.forms.pins import ResetForm
from devices.models import Device, PinReset
from devices.operations.pin_resets import start_reset
from devices.policies import pins as policies
from devices.queries import get_owned_device
from devices.queries.pins import reset_methods
from devices.screens import cards
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.step_up import fresh_to_send


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def reset_pin(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Send the owner a code with which they set a new PIN."""
    device = get_owned_device(request.actor, str(device_id))
    request.about = device
    form = ResetForm(request.POST if request.method == "POST" else None, methods=reset_methods(device.owner))
    if request.method != "POST":
        policies.start_reset(request.actor, device).require()

    def start() -> PinReset:
        return start_reset(actor=request.actor, device_id=str(device.pk), **form.cleaned_data)

    reset = attempt(request, form, start)
    if reset is None:
        return _page(request, device, form)
    until = f"{reset.expires_at:%H:%M} UTC"
    messages.success(request, f"A code is on its way to {device.owner.name}. It is good until {until}.")
    return redirect("devices:detail", device.pk)


def _page(request: StaffRequest, device: Device, form: ResetForm) -> HttpResponse:
    context = {
        "device": screens.facts(device),
        "device_url": reverse("devices:detail", args=[device.pk]),
        "owner": screens.owner(device),
        "pin": cards.pin(request.actor, device),
        "form": form,
    }
    return render(request, "devices/pin_reset.html", context, status=form.answer_status)
