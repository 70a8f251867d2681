"""What a bank wants a second person for: how it is now, and asking for a change."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability, who_can
from portal.approvals import queries
from portal.approvals.policies import require_read
from portal.approvals.policy import Policy, change_policy, policy_of
from portal.approvals.registry import FourEyes, all_registered
from portal.web.access import StaffRequest, signed_in
from portal.web.approval_forms import PolicyForm
from portal.web.attempts import attempt
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges

EACH_TIME, SOMETIMES, NEVER = HOW_OFTEN = ("two-people", "sometimes-two", "one-person")  # words of `marks`


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def policy(request: StaffRequest) -> HttpResponse:
    """The policy, for everybody who sees requests; the form, for who may ask for a change."""
    require_read(request.actor)
    bank = request.about = queries.bank_of(request.actor)
    now = policy_of(bank.pk)
    form = PolicyForm(request.POST if request.method == "POST" else None, now=now)
    if request.method == "POST":
        require_capability(request.actor, Capability.APPROVALS_POLICY)
        # What changes something waits for a second person, which is raised.
        if attempt(request, form, lambda: change_policy(actor=request.actor, **form.cleaned_data)) is not None:
            messages.success(request, "Nothing has changed: the policy was so already.")
            return redirect("approvals:policy")
    context = {
        "bank": bank.name,
        "operations": _operations(now),
        "threshold": now.bulk_threshold,
        "waiting": badges(request.actor, bank),
        "form": form if request.actor.can(Capability.APPROVALS_POLICY) else None,
        "who": ", ".join(who_can(Capability.APPROVALS_POLICY)).lower(),
    }
    return render(request, "approvals/policy.html", context, status=form.answer_status)


def _operations(now: Policy) -> list[dict[str, object]]:
    """Everything that may need a second person, with when it does; what does most often stands first."""
    found = [(_how_often(entry, now), entry) for entry in all_registered()]
    return [
        {"label": entry.label, "always": entry.always, "mark": mark}
        for mark, entry in sorted(found, key=lambda pair: (HOW_OFTEN.index(pair[0]), pair[1].label))
    ]


def _how_often(entry: FourEyes, now: Policy) -> str:
    if entry.name in now.required or (entry.always and not entry.optional):
        return EACH_TIME
    return SOMETIMES if entry.always else NEVER
