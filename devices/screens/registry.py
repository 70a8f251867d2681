"""Devices as the portal's pages show them: plain values."""

from datetime import datetime

from django.urls import reverse

from devices import queries
from devices.models import Device, ExternalIdKind, Kind
from devices.states import Category, DeviceStatus, Enrollment, HeldBy


def row(device: Device) -> dict[str, object]:
    """A device for a list."""
    return {
        "url": reverse("devices:detail", args=[device.pk]),
        "name": name_of(device),
        "public_id": device.public_id,
        "kind": device.kind,
        "kind_label": Kind(device.kind).label,
        "platform": device.operating_system,
        "owner": device.owner.name,
        "owner_url": reverse("customers:detail", args=[device.owner_id]),
        "customer_number": device.owner.customer_number,
        "last_four": device.external_id_last4,
        "status": device.status,
        "lost": is_lost(device),
        "last_activity_at": device.last_activity_at,
    }


def facts(device: Device) -> dict[str, object]:
    """A device for its own page. Sealed identifiers stay sealed: staff see the last four."""
    return row(device) | {
        "uuid": str(device.pk),
        "is_owned": device.category == Category.OWNED,
        "category_label": Category(device.category).label,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "os": device.operating_system,
        "app_version": device.app_version,
        "nickname": device.nickname,
        "identifier_kind_label": ExternalIdKind(device.external_id_kind).label if device.external_id_kind else "",
        "registered_at": device.registered_at,
        "status_since": status_since(device),
        "held_by": HeldBy(device.held_by).label.lower() if device.held_by else "",
    }


def owner(device: Device) -> dict[str, object]:
    person = device.owner
    return {
        "url": reverse("customers:detail", args=[person.pk]),
        "name": person.name,
        "customer_number": person.customer_number,
        "public_id": person.public_id,
    }


def is_lost(device: Device) -> bool:
    """Whether it is reported lost now; a device that was retired since is only retired."""
    return device.lost_at is not None and device.status == DeviceStatus.BLOCKED


def name_of(device: Device) -> str:
    """What people call it: model, else kind."""
    return device.model or Kind(device.kind).label


def status_since(device: Device) -> datetime | None:
    """When the device came into its present state."""
    if is_lost(device):
        return device.lost_at
    times = {
        DeviceStatus.PENDING: device.registered_at,
        DeviceStatus.ACTIVE: device.activated_at,
        DeviceStatus.RETIRED: device.retired_at,
    }
    return times.get(DeviceStatus(device.status), device.switched_off_at)


def posture(device: Device) -> list[dict[str, object]]:
    """The posture line by line; `good` is None where there is nothing to judge."""
    found = queries.posture_of(device)
    return [
        {
            "label": "May use banking services",
            "good": device.is_active,
            "note": "" if device.is_active else "Only active devices may",
        },
        {
            "label": "Enrolled",
            "good": found.enrollment_status == Enrollment.ENROLLED,
            "note": found.enrollment_status.label,
        },
        {
            "label": "Push messages",
            "good": bool(device.push_platform),
            "note": device.get_push_platform_display() if device.push_platform else "No push handle is registered",
        },
    ]


def keys(device: Device) -> list[dict[str, object]]:
    """Its keys by fingerprint, the one in use first."""
    names = {"p256": "ECDSA P-256", "ed25519": "Ed25519"}
    found = sorted(device.keys.all(), key=lambda key: key.registered_at, reverse=True)
    rows: list[dict[str, object]] = [
        {
            "algorithm": names.get(key.algorithm, key.algorithm),
            "fingerprint": key.fingerprint,
            "since": key.registered_at,
            "proved": key.proved_at is not None,
            "retired_at": key.retired_at,
        }
        for key in found
    ]
    return sorted(rows, key=lambda entry: entry["retired_at"] is not None)


def sessions(device: Device) -> list[dict[str, object]]:
    """The live tokens bound to it."""
    return [
        {
            "client": token.application.name if token.application else "Own token",
            "started_at": token.created,
            "expires_at": token.expires,
        }
        for token in queries.live_sessions_of(device)
    ]
