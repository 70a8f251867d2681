"""What hangs on a device, as cards on its page."""

from django.urls import reverse

from devices.models import (
    PIN_TRIES,
    CardKind,
    Device,
    Fingerprint,
    FingerprintPlatform,
    IssuedDetails,
    Kind,
    PinReset,
    ResetMethod,
)
from devices.policies import pins as pin_policies
from devices.policies.issued import details_of
from devices.queries.fingerprints import fingerprints_of_device
from devices.queries.issued import card_status_of
from devices.queries.pins import pin_of, pin_state, reset_methods
from devices.states import Category, DeviceStatus
from portal.core.actor import Actor


def pin(actor: Actor, device: Device) -> dict[str, object] | None:
    """Whether a PIN is set or locked, the tries left and the reset on its way. None for cards and tokens."""
    if device.category != Category.OWNED:
        return None
    state = pin_state(device)
    verdict = pin_policies.start_reset(actor, device)
    reachable = bool(reset_methods(device.owner))
    return {
        "mark": pin_mark(device),
        "is_set": state.is_set,
        "is_locked": state.is_locked,
        "tries_left": state.tries_left,
        "tries": PIN_TRIES,
        "changed_at": state.changed_at,
        "locked_at": state.locked_at,
        "reset": _reset(state.open_reset) if state.open_reset else None,
        "reset_url": reverse("devices:reset-pin", args=[device.pk]) if verdict.allowed and reachable else "",
        "barred": verdict.message or ("" if reachable else "No contact of the owner is on file."),
    }


def pin_mark(device: Device) -> str:
    """The word for the state of its PIN, without a query where the device was read with it."""
    row = pin_of(device)
    if row is None:
        return "no-pin"
    return "pin-locked" if row.is_locked else "pin-set"


def card_mark(device: Device) -> str:
    """The mark for the state of a card or token; one that is out of use has no card status any more."""
    if device.status == DeviceStatus.RETIRED:
        return device.status
    return f"card-{card_status_of(device).value}"


def issued(device: Device) -> dict[str, object] | None:
    """What is known of a card or token because the bank issued it. None for a phone."""
    details = details_of(device)
    if details is None:
        return None
    later: IssuedDetails | None = getattr(device, "replaced_by", None)
    return {
        "is_card": device.kind == Kind.PAYMENT_CARD,
        "number": details.masked_number,
        "card_kind": CardKind(details.card_kind).label if details.card_kind else "",
        "brand": details.card_brand,
        "holder": details.cardholder_name,
        "is_primary": details.is_primary,
        "reference": details.reference,
        "delivered_on": details.delivered_on,
        "expires_on": details.expires_on,
        "mark": card_mark(device),
        "replaces_url": reverse("devices:detail", args=[details.replaces_id]) if details.replaces_id else "",
        "replaced_by_url": reverse("devices:detail", args=[later.device_id]) if later else "",
    }


def fingerprints(actor: Actor, device: Device) -> list[dict[str, object]] | None:
    """The applications that its owner signed in with on it. None for cards and tokens."""
    if device.category != Category.OWNED:
        return None
    return [fingerprint(found) for found in fingerprints_of_device(actor, device)]


def fingerprint(found: Fingerprint) -> dict[str, object]:
    """One of them."""
    return {
        "hash": found.hash,
        "application": found.application_name,
        "version": found.application_version,
        "platform": FingerprintPlatform(found.platform).label,
        "first_seen_at": found.first_seen_at,
        "last_seen_at": found.last_seen_at,
    }


def _reset(reset: PinReset) -> dict[str, object]:
    return {
        "method": ResetMethod(reset.method).label,
        "started_at": reset.created_at,
        "expires_at": reset.expires_at,
        "by": reset.started_by.name if reset.started_by else "the owner",
        "tries_left": PIN_TRIES - reset.tries,
    }
