"""One's own account: where one is signed in, backup codes, a short token for the API."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.models import AccessToken, BackupCode
from portal.accounts.operations import enrolment, portal_sessions
from portal.accounts.operations.passkeys import passkeys_of
from portal.accounts.operations.second_factor import Verified
from portal.accounts.operations.tokens import issue_staff_token
from portal.accounts.roles import Capability, Role
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt, fresh_factor
from portal.web.browsers import browser_name
from portal.web.forms import CodeForm
from portal.web.sign_in import show_backup_codes
from portal.web.step_up import proved_each_time

CODES, TOKEN = "codes", "token"  # prefixes: both forms ask for a code, on one page


@require_safe
@signed_in
def account(request: StaffRequest) -> HttpResponse:
    """The whole page."""
    return _page(request)


@require_POST
@signed_in
def end_session(request: StaffRequest, session_id: str) -> HttpResponse:
    """End one of one's own sessions."""
    portal_sessions.end_session(actor=request.actor, session_id=session_id)
    messages.success(request, "The session was ended.")
    return redirect("web:account")


@require_POST
@signed_in
def end_other_sessions(request: StaffRequest) -> HttpResponse:
    """End all of one's sessions but this one."""
    ended = portal_sessions.end_other_sessions(actor=request.actor, current_key=request.session.session_key)
    messages.success(request, "1 other session was ended." if ended == 1 else f"{ended} other sessions were ended.")
    return redirect("web:account")


@require_POST
@signed_in
def end_all_sessions(request: StaffRequest) -> HttpResponse:
    """End all of one's sessions, this one too."""
    portal_sessions.end_all_sessions(actor=request.actor)
    logout(request)
    return redirect("web:sign-in")


@sensitive_post_parameters(f"{CODES}-code")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@proved_each_time
def backup_codes(request: StaffRequest) -> HttpResponse:
    """New backup codes, after a second factor for this very form. Shown in this answer only."""
    if request.method != "POST":
        return redirect("web:account")
    form = CodeForm(request.POST, backup=True, prefix=CODES)
    if proof := _proved(request, form):
        codes = enrolment.renew_backup_codes(actor=request.actor, user=request.person, proof=proof)
        return show_backup_codes(request, codes, "/account")
    return _page(request, codes=form)


@sensitive_post_parameters(f"{TOKEN}-code")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@proved_each_time
def api_token(request: StaffRequest) -> HttpResponse:
    """A token for the API in one's own name, after a second factor for this very form. Shown in this answer only."""
    if request.method != "POST":
        return redirect("web:account")
    form = CodeForm(request.POST, backup=True, prefix=TOKEN)
    if proof := _proved(request, form):
        token, raw = issue_staff_token(actor=request.actor, proof=proof)
        return _page(request, new_token=raw, new_token_expires_at=token.expires)
    return _page(request, token=form)


def _proved(request: StaffRequest, form: CodeForm) -> Verified | None:
    """The second factor that this form was sent with, when it is right."""
    return attempt(request, form, lambda: fresh_factor(request, form.cleaned_data["code"]))


def _page(
    request: StaffRequest,
    *,
    codes: CodeForm | None = None,
    token: CodeForm | None = None,
    **context: object,
) -> HttpResponse:
    person = request.person
    codes = codes or CodeForm(backup=True, prefix=CODES)
    token = token or CodeForm(backup=True, prefix=TOKEN)
    tokens = AccessToken.objects.live().filter(user=person, application__isnull=True).order_by("-expires")
    context |= {
        "account": {
            "name": person.name,
            "username": person.username,
            "role": Role(person.role).label,
            "bank": person.bank.name,
            "capabilities": [Capability(name).label for name in sorted(person.capabilities)],
        },
        "sessions": _sessions(request),
        "passkeys": passkeys_of(person),
        "backup_left": BackupCode.objects.filter(user=person, used_at=None).count(),
        "backup_form": codes,
        "tokens": [{"expires_at": live.expires} for live in tokens],
        "token_form": token,
    }
    return render(request, "web/account.html", context, status=max(codes.answer_status, token.answer_status))


def _sessions(request: StaffRequest) -> list[dict[str, object]]:
    found = portal_sessions.list_sessions(user=request.person, current_key=request.session.session_key)
    return [
        {
            "id": session.id,
            "current": session.is_current,
            "browser": browser_name(session.user_agent),
            "address": session.ip or "a local address",
            "signed_in_at": session.began_at,
            "last_seen_at": session.last_seen_at,
        }
        for session in found
    ]
