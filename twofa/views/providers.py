"""The pages about identity providers. They translate; what may happen, the operations decide."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.audit.queries import timeline_of
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row
from portal.web.posting import posted
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges
from twofa.enrolment_forms import (
    RESUME,
    SUSPEND,
    ProviderForm,
    ProviderSecretForm,
    ProviderSwitchForm,
    change_form,
)
from twofa.models import IdentityProvider
from twofa.operations.identity_providers import (
    change_provider,
    create_provider,
    resume_provider,
    suspend_provider,
)
from twofa.operations.provider_secrets import set_client_secret
from twofa.queries.enrolment import get_provider, providers
from twofa.screens import enrolment as screens
from twofa.screens.sections import sections

TIMELINE: Final = 20
STEPS: Final = {SUSPEND: suspend_provider, RESUME: resume_provider}


@require_safe
@signed_in
def provider_list(request: StaffRequest) -> HttpResponse:
    """Whose word about customers is taken."""
    context = {
        "sections": sections(request.actor, "twofa:providers"),
        "providers": [screens.provider(one) for one in providers(request.actor)],
    }
    return render(request, "twofa/providers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def provider_new(request: StaffRequest) -> HttpResponse:
    """Adding another."""
    require_capability(request.actor, Capability.CLIENTS_MANAGE)
    form = ProviderForm(request.POST if request.method == "POST" else None)

    def create() -> IdentityProvider:
        return create_provider(actor=request.actor, **form.cleaned_data)

    if form.is_bound and (made := attempt(request, form, create)):
        messages.success(request, f"Tokens of {made.name} are taken from now on.")
        return redirect("twofa:provider", made.pk)
    return render(request, "twofa/provider_form.html", {"form": form}, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def provider_detail(request: StaffRequest, provider_id: UUID) -> HttpResponse:
    """One provider; taking its tokens, or not; and its client secret. Each form has a field that only it sends."""
    found = _provider(request, provider_id)
    switch_form = ProviderSwitchForm(posted(request, "reason"), suspended=found.suspended_at is not None)
    secret_form = ProviderSecretForm(posted(request, "secret-reason"))

    def switch() -> IdentityProvider:
        step = STEPS[switch_form.cleaned_data["step"]]
        return step(actor=request.actor, provider_id=str(found.pk), reason=switch_form.cleaned_data["reason"])

    def keep() -> IdentityProvider:
        return set_client_secret(actor=request.actor, provider_id=str(found.pk), **secret_form.cleaned_data)

    done = ""
    if switch_form.is_bound and (changed := attempt(request, switch_form, switch)):
        done = "Its tokens are refused." if changed.suspended_at else "Its tokens are taken."
    elif secret_form.is_bound and (changed := attempt(request, secret_form, keep)):
        done = "The client secret is kept." if changed.client_secret_sealed else "No client secret is kept."
    if done:
        messages.success(request, done)
        return redirect("twofa:provider", provider_id)
    events = timeline_of("identityprovider", found.pk)[:TIMELINE]
    context = {
        "provider": screens.provider(found),
        "form": switch_form,
        "secret_form": secret_form,
        "waiting": badges(request.actor, found),
        "events": [event_row(event, request.actor) for event in events],
    }
    status = max(switch_form.answer_status, secret_form.answer_status)
    return render(request, "twofa/provider.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def provider_edit(request: StaffRequest, provider_id: UUID) -> HttpResponse:
    """Changing what its tokens have to say, and by which keys they are checked."""
    found = _provider(request, provider_id)
    form = change_form(request.POST if request.method == "POST" else None, found)

    def change() -> IdentityProvider:
        return change_provider(actor=request.actor, provider_id=str(found.pk), **form.cleaned_data)

    if form.is_bound and attempt(request, form, change) is not None:
        messages.success(request, "The provider is as you asked.")
        return redirect("twofa:provider", provider_id)
    context = {"form": form, "provider": screens.provider(found)}
    return render(request, "twofa/provider_form.html", context, status=form.answer_status)


def _provider(request: StaffRequest, provider_id: UUID) -> IdentityProvider:
    found = get_provider(request.actor, provider_id)
    request.about = found
    return found
