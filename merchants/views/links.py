"""The portal's pages about links. They translate; what may happen, the operations decide.

Device ids and phrases are sealed where they are kept, so that they may stand in no address either: addresses go into
logs, histories and bookmarks. What is sought is therefore sent as a form, and the answer to that form is the list
itself; its pages, the heads that sort it and its download send the text once more. A list without a search is an
ordinary address. All of it works without a script.
"""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.views.issued import as_csv
from merchants import policies
from merchants.link_forms import CutForm, LinkForm, LinkSearchForm
from merchants.operations.links import cut_link, link_device
from merchants.queries.links import LinkShown, list_links, show_link
from merchants.screens import links as screens
from merchants.sheets import link_sheet
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.step_up import fresh_to_send

PAGE_SIZE: Final = 25


@sensitive_post_parameters("search")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def link_list(request: StaffRequest) -> HttpResponse:
    """The bank's links, 25 to a page, in either order of two columns; sent as a form, those that a text names."""
    form = LinkSearchForm(request.POST if request.method == "POST" else _unsought(request))
    search, order = form.text(), form.order()
    sort, descending = screens.order_of(order)
    page = list_links(
        request.actor, page=form.page(), limit=PAGE_SIZE, search=search, sort=sort, descending=descending
    )
    context = {
        "form": form,
        "search": search,
        "order": order,
        "heads": screens.heads(order),
        "links": [screens.listed(row) for row in page.items],
        "total": page.total,
        "pager": screens.numbered(page),
        "tabs": screens.tabs(request.actor, "links:list"),
    }
    return render(request, "merchants/link_list.html", context, status=form.answer_status)


def _unsought(request: StaffRequest) -> dict[str, str]:
    """An address sorts and turns pages; a text in it is not read."""
    return {name: request.GET.get(name, "") for name in ("page", "order")}


@sensitive_post_parameters("search")
@require_POST
@signed_in
@fresh_to_send
def export(request: StaffRequest) -> HttpResponse:
    """The list with what was sought as CSV, however long. It holds phrases, so that its taker is asked who it is."""
    return as_csv(link_sheet(request.actor, LinkSearchForm(request.POST).text()), "links.csv")


@sensitive_post_parameters("phrase", "device_id", "customer_id")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def link_new(request: StaffRequest) -> HttpResponse:
    """Let a device stand for a customer's phrase."""
    form = LinkForm(request.POST if request.method == "POST" else None)
    policies.require_links(request.actor)
    link = attempt(request, form, lambda: link_device(actor=request.actor, **form.cleaned_data), finds_nothing=True)
    if link is not None:
        messages.success(request, "The device is linked. Merchants that look it up find the phrase.")
        return redirect("links:detail", link.pk)
    return render(request, "merchants/link_new.html", {"form": form}, status=form.answer_status)


@require_safe
@signed_in
def link_detail(request: StaffRequest, link_id: UUID) -> HttpResponse:
    """One link, open or ended."""
    found = _link(request, link_id)
    return render(request, "merchants/link_detail.html", {"link": screens.shown(found)})


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def link_cut(request: StaffRequest, link_id: UUID) -> HttpResponse:
    """Show what cutting a link means and ask why; then cut it."""
    found = _link(request, link_id)
    form = CutForm(request.POST if request.method == "POST" else None)
    if found.listed is None and request.method != "POST":
        return redirect("links:detail", found.link.pk)
    cut = attempt(
        request, form, lambda: cut_link(actor=request.actor, link_id=str(found.link.pk), **form.cleaned_data)
    )
    if cut is not None:
        told = "The link was cut." if found.listed else "Nothing has changed: the link had ended already."
        messages.success(request, told)
        return redirect("links:detail", cut.pk)
    context = {"link": screens.shown(found), "preview": screens.preview(found), "form": form}
    return render(request, "merchants/link_cut.html", context, status=form.answer_status)


def _link(request: StaffRequest, link_id: UUID) -> LinkShown:
    """The link, noted on the request: refusals name it."""
    found = show_link(request.actor, str(link_id))
    request.about = found.link
    return found
