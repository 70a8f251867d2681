"""Applications: the list, a new one, one of them with its rules and secrets."""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.models import Application, ApplicationKind
from portal.accounts.operations.client_secrets import renew_client_secret
from portal.accounts.operations.client_webhooks import renew_webhook_key, set_webhook
from portal.accounts.operations.clients import (
    Created,
    create_application,
    renew_app_secret,
    set_possession,
    set_redirect_uris,
)
from portal.accounts.operations.suspension import suspend_client
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.audit.queries import timeline_of
from portal.core.errors import ApprovalRequired, InvalidState
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row
from portal.web.forms import PortalForm
from portal.web.posting import posted
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges, message
from twofa.client_forms import (
    APP,
    KINDS,
    WEBHOOK,
    ClientSwitchForm,
    NewClientForm,
    PossessionForm,
    ProofForm,
    ReturnForm,
    RulesForm,
    SecretForm,
    WebhookForm,
    is_mobile,
)
from twofa.operations.clients import set_approval_proof, set_request_rules
from twofa.queries.clients import asks, clients, get_client
from twofa.screens import clients as screens
from twofa.screens.sections import sections

TIMELINE: Final = 20


class Step(NamedTuple):
    """One of a page's forms: its name in the template, the form, what it does, and for which clients it is there."""

    name: str
    form: Callable[..., PortalForm]
    operation: Callable[..., Application]
    applies: Callable[[Application], bool]


STEPS: Final = (
    Step("rules", RulesForm, set_request_rules, asks),
    Step("proof", ProofForm, set_approval_proof, asks),
    Step("webhook", WebhookForm, set_webhook, asks),
    Step("return", ReturnForm, set_redirect_uris, is_mobile),
    Step("possession", PossessionForm, set_possession, is_mobile),
    Step("switch", ClientSwitchForm, suspend_client, lambda client: True),
)


@require_safe
@signed_in
def client_list(request: StaffRequest) -> HttpResponse:
    """Who calls, and by which rules it asks customers."""
    context = {
        "clients": [screens.client(one) for one in clients(request.actor)],
        "sections": sections(request.actor, "twofa:clients"),
    }
    return render(request, "twofa/clients.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@fresh_to_send
def client_new(request: StaffRequest) -> HttpResponse:
    """A new one of the kind in `?kind=`. Its secrets stand in this one answer, and nowhere else."""
    require_capability(request.actor, Capability.CLIENTS_MANAGE)
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ApplicationKind.MOBILE.value
    form = NewClientForm(request.POST if request.method == "POST" else None, kind=kind)

    def create() -> Created:
        return create_application(actor=request.actor, bank=request.person.bank, kind=kind, **form.cleaned_data)

    if form.is_bound and (made := attempt(request, form, create)):
        shown = {"client": screens.client(made.application), "secrets": screens.secrets(made)}
        return render(request, "twofa/client_secrets.html", {**shown, "is_new": True})
    context = {"form": form, "kinds": screens.kinds(kind)}
    return render(request, "twofa/client_new.html", context, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def client_detail(request: StaffRequest, client_id: str) -> HttpResponse:
    """One client, and changing its rules: each of the page's forms has a field that only it sends."""
    client = _client(request, client_id)
    steps = [step for step in STEPS if step.applies(client)]
    forms = {step.name: step.form(posted(request, f"{step.name}-reason"), client=client) for step in steps}
    if request.method == "POST" and not any(form.is_bound for form in forms.values()):
        raise InvalidState("There is no such form for this application.", code="not-for-this-client")
    for step in steps:
        form = forms[step.name]
        if form.is_bound and (told := _tried(request, client, form, step.operation)):
            messages.success(request, told)
            return redirect("twofa:client", client_id)
    events = timeline_of("application", client.pk)[:TIMELINE]
    context = {
        "client": screens.client(client),
        **{f"{name}_form": form for name, form in forms.items()},
        "services": screens.services() if client.kind == ApplicationKind.MOBILE else [],
        "waiting": badges(request.actor, client),
        "events": [event_row(event, request.actor) for event in events],
    }
    status = max(form.answer_status for form in forms.values())
    return render(request, "twofa/client.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@fresh_to_send
def client_secret(request: StaffRequest, client_id: str) -> HttpResponse:
    """A new secret, which stands in this one answer and nowhere else."""
    client = _client(request, client_id)
    form = SecretForm(request.POST if request.method == "POST" else None, client=client)

    def renew() -> str:
        values = {"actor": request.actor, "client_id": client_id, "reason": form.cleaned_data["reason"]}
        if form.cleaned_data["which"] == WEBHOOK:
            return renew_webhook_key(**values).secret
        if form.cleaned_data["which"] == APP:
            return renew_app_secret(**values, days=form.cleaned_data["days"] or 0).app_secret
        return renew_client_secret(**values).secret

    shown = {"client": screens.client(client)}
    if form.is_bound and (secret := attempt(request, form, renew)):
        secrets = [screens.secret(form.cleaned_data["which"], secret)]
        return render(request, "twofa/client_secrets.html", {**shown, "secrets": secrets, "is_new": False})
    return render(request, "twofa/client_secret.html", {**shown, "form": form}, status=form.answer_status)


def _tried(request: StaffRequest, client: Application, form: PortalForm, work: Callable[..., Application]) -> str:
    """What came of it; "" where something stood in the way, which the form then tells."""

    def change() -> Application:
        return work(actor=request.actor, client_id=client.client_id, **form.cleaned_data)

    try:
        return "The application is as you asked." if attempt(request, form, change) is not None else ""
    except ApprovalRequired as error:
        return message(request.actor, error)


def _client(request: StaffRequest, client_id: str) -> Application:
    client = get_client(request.actor, client_id)
    request.about = client
    return client
