"""The page that shows how lists and OCSP answers are doing."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from pki.operations.crls import publish_crl
from pki.queries.health import authority_health
from pki.screens import health as screens
from portal.web.access import StaffRequest, signed_in


@require_safe
@signed_in
def health(request: StaffRequest) -> HttpResponse:
    """Each authority's list, answers and responder."""
    found = authority_health(request.actor)
    context = {
        "authorities": [screens.authority(one, request.actor) for one in found],
        "tiles": screens.tiles(found),
    }
    return render(request, "pki/health.html", context)


@require_POST
@signed_in
def publish(request: StaffRequest, authority_id: UUID) -> HttpResponse:
    """Publish a list now."""
    crl = publish_crl(actor=request.actor, authority_id=authority_id)
    messages.success(request, f"List {crl.number:,} of {crl.authority.name} was published: {crl.entries:,} entries.")
    return redirect("pki:health")
