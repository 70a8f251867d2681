"""The portal's pages about devices. They translate; what may happen, the operations decide."""

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from devices import screens
from devices.forms import DeviceSearchForm
from devices.models import Device
from devices.operations import cascade
from devices.operations.activation import Change
from devices.queries import device_page, get_device
from devices.screens import STEPS_BY_NAME, Step, bulk, cards, issued, loss
from devices.screens import transfers as transfer_screens
from devices.views.confirming import Action, confirmed
from merchants.queries.links import link_of_device
from merchants.screens.links import of_device
from pki.queries.certificates import CERTIFICATE_PAPERS, certificate_papers
from pki.screens import certificates as certificate_screens
from portal.accounts.roles import Capability
from portal.audit.queries import timeline_of_all
from portal.web.access import StaffRequest, signed_in
from portal.web.events import event_row
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges

TIMELINE: Final = 30  # events on a device's page; the rest is in the audit browser


@require_safe
@signed_in
def device_list(request: StaffRequest) -> HttpResponse:
    """Search, filters and 25 devices to a page."""
    form = DeviceSearchForm(request.GET)
    wanted = form.wanted()
    page = device_page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.values()) or bool(form.errors),
        "devices": [screens.row(device) for device in page.items],
        "bulk": bulk.offers(request.actor),
        "count": page.total,
        "more": page.more,
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "devices/list.html"), context)


@require_safe
@signed_in
def device_detail(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Everything about one device, and what may be done with it."""
    device = _device(request, device_id)
    waiting = badges(request.actor, device)
    objects = [device.pk, *certificate_papers(device)]
    events = list(timeline_of_all(["device", *CERTIFICATE_PAPERS], objects)[: TIMELINE + 1])
    more = len(events) > TIMELINE and request.actor.can(Capability.AUDIT_READ)
    context = {
        "device": screens.facts(device),
        "owner": screens.owner(device),
        "posture": screens.posture(device),
        "keys": screens.keys(device),
        "sessions": screens.sessions(device),
        "actions": [
            *screens.steps(request.actor, device, waiting),
            *loss.steps(request.actor, device, waiting),
            *issued.steps(request.actor, device, waiting),
        ],
        "waiting": waiting,
        "link": of_device(link_of_device(request.actor, device)),
        "loss": loss.banner(device),
        "issued": cards.issued(device),
        "pin": cards.pin(request.actor, device),
        "certificate_card": certificate_screens.card(request.actor, device),
        "transfer_card": transfer_screens.card(request.actor, device),
        "fingerprints": cards.fingerprints(request.actor, device),
        "events": [event_row(event, request.actor) for event in events[:TIMELINE]],
        "timeline_url": f"{reverse('audit:list')}?object={device.public_id}" if more else "",
    }
    return render(request, "devices/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def activate(request: StaffRequest, device_id: UUID) -> HttpResponse:
    return _step(request, device_id, STEPS_BY_NAME["activate"])


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def deactivate(request: StaffRequest, device_id: UUID) -> HttpResponse:
    return _step(request, device_id, STEPS_BY_NAME["deactivate"])


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def block(request: StaffRequest, device_id: UUID) -> HttpResponse:
    return _step(request, device_id, STEPS_BY_NAME["block"])


def _device(request: StaffRequest, device_id: UUID) -> Device:
    """The device, noted on the request: refusals name it."""
    device = get_device(request.actor, str(device_id))
    request.about = device
    return device


def _step(request: StaffRequest, device_id: UUID, step: Step) -> HttpResponse:
    device = _device(request, device_id)

    def carry_out(reason: str) -> str:
        return _told(step, step.operation(actor=request.actor, device_id=str(device.pk), reason=reason))

    action = Action(
        label=step.label,
        icon=step.icon,
        danger=step.danger,
        meaning=step.meaning,
        verdict=step.policy(request.actor, device),
        preview=cascade.preview(device).lines if step.ends_access else [],
        carry_out=carry_out,
        second_person=screens.by_policy(request.actor, step),
    )
    return confirmed(request, device, action)


def _told(step: Step, change: Change) -> str:
    """What the operation really did."""
    if not change.changed:
        return f"Nothing has changed: the device was {step.done} already."
    if not step.ends_access:
        return f"The device was {step.done}."
    ended = change.sessions_terminated
    return f"The device was {step.done}. {ended} session{' was' if ended == 1 else 's were'} ended."
