"""The pages about activation codes. They translate; what may happen, the operations decide."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.accounts.models import Bank
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability, who_can
from portal.core.errors import Forbidden, InvalidInput
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges
from twofa.enrolment_forms import CodeCancelForm, CodeIssueForm, InPersonForm
from twofa.models import ActivationCode, EnrolmentPolicy
from twofa.operations.activation_codes import IssuedCode, cancel_activation_code, issue_activation_code
from twofa.operations.enrolment_policy import set_in_person
from twofa.policies import require_read
from twofa.queries.enrolment import code_page, get_code, hands_over
from twofa.screens import enrolment as screens
from twofa.screens.sections import sections


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@fresh_to_send
def code_list(request: StaffRequest) -> HttpResponse:
    """The codes, and issuing one. One that is handed over in person stands in this one answer, and nowhere else."""
    over = hands_over(request.actor)
    form = CodeIssueForm(request.POST if request.method == "POST" else None, hands_over=over)

    def issue() -> IssuedCode:
        try:
            return issue_activation_code(actor=request.actor, **form.cleaned_data)
        except Forbidden as error:
            if error.code != "identity-mismatch":
                raise
            raise InvalidInput.at("customer_id", error.code, error.message) from None  # mistyped: told at the field

    issued = attempt(request, form, issue) if form.is_bound else None
    if issued is not None and not issued.code:
        messages.success(request, "The code is on its way to the contact on file.")
        return redirect("twofa:codes")
    page = code_page(request.actor, request.GET.get("cursor"))
    may = request.actor.can(Capability.DEVICES_ISSUE)
    context = {
        "sections": sections(request.actor, "twofa:codes"),
        "codes": [screens.code(one, may_cancel=may) for one in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
        "may_issue": may,
        "who_issues": ", ".join(who_can(Capability.DEVICES_ISSUE)).lower(),
        "in_person": over,
        "form": CodeIssueForm(hands_over=over) if issued else form,
        "shown_once": issued.code if issued else "",
        "shown_for": screens.code(issued.row) if issued else None,
    }
    return render(request, list_template(request, "twofa/codes.html"), context, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def code_cancel(request: StaffRequest, code_id: str) -> HttpResponse:
    """Taking a code back before somebody uses it."""
    require_capability(request.actor, Capability.DEVICES_ISSUE)
    found = get_code(request.actor, code_id)
    form = CodeCancelForm(request.POST if request.method == "POST" else None)

    def cancel() -> ActivationCode:
        return cancel_activation_code(actor=request.actor, code_id=code_id, reason=form.cleaned_data["reason"])

    if form.is_bound and attempt(request, form, cancel) is not None:
        messages.success(request, "The code opens nothing any more.")
        return redirect("twofa:codes")
    context = {"form": form, "code": screens.code(found)}
    return render(request, "twofa/code_cancel.html", context, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def code_policy(request: StaffRequest) -> HttpResponse:
    """Whether staff may hand codes over; the form is for who may ask for a change."""
    require_read(request.actor)
    bank: Bank = request.person.bank
    now = hands_over(request.actor)
    form = InPersonForm(request.POST if request.method == "POST" else None, now=now)

    def change() -> EnrolmentPolicy:
        return set_in_person(actor=request.actor, **form.cleaned_data)

    if form.is_bound:
        require_capability(request.actor, Capability.APPROVALS_POLICY)
        if attempt(request, form, change) is not None:
            messages.success(request, "The policy is as you asked.")
            return redirect("twofa:code-policy")
    context = {
        "in_person": now,
        "form": form if request.actor.can(Capability.APPROVALS_POLICY) else None,
        "who": ", ".join(who_can(Capability.APPROVALS_POLICY)).lower(),
        "waiting": badges(request.actor, bank),
    }
    return render(request, "twofa/code_policy.html", context, status=form.answer_status)
