"""The pages that say that a device is lost, or found again."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from devices.operations.cascade import Cut, preview
from devices.operations.loss import Loss, after_undo
from devices.queries import get_device
from devices.screens.loss import REPORT, UNDO, Step
from devices.views.confirming import Action, confirmed
from portal.web.access import StaffRequest, signed_in
from portal.web.step_up import fresh_to_send


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def report_lost(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Report a device lost: at once, by one person."""
    return _step(request, device_id, REPORT)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def undo_loss(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Ask for a device back that was reported lost: two people decide."""
    return _step(request, device_id, UNDO)


def _step(request: StaffRequest, device_id: UUID, step: Step) -> HttpResponse:
    device = get_device(request.actor, str(device_id))
    request.about = device

    def carry_out(reason: str) -> str:
        return _told(step.operation(actor=request.actor, device_id=str(device.pk), reason=reason))

    action = Action(
        label=step.label,
        icon=step.icon,
        danger=step.danger,
        meaning=step.meaning,
        verdict=step.policy(request.actor, device),
        preview=preview(device, Cut.LOST).lines if step is REPORT else [(None, after_undo(device))],
        carry_out=carry_out,
    )
    return confirmed(request, device, action)


def _told(loss: Loss) -> str:
    """What the report really did; undoing it always waits for somebody."""
    if not loss.changed:
        return "Nothing has changed: the device was reported lost already."
    ended = ", ".join(f"{count} {text}" for count, text in loss.ended.lines)
    return f"The device was reported lost and blocked. What ended: {ended}."
