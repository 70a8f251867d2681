"""The portal's pages about rotations. They translate; what may happen, the operations decide."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pki.forms.rotations import RateForm, RotationSearchForm, SwitchForm
from pki.models import CertificateAuthority, Rotation, RotationType
from pki.operations.rotation_control import pause_rotations, resume_rotations, set_rotation_rate
from pki.operations.rotations import rotate_certificate
from pki.policies import require_manage
from pki.queries import rotations as queries
from pki.screens import rotations as screens
from portal.audit.queries import timeline_of
from portal.core import ids
from portal.core.errors import NotFound
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.events import event_row
from portal.web.forms import PortalForm
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send

TIMELINE = 30


@require_safe
@signed_in
def rotation_list(request: StaffRequest) -> HttpResponse:
    """The days before and ahead, what is stuck, the switch, and the ledger: 25 to a page."""
    return _list_page(request)


@require_safe
@signed_in
def rotation_detail(request: StaffRequest, rotation_id: UUID) -> HttpResponse:
    """One rotation with every try."""
    rotation = queries.get_rotation(request.actor, ids.spell("ROT", rotation_id))
    request.about = rotation
    events = timeline_of("rotation", rotation.pk)[:TIMELINE]
    context = {
        "rotation": screens.facts(rotation),
        "way": screens.way(rotation),
        "tries": screens.ledger(queries.tries_of(rotation)),
        "can_renew": screens.can_renew(request.actor, rotation, queries.current_certificate(rotation.device)),
        "device_id": rotation.device_id,
        "events": [event_row(event, request.actor) for event in events],
    }
    return render(request, "pki/rotation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def switch(request: StaffRequest, authority_id: UUID, step: str) -> HttpResponse:
    """Pause or resume an authority's rotations, with a reason."""
    if request.method != "POST":
        return redirect("pki:rotations")
    authority = _authority(request, authority_id)
    operation = pause_rotations if step == "pause" else resume_rotations
    form = SwitchForm(request.POST, prefix="switch")

    def work() -> CertificateAuthority:
        return operation(actor=request.actor, authority_id=authority.pk, reason=form.cleaned_data["reason"])

    if attempt(request, form, work) is None:
        return _list_page(request, form)
    messages.success(request, "Rotations are paused." if step == "pause" else "Rotations go on.")
    return redirect("pki:rotations")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def rate(request: StaffRequest, authority_id: UUID) -> HttpResponse:
    """Change how many a minute an authority signs for rotation."""
    if request.method != "POST":
        return redirect("pki:rotations")
    require_manage(request.actor)
    authority = _authority(request, authority_id)
    form = RateForm(request.POST, prefix="rate")

    def work() -> CertificateAuthority:
        return set_rotation_rate(actor=request.actor, authority_id=authority.pk, **form.cleaned_data)

    if attempt(request, form, work) is None:
        return _list_page(request, form)
    messages.success(request, f"At most {form.cleaned_data['rate']:,} a minute from now on.")
    return redirect("pki:rotations")


@require_POST
@signed_in
@fresh_to_send
def rotate(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Renew a device's certificate now, in its window or not."""
    form = PortalForm(request.POST)  # a button without fields

    def work() -> Rotation:
        return rotate_certificate(
            actor=request.actor, device_id=str(device_id), rotation_type=RotationType.MANUAL, force=True
        )

    rotation = attempt(request, form, work)
    if rotation is None:
        messages.error(request, " ".join(map(str, form.non_field_errors())))
        return redirect("devices:detail", device_id)
    messages.success(request, "A worker renews the certificate now.")
    return redirect("pki:rotation", rotation.pk)


def _authority(request: StaffRequest, authority_id: UUID) -> CertificateAuthority:
    """One of those that the page shows; noted on the request, so that refusals name it."""
    found = next((one for one in queries.authorities(request.actor) if one.pk == authority_id), None)
    if found is None:
        raise NotFound("There is no such authority.")
    request.about = found
    return found


def _list_page(request: StaffRequest, tried: PortalForm | None = None) -> HttpResponse:
    form = RotationSearchForm(request.GET)
    wanted = form.wanted()
    page = queries.rotation_page(request.actor, wanted, request.GET.get("cursor"))
    template = list_template(request, "pki/rotations.html")
    kept = {"q": wanted.q} if wanted.q else {}
    context: dict[str, object] = {
        "form": form,
        "filtered": bool(kept or form.errors),
        "states": screens.tabs(wanted, queries.count_by_state(request.actor), kept),
        "rotations": [screens.row(rotation) for rotation in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    if not template.endswith("#rows"):
        context |= _above(request, tried)
    return render(request, template, context, status=tried.answer_status if tried else 200)


def _above(request: StaffRequest, tried: PortalForm | None) -> dict[str, object]:
    found = queries.authorities(request.actor)
    stuck = list(queries.stuck(request.actor)[: screens.SHOWN_STUCK + 1])
    authority = found[0] if found else None
    now = authority.rotation_rate if authority else 1
    return {
        "chart": screens.chart(queries.days(request.actor)),
        "stuck": [screens.row(rotation) for rotation in stuck[: screens.SHOWN_STUCK]],
        "more_stuck": len(stuck) > screens.SHOWN_STUCK,
        "control": screens.control(authority, request.actor) if authority else None,
        "switch_form": tried if isinstance(tried, SwitchForm) else SwitchForm(prefix="switch"),
        "rate_form": tried if isinstance(tried, RateForm) else RateForm(now=now, prefix="rate"),
        "switch_open": isinstance(tried, SwitchForm),
        "rate_open": isinstance(tried, RateForm),
    }
