"""How push messages about requests arrive."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.web.access import StaffRequest, signed_in
from twofa.queries.push_health import push_health
from twofa.screens import push as screens
from twofa.screens.sections import sections


@require_safe
@signed_in
def push(request: StaffRequest) -> HttpResponse:
    """The push services day by day, what became of the last day's messages, and whom none reaches."""
    context = {
        "sections": sections(request.actor, "twofa:push"),
        "health": screens.health(push_health(request.actor), request.actor),
    }
    return render(request, "twofa/push.html", context)
