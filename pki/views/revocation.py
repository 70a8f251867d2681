"""The pages that revoke a certificate, put it on hold and release it. They translate; the operations decide."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from pki.forms.revocation import RevokeForm, StepForm
from pki.models import Certificate
from pki.operations.revocation import REVOKE, revoke_certificate
from pki.policies import require_revoke
from pki.queries.certificates import get_certificate
from pki.screens import certificates as certificate_screens
from pki.screens import revocation as screens
from pki.screens.revocation import HOLD, RELEASE, Step
from portal.approvals.gate import is_required
from portal.core import ids
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.step_up import fresh_to_send


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def revoke(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    """Revoke for good, with a cause."""
    require_revoke(request.actor)
    certificate = _certificate(request, certificate_id)
    initial = {"cause": screens.likely_cause(certificate)}
    form = RevokeForm(request.POST if request.method == "POST" else None, initial=initial)

    def carry_out() -> str:
        done = revoke_certificate(actor=request.actor, certificate_id=certificate.public_id, **form.cleaned_data)
        return screens.told_revoked(done)

    told = attempt(request, form, carry_out)
    if told is not None:
        messages.success(request, told)
        return redirect("pki:certificate", certificate.pk)
    context = {
        "certificate": certificate_screens.row(certificate),
        "form": form,
        "meaning": screens.REVOKE_MEANING,
        "asks": screens.ASKS if is_required(request.actor, REVOKE) else "",
        "hold_url": reverse("pki:hold", args=[certificate.pk]),
        **screens.previews(certificate),
    }
    return render(request, "pki/revoke.html", context, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def hold(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    """Put on hold: at once, by one person."""
    return _step(request, certificate_id, HOLD)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def release(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    """Let a held certificate go on."""
    return _step(request, certificate_id, RELEASE)


def _step(request: StaffRequest, certificate_id: UUID, step: Step) -> HttpResponse:
    require_revoke(request.actor)
    certificate = _certificate(request, certificate_id)
    form = StepForm(request.POST if request.method == "POST" else None)

    def carry_out() -> str:
        reason = form.cleaned_data["reason"]
        done = step.operation(actor=request.actor, certificate_id=certificate.public_id, reason=reason)
        return screens.told(done, step)

    told = attempt(request, form, carry_out)
    if told is not None:
        messages.success(request, told)
        return redirect("pki:certificate", certificate.pk)
    context = {"certificate": certificate_screens.row(certificate), "form": form, "step": step}
    return render(request, "pki/revoke_step.html", context, status=form.answer_status)


def _certificate(request: StaffRequest, certificate_id: UUID) -> Certificate:
    certificate = get_certificate(request.actor, ids.spell("CERT", certificate_id))
    request.about = certificate
    return certificate
