"""Signing in: a password, then a code of the authenticator app; at the first time the app is set up in between."""

from collections.abc import Callable
from functools import wraps

import segno
from django import forms
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.operations import enrolment, portal_sessions, second_factor
from portal.accounts.operations import sign_in as operations
from portal.accounts.operations.passkeys import Purpose
from portal.core import clock
from portal.core.errors import Conflict, DomainError, InvalidState
from portal.web import half
from portal.web.actor import actor_of, signed_in_person, stranger
from portal.web.forms import CodeForm, PortalForm
from portal.web.half import Half
from portal.web.passkey_forms import AnswerForm, asked
from portal.web.paths import safe_path


class PasswordForm(PortalForm):
    """The first step. Lengths are the browser's business: the operation answers a long password as any wrong one."""

    username = forms.CharField(
        label="User name",
        max_length=256,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = forms.CharField(
        label="Password",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The password. What was wrong about a wrong one is not said; the operation writes it down."""
    wanted = safe_path(request.POST.get("next") or request.GET.get("next"))
    if signed_in_person(request) is not None:
        return redirect(wanted)
    form = PasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            person = operations.check_password(
                actor=stranger(request), user_agent=request.headers.get("User-Agent", ""), **form.cleaned_data
            )
            half.begin(request, person, wanted)
            return redirect("web:sign-in-code")
        except DomainError as error:
            form.refuse(error)
    return render(request, "web/sign_in.html", {"form": form, "next": wanted}, status=form.answer_status)


def half_signed_in(view: Callable[[HttpRequest, Half], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let in whoever gave the right password less than five minutes ago; send everybody else to the first step."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        found = half.current(request)
        return view(request, found) if found else redirect("web:sign-in")

    return guarded


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@half_signed_in
def code(request: HttpRequest, found: Half) -> HttpResponse:
    """The second factor: a code of the app, or a backup code. A passkey is sent to `passkeys.sign_in`."""
    if not found.is_enrolled:
        return redirect("web:enrol")
    form = CodeForm(request.POST if request.method == "POST" else None, backup=True, alone=True)
    if form.is_valid():
        try:
            verified = second_factor.verify_second_factor(
                actor=actor_of(request, found.person), user=found.person, code=form.cleaned_data["code"]
            )
            half.complete(request, found, verified.authenticator, verified.kind)
            return redirect(found.next)
        except InvalidState:
            return redirect("web:enrol")
        except DomainError as error:
            form.refuse(error)
    return code_page(request, found, form)


def code_page(
    request: HttpRequest, found: Half, form: CodeForm | None = None, *, answer: AnswerForm | None = None
) -> HttpResponse:
    """The page of the second step. form, answer: the one that was sent, with what was wrong about it."""
    sent = answer or form
    context = {
        "form": form or CodeForm(backup=True, alone=True),
        "passkey": asked(request, found.person, Purpose.SIGN_IN, answer),
        "username": found.person.username,
    }
    return render(request, "web/sign_in_code.html", context, status=sent.answer_status if sent else 200)


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@half_signed_in
def enrol(request: HttpRequest, found: Half) -> HttpResponse:
    """Set up the authenticator app. Its first right code signs the person in and shows the backup codes, once."""
    actor = actor_of(request, found.person)
    form = CodeForm(request.POST if request.method == "POST" else None, alone=True)
    if form.is_valid():
        try:
            codes = enrolment.confirm_enrolment(
                actor=actor, user=found.person, code=form.cleaned_data["code"], signing_in=True
            )
            half.complete(request, found, found.person.totp, second_factor.Factor.TOTP)
            return show_backup_codes(request, codes, found.next)
        except (InvalidState, Conflict):
            return redirect("web:sign-in-code")
        except DomainError as error:
            form.refuse(error)
    try:
        opened = enrolment.open_enrolment(actor=actor, user=found.person)
    except Conflict:
        return redirect("web:sign-in-code")
    context = {
        "form": form,
        "username": found.person.username,
        "qr_svg": qr_svg(opened.otpauth_uri),
        "secret": opened.secret,
    }
    return render(request, "web/enrol.html", context, status=form.answer_status)


def show_backup_codes(request: HttpRequest, codes: list[str], continue_url: str) -> HttpResponse:
    """The codes, in the answer itself: they are kept nowhere, so no other page could show them again."""
    context = {"codes": codes, "made_at": clock.now(), "continue_url": continue_url}
    return render(request, "web/backup_codes.html", context)


def qr_svg(text: str) -> SafeString:
    """A QR code as SVG markup of our own making: no style attribute, nothing of `text` in clear."""
    drawing = segno.make(text, error="m", micro=False)
    return SafeString(drawing.svg_inline(border=3, dark="#0f1d2b", light="#fff", omitsize=True))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, whole or half. Twice is quiet."""
    person = signed_in_person(request)
    if person is not None:
        portal_sessions.sign_out(actor=actor_of(request, person), current_key=request.session.session_key)
    logout(request)
    return redirect("web:sign-in")
