"""The portal's pages about cards and tokens. They translate; what may happen, the operations decide."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from devices import screens as device_screens
from devices.forms.issued import (
    KINDS,
    CardlessForm,
    DeliveryForm,
    IssuedSearchForm,
    IssueForm,
    ReplacementForm,
)
from devices.models import ISSUED_KINDS, Device, Kind
from devices.operations.cascade import Cut, preview
from devices.operations.issued import ISSUE, issue_device
from devices.operations.issued_life import deliver_device, replace_device
from devices.policies import issued as policies
from devices.queries import issued as queries
from devices.screens import issued as screens
from devices.sheets import issued_sheet
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send


@require_safe
@signed_in
def issued_list(request: StaffRequest) -> HttpResponse:
    """Counts by state, search, filters and 25 cards and tokens to a page."""
    form = IssuedSearchForm(request.GET)
    wanted = form.wanted()
    page = queries.issued_page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.values()) or bool(form.errors),
        "counts": screens.counts(request.actor),
        "devices": [screens.listed(device) for device in page.items],
        "count": page.total,
        "more": page.more,
        "may_issue": policies.issue(request.actor).allowed,
        "export_query": request.GET.urlencode(),
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "devices/issued.html"), context)


@require_safe
@signed_in
def export(request: StaffRequest) -> HttpResponse:
    """The list with its filters as CSV, however long, for a spreadsheet."""
    return as_csv(issued_sheet(request.actor, IssuedSearchForm(request.GET).wanted()), "cards-and-tokens.csv")


def as_csv(lines: Iterable[str], name: str) -> HttpResponse:
    """A download that nobody on the way keeps."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


@sensitive_post_parameters("card_number")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def issue(request: StaffRequest) -> HttpResponse:
    """Issue a card or token; `?kind=` says of which kind, `?customer=` to whom."""
    wanted = request.GET.get("kind", "")
    kind = wanted if wanted in ISSUED_KINDS else Kind.PAYMENT_CARD.value
    posted = request.POST if request.method == "POST" else None
    form = IssueForm(kind, posted, customer=request.GET.get("customer", "")[:64])
    policies.issue(request.actor).require()
    issued = attempt(request, form, lambda: issue_device(actor=request.actor, **form.values()), finds_nothing=True)
    if issued is not None:
        new = "It was issued. Note its delivery once its holder has it."
        messages.success(request, new if issued.created else "It is there already.")
        return redirect("devices:detail", issued.device.pk)
    context = {
        "form": form,
        "asks": screens.second_person(request.actor, ISSUE),
        "kinds": [
            {"label": label, "url": f"{reverse('devices:issued-new')}?kind={value}", "current": value == kind}
            for value, label in KINDS
        ],
    }
    return render(request, "devices/issued_new.html", context, status=form.answer_status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def deliver(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Note that a card or token has reached its holder."""
    device = _device(request, device_id)
    form = DeliveryForm(request.POST if request.method == "POST" else None)

    def carry_out() -> tuple[Device, str]:
        done = deliver_device(actor=request.actor, device_id=str(device.pk), **form.values())
        return device, "Its delivery was noted." if done.changed else "Its delivery was noted already."

    return _stepped(request, device, screens.DELIVER, form, carry_out)


@sensitive_post_parameters("card_number")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def replace(request: StaffRequest, device_id: UUID) -> HttpResponse:
    """Put another card or token in the place of one."""
    device = _device(request, device_id)
    form = ReplacementForm(device.kind, request.POST if request.method == "POST" else None)

    def carry_out() -> tuple[Device, str]:
        done = replace_device(actor=request.actor, device_id=str(device.pk), **form.values())
        if not done.changed:
            return done.new, "It was replaced already. This is the new one."
        ended = f"{done.sessions_terminated} session{' was' if done.sessions_terminated == 1 else 's were'} ended"
        return done.new, f"The old one is out of use; {ended}. This is the new one."

    return _stepped(request, device, screens.REPLACE_STEP, form, carry_out, Cut.RETIRED)


def _device(request: StaffRequest, device_id: UUID) -> Device:
    """The card or token, noted on the request: refusals name it."""
    policies.issue(request.actor).require()
    device = queries.get_issued_device(request.actor, str(device_id))
    request.about = device
    return device


def _stepped(
    request: StaffRequest,
    device: Device,
    step: screens.Step,
    form: CardlessForm,
    carry_out: Callable[[], tuple[Device, str]],
    cut: Cut | None = None,
) -> HttpResponse:
    """Show what a step does and ask for what it needs; then take it and tell what really happened."""
    if request.method != "POST":
        step.policy(request.actor, device).require()
    done = attempt(request, form, carry_out)
    if done is not None:
        shown, told = done
        messages.success(request, told)
        return redirect("devices:detail", shown.pk)
    context = {
        "device": device_screens.facts(device),
        "device_url": reverse("devices:detail", args=[device.pk]),
        "owner": device_screens.owner(device),
        "action": step,
        "asks": screens.second_person(request.actor, *step.asks_as),
        "ends": cut is not None,
        "preview": [{"count": count, "text": text} for count, text in preview(device, cut).lines] if cut else [],
        "form": form,
    }
    return render(request, "devices/confirm.html", context, status=form.answer_status)
