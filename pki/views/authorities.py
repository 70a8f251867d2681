"""The portal's pages about authorities and the certificate policy. They translate; the operations decide."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from pki.forms.authorities import PolicyForm, RollOverForm
from pki.models import CertificateAuthority, CertificatePolicy
from pki.operations.policy import change_certificate_policy
from pki.operations.roll_over import order_roll_over
from pki.policies import require_manage
from pki.policy_values import values_of
from pki.queries import authorities as queries
from pki.screens import authorities as screens
from pki.states import CaRole, CaState
from pki.x509.pem import pem_of
from portal.audit.queries import timeline_of
from portal.core.errors import NotFound
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row
from portal.web.step_up import fresh_to_send
from portal.web.waiting import badges

TIMELINE = 20


@require_safe
@signed_in
def authority_list(request: StaffRequest) -> HttpResponse:
    """The root and what is under it."""
    policy = queries.policy_for(request.actor)
    context = {
        "roots": [screens.branch(branch) for branch in queries.authority_tree(request.actor)],
        "has_authority": policy is not None,
        "bank_code": request.person.bank.code,
    }
    return render(request, "pki/authorities.html", context)


@require_safe
@signed_in
def authority_detail(request: StaffRequest, authority_id: UUID) -> HttpResponse:
    """One authority: what stands in its certificate, what it issued, and what may be asked for."""
    return _authority_page(request, _authority(request, authority_id))


@require_safe
@signed_in
def authority_chain(request: StaffRequest, authority_id: UUID) -> HttpResponse:
    """Its certificate and the root's in PEM, as servers and clients take them."""
    authority = _authority(request, authority_id)
    ders = [bytes(one.der) for one in queries.chain_of(authority)]
    response = HttpResponse("".join(map(pem_of, ders)), content_type="application/x-pem-file")
    response["Content-Disposition"] = f'attachment; filename="chain-{authority.address_key}.pem"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def roll_over(request: StaffRequest, authority_id: UUID) -> HttpResponse:
    """Ask a second person for a new authority in its place."""
    if request.method != "POST":
        return redirect("pki:authority", authority_id)
    authority = _authority(request, authority_id)
    require_manage(request.actor)
    form = RollOverForm(request.POST)
    attempt(
        request,
        form,
        lambda: order_roll_over(actor=request.actor, authority_id=authority.public_id, **form.cleaned_data),
    )
    return _authority_page(request, authority, form)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def policy(request: StaffRequest) -> HttpResponse:
    """What the bank decides, the profiles it leads to, and asking for a change."""
    found = queries.policy_for(request.actor)
    if found is None:
        raise NotFound("Your bank has no certificate authority yet.")
    request.about = found
    form = PolicyForm(request.POST if request.method == "POST" else None, now=values_of(found))
    if request.method == "POST":
        require_manage(request.actor)
        if attempt(request, form, lambda: change_certificate_policy(actor=request.actor, **form.wanted())):
            messages.success(request, "Nothing has changed: the policy was so already.")
            return redirect("pki:policy")
    return _policy_page(request, found, form)


def _authority(request: StaffRequest, authority_id: UUID) -> CertificateAuthority:
    """The authority, noted on the request: refusals name it."""
    authority = queries.get_authority(request.actor, authority_id)
    request.about = authority
    return authority


def _authority_page(
    request: StaffRequest, authority: CertificateAuthority, form: RollOverForm | None = None
) -> HttpResponse:
    counts = queries.counts_of(request.actor, authority)
    ordered = screens.roll_over(queries.newest_roll_over(authority))
    issues = authority.role == CaRole.ISSUING and authority.state == CaState.ACTIVE
    events = timeline_of("certificateauthority", authority.pk)[:TIMELINE]
    manage = screens.may_manage(request.actor)
    context = {
        "authority": screens.facts(authority, counts),
        "tiles": screens.tiles(counts) if authority.role == CaRole.ISSUING else [],
        "roll_over": ordered,
        "waiting": badges(request.actor, authority),
        "can_roll_over": issues and not (ordered and ordered["is_open"]),
        "manage": manage,
        "form": (form or RollOverForm()) if manage["allowed"] else None,
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "pki/authority.html", context, status=form.answer_status if form else 200)


def _policy_page(request: StaffRequest, found: CertificatePolicy, form: PolicyForm) -> HttpResponse:
    asked = queries.asked_change(request.actor, found)
    manage = screens.may_manage(request.actor)
    events = timeline_of("certificatepolicy", found.pk)[:TIMELINE]
    context = {
        "policy": screens.policy(found),
        "profiles": screens.profiles(found),
        "updated_at": found.updated_at,
        "waiting": badges(request.actor, found),
        "change": {"before": values_of(found), "after": asked[1]} if asked else None,
        "manage": manage,
        "form": form if manage["allowed"] else None,
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "pki/policy.html", context, status=form.answer_status)
