"""Customers as the portal's pages show them: plain values."""

from django.urls import reverse

from devices.models import Device, Fingerprint
from devices.policies.issued import details_of
from devices.queries.customers import CustomerRow, Holdings
from devices.screens import cards
from devices.screens import transfers as transfer_screens
from devices.screens.registry import name_of
from devices.screens.registry import row as device_row
from devices.states import Category, DeviceStatus
from pki.screens.certificates import brief as certificate_brief
from portal.accounts.models import User
from portal.accounts.operations.people import contact_of
from portal.approvals.models import ApprovalRequest
from portal.core.actor import Actor
from portal.web.events import event_row
from portal.web.waiting import badge


def row(found: CustomerRow) -> dict[str, object]:
    """A customer for the list."""
    return person(found.customer) | {"in_use": found.in_use}


def person(customer: User) -> dict[str, object]:
    return {
        "url": reverse("customers:detail", args=[customer.pk]),
        "name": customer.name,
        "customer_number": customer.customer_number,
        "public_id": customer.public_id,
        "suspended": not customer.is_active,
        "since": customer.created_at,
    }


def facts(customer: User) -> dict[str, object]:
    """A customer for their own page. Contacts stay sealed: staff see only that there are some."""
    contact = contact_of(customer)
    return person(customer) | {"has_phone": bool(contact.phone), "has_email": bool(contact.email)}


def holdings(found: Holdings, actor: Actor) -> dict[str, object]:
    """Everything of one customer."""
    issued = [device for device in found.devices if device.category == Category.ISSUED]
    return {
        "phones": [_phone(device, found) for device in found.devices if device.category == Category.OWNED],
        "cards": [_card(device) for device in issued],
        "more": found.more,
        "tiles": _tiles(found),
        "fingerprints": [_fingerprint(one) for one in found.fingerprints],
        "transfers": [transfer_screens.row(transfer) for transfer in found.transfers],
        "waiting": [_request(request, actor) for request in found.requests],
        "events": [event_row(event, actor) for event in found.events],
    }


def _tiles(found: Holdings) -> list[dict[str, object]]:
    """What somebody on the telephone wants to know first."""
    in_use = [device for device in found.devices if device.status != DeviceStatus.RETIRED]
    off = sum(device.status in {DeviceStatus.BLOCKED, DeviceStatus.INACTIVE} for device in in_use)
    return [
        {"label": "In use", "value": len(in_use), "note": "devices, cards and tokens"},
        {"label": "Switched off", "value": off, "note": "blocked, lost or inactive"},
        {"label": "Locked PINs", "value": sum(map(_is_locked, in_use)), "note": "a reset opens them"},
        {"label": "Live sessions", "value": found.sessions.total(), "note": "on these devices"},
    ]


def _is_locked(device: Device) -> bool:
    return cards.pin_mark(device) == "pin-locked"


def _phone(device: Device, found: Holdings) -> dict[str, object]:
    certificate = found.certificates.get(device.pk)
    return device_row(device) | {
        "nickname": device.nickname,
        "certificate": certificate_brief(certificate) if certificate else None,
        "pin": cards.pin_mark(device),
        "sessions": found.sessions[device.pk],
    }


def _card(device: Device) -> dict[str, object]:
    details = details_of(device)
    return device_row(device) | {
        "number": details.masked_number if details else "",
        "brand": details.card_brand if details else "",
        "reference": details.reference if details else "",
        "expires_on": details.expires_on if details else None,
        "mark": cards.card_mark(device),
    }


def _fingerprint(found: Fingerprint) -> dict[str, object]:
    device = found.device
    url = reverse("devices:detail", args=[device.pk]) if device else ""
    return cards.fingerprint(found) | {"device": name_of(device) if device else "", "device_url": url}


def _request(request: ApprovalRequest, actor: Actor) -> dict[str, object]:
    shown = badge(actor, request)
    return shown | {"label": f"{shown['label']} ({request.object_label})"}
