"""Where the APIs are described."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.api.docs import documented
from portal.web.access import StaffRequest, signed_in


@require_safe
@signed_in
def docs(request: StaffRequest) -> HttpResponse:
    """One card for each API."""
    return render(request, "web/docs.html", {"dialects": documented()})
