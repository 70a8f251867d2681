"""The portal's pages about certificates that were issued. They only show."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from pki import lint_run
from pki.forms.certificates import CertificateSearchForm, KeySearchForm
from pki.models import Certificate
from pki.queries.certificates import (
    blocked_key_page,
    certificate_page,
    chain_of,
    count_by_state,
    expiries_by_week,
    get_certificate,
    is_blocked,
    successor_of,
)
from pki.screens import certificates as screens
from pki.screens.expiry_chart import expiry_chart
from pki.x509.pem import pem_of
from portal.audit.queries import timeline_of
from portal.core import ids
from portal.core.errors import NotFound
from portal.web.access import StaffRequest, signed_in
from portal.web.events import event_row
from portal.web.paging import list_template, pager
from portal.web.waiting import badges

TIMELINE = 30
TYPES = {
    "pem": "application/x-pem-file",
    "der": "application/pkix-cert",
    "chain": "application/pem-certificate-chain",
}


@require_safe
@signed_in
def certificate_list(request: StaffRequest) -> HttpResponse:
    """What runs out when; search, states and 25 certificates to a page."""
    form = CertificateSearchForm(request.GET)
    wanted = form.wanted()
    page = certificate_page(request.actor, wanted, request.GET.get("cursor"))
    template = list_template(request, "pki/certificates.html")
    kept = {name: str(value) for name, value in form.cleaned_data.items() if value and name != "state"}
    context = {
        "form": form,
        "filtered": bool(kept or form.errors),
        "by_expiry": bool(wanted.since or wanted.until),
        "unissued": wanted.state == "unissued",
        "states": screens.tabs(wanted, count_by_state(request.actor), kept),
        "certificates": [screens.row(certificate) for certificate in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    if not template.endswith("#rows"):
        context["chart"] = expiry_chart(expiries_by_week(request.actor))
    return render(request, template, context)


@require_safe
@signed_in
def certificate_detail(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    """One certificate: what stands in it, what it hangs on, and what happened to it."""
    return _page(request, _certificate(request, certificate_id))


@require_safe
@signed_in
def lint(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    """The same page with what pkilint says of the certificate, where it is installed."""
    certificate = _certificate(request, certificate_id)
    if not certificate.der or not lint_run.is_installed():
        raise NotFound("There is nothing to look at.")
    return _page(request, certificate, said=lint_run.findings_of(bytes(certificate.der)))


@require_safe
@signed_in
def certificate_file(request: StaffRequest, certificate_id: UUID, form: str) -> HttpResponse:
    """The certificate to keep: in PEM, in DER, or in PEM with the authorities above it."""
    certificate = _certificate(request, certificate_id)
    if not certificate.der:
        raise NotFound("Nothing was issued under this serial.")
    chain = [bytes(authority.der) for authority in chain_of(certificate)] if form == "chain" else []
    ders = [bytes(certificate.der), *chain]
    name = f"certificate-{certificate.serial[-8:]}{'-chain' if chain else ''}.{'cer' if form == 'der' else 'pem'}"
    response = HttpResponse(ders[0] if form == "der" else "".join(map(pem_of, ders)), content_type=TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
@signed_in
def key_list(request: StaffRequest) -> HttpResponse:
    """Keys that nobody may use again, and whose they were."""
    form = KeySearchForm(request.GET)
    page = blocked_key_page(request.actor, form.wanted(), request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.values()) or bool(form.errors),
        "keys": [screens.blocked(found) for found in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "pki/keys.html"), context)


def _certificate(request: StaffRequest, certificate_id: UUID) -> Certificate:
    """The certificate, noted on the request: refusals name it."""
    certificate = get_certificate(request.actor, ids.spell("CERT", certificate_id))
    request.about = certificate
    return certificate


def _page(request: StaffRequest, certificate: Certificate, *, said: lint_run.Said | None = None) -> HttpResponse:
    events = timeline_of("certificate", certificate.pk)[:TIMELINE]
    successor, key_blocked = successor_of(certificate), is_blocked(certificate.key_fingerprint)
    context = {
        "certificate": screens.facts(certificate),
        "replaced_by": screens.brief(successor) if successor else None,
        "chain": screens.chain(chain_of(certificate)),
        "key_blocked": key_blocked,
        "waiting": badges(request.actor, certificate),
        "actions": screens.steps(request.actor, certificate, key_blocked=key_blocked),
        "lints": lint_run.is_installed() and bool(certificate.der),
        "said": said,
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "pki/certificate.html", context)
