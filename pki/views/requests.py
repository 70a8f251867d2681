"""The portal's pages about certificate requests. They translate; what may happen, the operations decide."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from pki import policies
from pki.forms.requests import SIGN, RequestSearchForm, SignForm
from pki.models import CertificateRequest
from pki.operations.signing import reject_request, sign_request
from pki.queries.requests import certificate_of, count_by_state, get_request, request_page, story_of
from pki.screens import requests as screens
from portal.core import ids
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt, fresh_factor
from portal.web.events import event_row
from portal.web.paging import list_template, pager
from portal.web.step_up import proved_each_time
from portal.web.waiting import badges


@require_safe
@signed_in
def request_list(request: StaffRequest) -> HttpResponse:
    """What waits and what was decided; search, states and 25 requests to a page."""
    form = RequestSearchForm(request.GET)
    wanted = form.wanted()
    page = request_page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": bool(wanted.q or form.errors),
        "states": screens.tabs(wanted, count_by_state(request.actor)),
        "requests": [screens.row(found) for found in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "pki/requests.html"), context)


@require_safe
@signed_in
def request_detail(request: StaffRequest, request_id: UUID) -> HttpResponse:
    """What is asked for, what the certificate would hold, every finding, and what may be done."""
    return _page(request, _request(request, request_id))


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@proved_each_time
def decide(request: StaffRequest, request_id: UUID) -> HttpResponse:
    """Sign or reject, with a fresh code of the second factor."""
    if request.method != "POST":
        return redirect("pki:request", request_id)
    found = _request(request, request_id)
    # Asked before the code is used up: a refusal that was certain costs nobody a code.
    policies.require_sign(request.actor, found)
    form = SignForm(request.POST)

    def carry_out() -> str:
        fresh_factor(request, form.cleaned_data["code"])
        if form.cleaned_data["decision"] == SIGN:
            return _signed(request, found, form)
        return _rejected(request, found, form)

    done = attempt(request, form, carry_out)
    if done is None:
        return _page(request, _request(request, request_id), form)
    messages.success(request, done)
    return redirect("pki:request", request_id)


def _signed(request: StaffRequest, found: CertificateRequest, form: SignForm) -> str:
    values = form.cleaned_data
    sign_request(actor=request.actor, csr_id=found.public_id, days=values["days"], reason=values["reason"])
    return "The certificate was signed. The device can fetch it now."


def _rejected(request: StaffRequest, found: CertificateRequest, form: SignForm) -> str:
    reject_request(actor=request.actor, csr_id=found.public_id, reason=form.cleaned_data["reason"])
    return "The request was rejected."


def _request(request: StaffRequest, request_id: UUID) -> CertificateRequest:
    """The request, noted: refusals name it."""
    found = get_request(request.actor, ids.spell("CSR", request_id))
    request.about = found
    return found


def _page(request: StaffRequest, found: CertificateRequest, form: SignForm | None = None) -> HttpResponse:
    decision, certificate = screens.decision(request.actor, found), certificate_of(found)
    context = {
        "csr": screens.facts(found, certificate),
        "judged": screens.judged(found, certificate),
        "decision": decision,
        "actions": [decision] if decision else [],
        "waiting": badges(request.actor, found),
        "form": form or SignForm(),
        "events": [event_row(event, request.actor) for event in story_of(found)],
    }
    return render(request, "pki/request.html", context, status=form.answer_status if form else 200)
