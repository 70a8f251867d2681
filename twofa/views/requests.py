"""The log of two-factor requests, one of them, and its evidence."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.roles import Capability, who_can
from portal.audit.inclusion import signing_key_pem
from portal.audit.queries import timeline_of
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send
from twofa.forms import RequestSearchForm, ReviewForm
from twofa.models import AlertReview, TwoFactorRequest
from twofa.operations.alert_review import review_alert
from twofa.operations.evidence import take_evidence, written
from twofa.policies import require_evidence
from twofa.queries.alerts import is_open, reasons_of
from twofa.queries.clients import client_names
from twofa.queries.log import count_by_state, get_request, pushes_about, request_page
from twofa.screens import requests as screens
from twofa.screens.sections import sections

TIMELINE = 30


@require_safe
@signed_in
def request_list(request: StaffRequest) -> HttpResponse:
    """Every request of the bank, by state and kind, 25 to a page."""
    form = RequestSearchForm(request.GET, clients=client_names(request.actor))
    wanted = form.wanted()
    page = request_page(request.actor, wanted, request.GET.get("cursor"))
    kept = form.kept()
    context = {
        "sections": sections(request.actor, "twofa:requests"),
        "form": form,
        "filtered": bool(kept or form.errors),
        "states": screens.tabs(wanted, count_by_state(request.actor), kept),
        "requests": [screens.row(found) for found in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "twofa/requests.html"), context)


@require_safe
@signed_in
def request_detail(request: StaffRequest, request_id: UUID) -> HttpResponse:
    """What was shown to whom, who answered, and what that rests on."""
    found = _request(request, request_id)
    return _page(request, found, ReviewForm())


@require_POST
@signed_in
@fresh_to_send
def review(request: StaffRequest, request_id: UUID) -> HttpResponse:
    """Its alert was looked at."""
    found = _request(request, request_id)
    form = ReviewForm(request.POST)

    def work() -> AlertReview:
        return review_alert(actor=request.actor, id=str(found.pk), reason=form.cleaned_data["reason"])

    if attempt(request, form, work) is not None:
        messages.success(request, "The alert was looked at. It is not on the dashboard any more.")
        return redirect("twofa:request", request_id)
    return _page(request, found, form)


def _page(request: StaffRequest, found: TwoFactorRequest, form: ReviewForm) -> HttpResponse:
    events = timeline_of("twofactorrequest", found.pk)[:TIMELINE]
    reasons = reasons_of([found]) if found.alerted_at else {}
    context = {
        "request_shown": screens.facts(found),
        "alert": screens.alert(found, reasons) if found.alerted_at else None,
        "review": screens.review(found),
        "review_form": form if is_open(found) else None,
        "may_review": request.actor.can(Capability.DEVICES_BLOCK),
        "who_reviews": ", ".join(who_can(Capability.DEVICES_BLOCK)),
        "answer": screens.answer(found.given),
        "pushes": screens.pushes(pushes_about(found), request.actor, found),
        "may_take": request.actor.can(Capability.AUDIT_READ),
        "who_may": ", ".join(who_can(Capability.AUDIT_READ)),
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "twofa/request.html", context, status=form.answer_status)


@require_POST
@signed_in
def evidence(request: StaffRequest, request_id: UUID) -> HttpResponse:
    """The package as a file. By POST, because each taking is written down."""
    found = _request(request, request_id)
    package = written(take_evidence(actor=request.actor, id=str(found.pk)))
    return _file(package, f"evidence-{found.pk}.json", "application/json")


@require_safe
@signed_in
def log_key(request: StaffRequest) -> HttpResponse:
    """The public key of the audit log: what evidence is checked with."""
    require_evidence(request.actor)
    return _file(signing_key_pem(), "audit-log-key.pem", "application/x-pem-file")


def _file(text: str, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _request(request: StaffRequest, request_id: UUID) -> TwoFactorRequest:
    """The request, noted on the page's: refusals name it."""
    found = get_request(request.actor, request_id)
    request.about = found
    return found
