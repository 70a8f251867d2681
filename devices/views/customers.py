"""The portal's pages about customers: who they are, and everything that is theirs on one screen."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from devices.forms.customers import CustomerSearchForm
from devices.queries.customers import customer_page, get_customer, holdings_of
from devices.screens import customers as screens
from merchants.screens.links import seen_url
from portal.web.access import StaffRequest, signed_in
from portal.web.paging import list_template, pager


@require_safe
@signed_in
def customer_list(request: StaffRequest) -> HttpResponse:
    """Search, and 25 customers to a page."""
    form = CustomerSearchForm(request.GET)
    wanted = form.wanted()
    page = customer_page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "form": form,
        "filtered": bool(wanted),
        "customers": [screens.row(row) for row in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "customers/list.html"), context)


@require_safe
@signed_in
def customer_detail(request: StaffRequest, customer_id: UUID) -> HttpResponse:
    """One customer with devices, cards, PINs, fingerprints, transfers, what waits, and what happened."""
    customer = get_customer(request.actor, customer_id)
    request.about = customer
    context = {
        "customer": screens.facts(customer),
        "seen_url": seen_url(request.actor, customer),
        **screens.holdings(holdings_of(request.actor, customer), request.actor),
    }
    return render(request, "customers/detail.html", context)
