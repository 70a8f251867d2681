"""The page before a step with one device: what it does now, counted, and why somebody wants it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from devices import screens
from devices.forms import ReasonForm
from devices.models import Device
from devices.policies.verdicts import Verdict
from portal.web.access import StaffRequest
from portal.web.attempts import attempt


@dataclass(frozen=True, kw_only=True)
class Action:
    """A step with one device, as its page shows it.

    preview: what ends, counted, or what becomes of it. second_person: why it takes one, or "". carry_out: takes the
    step for a reason and says what was really done.
    """

    label: str
    icon: str
    danger: bool
    meaning: str
    verdict: Verdict
    preview: Sequence[tuple[int | None, str]]
    carry_out: Callable[[str], str]
    second_person: str = ""


def confirmed(request: StaffRequest, device: Device, action: Action) -> HttpResponse:
    """Show what a step does and ask why; then take it and tell what really happened.

    A step that takes a second person is asked for by the same form: `signed_in` says that it waits.
    """
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" and not action.verdict.needs_second_person:
        action.verdict.require()
    told = attempt(request, form, lambda: action.carry_out(form.cleaned_data["reason"]), device)
    if told is not None:
        messages.success(request, told)
        return redirect("devices:detail", device.pk)
    context = {
        "device": screens.facts(device),
        "device_url": reverse("devices:detail", args=[device.pk]),
        "action": action,
        "asks": action.second_person or (action.verdict.message if action.verdict.needs_second_person else ""),
        "ends": True,
        "preview": [{"count": count, "text": text} for count, text in action.preview],
        "form": form,
    }
    return render(request, "devices/confirm.html", context, status=form.answer_status)
