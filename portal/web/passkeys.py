"""One's own passkeys: signing in with one as the second step, adding and removing them."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.operations import passkeys as operations
from portal.accounts.operations.passkeys import Purpose
from portal.accounts.operations.second_factor import Factor, Verified
from portal.core.errors import DomainError, InvalidState
from portal.web import half
from portal.web.access import StaffRequest, signed_in
from portal.web.actor import actor_of
from portal.web.attempts import attempt
from portal.web.half import Half
from portal.web.passkey_forms import AnswerForm, NewPasskeyForm, elsewhere, session_of
from portal.web.sign_in import code_page, half_signed_in
from portal.web.step_up import stepped_up


@sensitive_post_parameters("answer")
@require_http_methods(["GET", "HEAD", "POST"])
@half_signed_in
def sign_in(request: HttpRequest, found: Half) -> HttpResponse:
    """The second factor, by a passkey."""
    form = AnswerForm(request.POST)
    if request.method != "POST" or not form.is_valid():
        return redirect("web:sign-in-code")
    try:
        verified = operations.verify_passkey(
            actor=actor_of(request, found.person),
            user=found.person,
            answer=form.cleaned_data["answer"],
            purpose=Purpose.SIGN_IN,
            session=session_of(request),
        )
    except InvalidState:
        return redirect("web:enrol")
    except DomainError as error:
        form.refuse(error)
        return code_page(request, found, answer=form)
    half.complete(request, found, verified.authenticator, Factor.PASSKEY)
    return redirect(found.next)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@stepped_up
def new(request: StaffRequest, proof: Verified) -> HttpResponse:
    """Add a passkey."""
    form = NewPasskeyForm(request.POST if request.method == "POST" else None)
    actor, person, session = request.actor, request.person, session_of(request)

    def add() -> str:
        values = form.cleaned_data
        return str(operations.add_passkey(actor=actor, user=person, proof=proof, session=session, **values))

    if added := attempt(request, form, add):
        messages.success(request, f"The passkey “{added}” was added.")
        return redirect("web:account")
    other = elsewhere(request)
    options = "" if other else operations.start_adding(actor=actor, user=person, proof=proof, session=session)
    context = {"form": form, "options": options, "elsewhere": other}
    return render(request, "web/passkey_new.html", context, status=form.answer_status)


@require_POST
@signed_in
@stepped_up
def remove(request: StaffRequest, proof: Verified, passkey_id: UUID) -> HttpResponse:
    """Take one's own passkey away."""
    operations.remove_passkey(actor=request.actor, passkey_id=passkey_id, proof=proof)
    messages.success(request, "The passkey was removed.")
    return redirect("web:account")
