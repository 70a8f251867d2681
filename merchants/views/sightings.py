"""The portal's pages about lookups: the bank's log of them, and which merchants saw one customer."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from devices.views.issued import as_csv
from merchants.link_forms import LookupFilterForm
from merchants.queries.sightings import (
    lookup_page,
    merchant_names,
    merchants_that_saw,
    seen_customer,
    sightings_of_customer,
)
from merchants.screens import links as screens
from merchants.sheets import lookup_sheet
from portal.accounts.roles import Capability
from portal.web.access import StaffRequest, signed_in
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send


@require_safe
@signed_in
def lookups(request: StaffRequest) -> HttpResponse:
    """Who was told of whom and when, newest first; `?merchant=` says by which merchant."""
    client_id = request.GET.get("merchant", "")
    page = lookup_page(request.actor, client_id, request.GET.get("cursor"))
    context = {
        "form": LookupFilterForm(request.GET, merchants=merchant_names(request.actor)),
        "merchant": client_id,
        "lookups": [screens.lookup(sighting, request.actor) for sighting in page.items],
        "sees_devices": request.actor.can(Capability.DEVICES_READ),
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
        "tabs": screens.tabs(request.actor, "links:lookups"),
    }
    return render(request, list_template(request, "merchants/sighting_list.html"), context)


@require_POST
@signed_in
@fresh_to_send
def export(request: StaffRequest) -> HttpResponse:
    """The log with its filter as CSV, however long."""
    return as_csv(lookup_sheet(request.actor, request.POST.get("merchant", "")), "lookups.csv")


@require_safe
@signed_in
def customer(request: StaffRequest, customer_id: UUID) -> HttpResponse:
    """Which merchants saw a customer, how often, when first and last; and each time that one did."""
    person = seen_customer(request.actor, customer_id)
    request.about = person
    page = sightings_of_customer(person, request.GET.get("cursor"))
    seen = merchants_that_saw(person)
    context = {
        "customer": screens.person(person),
        "tiles": screens.seen_tiles(seen),
        "seen": screens.seen(seen),
        "lookups": [screens.lookup(sighting, request.actor) for sighting in page.items],
        "sees_devices": request.actor.can(Capability.DEVICES_READ),
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "merchants/sighting_customer.html"), context)
