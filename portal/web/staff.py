"""Colleagues and their second factors, for whoever manages staff."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.operations.second_factor import Verified
from portal.accounts.roles import Role
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.forms import WithReason, reason_field
from portal.web.paging import list_template, pager
from portal.web.step_up import stepped_up
from twofa.operations.recovery import reset_second_factor, what_happens
from twofa.queries.staff import Colleague, get_colleague, staff_page


class ResetForm(WithReason):
    """Why a second factor is taken away."""

    reason = reason_field("The second person reads it. It is kept in the audit log.")


@require_safe
@signed_in
def staff_list(request: StaffRequest) -> HttpResponse:
    """25 colleagues to a page."""
    page = staff_page(request.actor, request.GET.get("cursor"))
    context = {
        "colleagues": [_row(colleague, request) for colleague in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "web/staff.html"), context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@stepped_up
def reset(request: StaffRequest, proof: Verified, user_id: UUID) -> HttpResponse:
    """Ask for a colleague's second factor to be taken away. It always waits for a second person."""
    found = get_colleague(request.actor, user_id)
    request.about = found.user
    form = ResetForm(request.POST if request.method == "POST" else None)

    def work() -> object:
        return reset_second_factor(actor=request.actor, user_id=str(user_id), **form.cleaned_data)

    if attempt(request, form, work) is not None:
        messages.success(request, "The second factor was taken away.")
        return redirect("web:staff")
    context = {
        "colleague": _row(found, request),
        "preview": [{"count": count, "text": text} for count, text in what_happens(found.user)],
        "asks": "Who has the password could sign in afterwards.",
        "form": form,
    }
    return render(request, "web/staff_reset.html", context, status=form.answer_status)


def _row(colleague: Colleague, request: StaffRequest) -> dict[str, object]:
    user = colleague.user
    return {
        "id": user.pk,
        "name": user.name,
        "username": user.username,
        "role": Role(user.role).label,
        "suspended": not user.is_active,
        "enrolled": colleague.is_enrolled,
        "passkeys": colleague.passkeys,
        "sessions": colleague.sessions,
        "waiting": colleague.waiting,
        "can_reset": user.is_active and colleague.is_enrolled and user.pk != request.person.pk,
    }
