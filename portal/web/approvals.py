"""What waits for a second person: the inbox, a request with everything its decision needs, and the decision."""

from typing import Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from portal.approvals import operations, policies, queries
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.web import approval_rows as rows
from portal.web.access import StaffRequest, signed_in
from portal.web.approval_forms import APPROVE, DecisionForm
from portal.web.attempts import attempt, fresh_factor
from portal.web.paging import list_template, pager
from portal.web.step_up import proved_each_time

ALL: Final = "all"


@require_safe
@signed_in
def request_list(request: StaffRequest) -> HttpResponse:
    """The bank's requests of one state, newest first, 25 a page: those that wait, unless another is asked for."""
    state = request.GET.get("state", RequestState.PENDING)
    if state != ALL and state not in RequestState.values:
        state = RequestState.PENDING
    counts = queries.count_by_state(request.actor)
    page = queries.request_page(request.actor, state="" if state == ALL else state, cursor=request.GET.get("cursor"))
    context = {
        "state": state,
        "tabs": _tabs(counts, state),
        "requests": [rows.row(found, request.actor) for found in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "approvals/list.html"), context)


@require_safe
@signed_in
def request_detail(request: StaffRequest, request_id: str) -> HttpResponse:
    """One request: what exactly is asked for, what it would do now, who asked, why, and how long there is time."""
    return _page(request, _found(request, request_id))


@sensitive_post_parameters("code")
@require_POST
@signed_in
@proved_each_time
def decide(request: StaffRequest, request_id: str) -> HttpResponse:
    """Approve or reject. The right is asked before the code, so that nobody uses one up in vain."""
    found = _found(request, request_id)
    policies.require_decide(request.actor, found)
    form = DecisionForm(request.POST)
    if decided := attempt(request, form, lambda: _decided(request, found, form)):
        _tell(request, decided)
        return redirect("approvals:detail", found.public_id)
    return _page(request, _found(request, request_id), form)


@require_POST
@signed_in
def withdraw(request: StaffRequest, request_id: str) -> HttpResponse:
    """Take back what one asked for oneself."""
    found = _found(request, request_id)
    operations.withdraw_request(actor=request.actor, request_id=found.public_id)
    messages.success(request, "The request was withdrawn. Nothing was changed.")
    return redirect("approvals:detail", found.public_id)


def _found(request: StaffRequest, request_id: str) -> ApprovalRequest:
    """The request, noted: refusals name it."""
    found = queries.get_request(request.actor, request_id)
    request.about = found
    return found


def _decided(request: StaffRequest, found: ApprovalRequest, form: DecisionForm) -> ApprovalRequest:
    values = form.cleaned_data
    decision = {"actor": request.actor, "request_id": found.public_id, "reason": values["reason"]}
    proof = fresh_factor(request, values["code"])
    if values["decision"] == APPROVE:
        return operations.approve_request(**decision, seen=values["seen"], proof=proof)
    return operations.reject_request(**decision, proof=proof)


def _tell(request: StaffRequest, decided: ApprovalRequest) -> None:
    if decided.state == RequestState.DONE:
        messages.success(request, "You approved it, and it was carried out.")
    elif decided.state == RequestState.FAILED:
        messages.error(
            request, f"You approved it, but it could not be carried out: {decided.error_message} Nothing was changed."
        )
    else:
        messages.success(request, "You rejected it. Nothing was changed.")


def _page(request: StaffRequest, found: ApprovalRequest, form: DecisionForm | None = None) -> HttpResponse:
    shown = queries.shown(request.actor, found)
    barred = rows.barred(request.actor, found)
    context = {
        "asked": rows.whole(shown, request.actor),
        "barred": barred,
        "form": form or DecisionForm(),
        "seen": found.payload_digest,
        "can_decide": found.is_open and barred is None,
        "can_approve": shown.payload is not None,
        "can_withdraw": found.is_open and policies.is_maker(request.actor, found),
    }
    return render(request, "approvals/detail.html", context, status=form.answer_status if form else 200)


def _tabs(counts: dict[RequestState, int], chosen: str) -> list[dict[str, object]]:
    """The states to choose from, each with how many there are, and all of them."""
    url = reverse("approvals:list")
    tabs: list[dict[str, object]] = [
        {"label": state.label, "mark": rows.mark_of(state), "count": counts[state], "value": state.value}
        for state in RequestState
    ]
    tabs.append({"label": "All", "mark": "", "count": sum(counts.values()), "value": ALL})
    return [tab | {"url": f"{url}?state={tab['value']}", "current": tab["value"] == chosen} for tab in tabs]
