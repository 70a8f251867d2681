"""Proving the second factor once more before a dangerous form, when the last time is more than five minutes ago.

What was typed is not lost, and kept nowhere: the page that asks carries the form's fields and sends them to the same
address again, with the proof beside them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.accounts.operations.passkeys import Purpose
from portal.accounts.operations.second_factor import Verified
from portal.web import fresh
from portal.web.access import StaffRequest, StaffView, signed_in
from portal.web.attempts import FactorWanted, attempt, prove
from portal.web.forms import CodeForm
from portal.web.passkey_forms import AnswerForm, asked
from portal.web.paths import safe_path

READS: Final = {"GET", "HEAD"}
PREFIX: Final = "again"  # of the page's own fields, beside those that it carries
OWN: Final = {f"{PREFIX}-code", f"{PREFIX}-answer", "csrfmiddlewaretoken"}

type ProvedView[**P] = Callable[Concatenate[StaffRequest, Verified, P], HttpResponse]


def stepped_up[**P](view: ProvedView[P]) -> StaffView[P]:
    """Let a view have a fresh second factor, as its second argument. Stands below `signed_in`.

    Who proved none for five minutes does so first, and comes back to this page, or goes on with what was sent.
    """

    @wraps(view)
    def guarded(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = _proof_or_page(request)
        return view(request, found, *args, **kwargs) if isinstance(found, Verified) else found

    return guarded


def fresh_to_send[**P](view: StaffView[P]) -> StaffView[P]:
    """The same for a page that many may look at: only what is sent from it needs a fresh second factor."""

    @wraps(view)
    def guarded(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = None if request.method in READS else _proof_or_page(request)
        return found if isinstance(found, HttpResponse) else view(request, *args, **kwargs)

    return guarded


def proved_each_time[**P](view: StaffView[P]) -> StaffView[P]:
    """For a form that wants a code of its own, each time it is sent (`attempts.fresh_factor`).

    Who leaves its field empty is asked on a page of its own, where a passkey will do as well.
    """

    @wraps(view)
    def guarded(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = _given(request)
        if isinstance(found, HttpResponse):
            return found
        request.proof = found
        try:
            return view(request, *args, **kwargs)
        except FactorWanted:
            return _page(request)

    return guarded


@sensitive_post_parameters(*OWN)
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def step_up(request: StaffRequest) -> HttpResponse:
    """A code or a passkey; then back to where it was asked for."""
    found = _given(request)
    if isinstance(found, Verified):
        return redirect(safe_path(request.POST.get("next")))
    return found or _page(request)


def _proof_or_page(request: StaffRequest) -> Verified | HttpResponse:
    """What was proved, just now or in the last five minutes; else the page that asks, or the way there."""
    if found := _given(request) or fresh.proof_of(request, request.person):
        return found
    if request.method in READS:
        return redirect(f"{reverse('web:step-up')}?{urlencode({'next': request.get_full_path()})}")
    return _page(request)


def _given(request: StaffRequest) -> Verified | HttpResponse | None:
    """What the page's own fields prove; the page once more when they prove nothing; None when they were not sent."""
    if f"{PREFIX}-answer" in request.POST:
        answer = AnswerForm(request.POST, prefix=PREFIX)
        return attempt(request, answer, lambda: prove(request, answer)) or _page(request, answer=answer)
    if f"{PREFIX}-code" in request.POST:
        code = CodeForm(request.POST, backup=True, alone=True, prefix=PREFIX)
        return attempt(request, code, lambda: prove(request, code)) or _page(request, code=code)
    return None


def _page(request: StaffRequest, *, code: CodeForm | None = None, answer: AnswerForm | None = None) -> HttpResponse:
    """The page that asks. code, answer: what was sent from it, with what was wrong about it."""
    sent = answer or code
    carried = [(name, value) for name, values in request.POST.lists() if name not in OWN for value in values]
    if request.method in READS:
        carried = [("next", safe_path(request.GET.get("next")))]
    context = {
        "form": code or CodeForm(backup=True, alone=True, prefix=PREFIX),
        "passkey": asked(request, request.person, Purpose.STEP_UP, answer or AnswerForm(prefix=PREFIX)),
        "action": request.get_full_path(),
        "carried": carried,
    }
    first = 200 if request.method in READS else 422  # nothing was done, and nothing is wrong yet
    return render(request, "web/step_up.html", context, status=sent.answer_status if sent else first)
