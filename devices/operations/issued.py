"""Devices that the bank issues: cards and tokens."""

from django.db import transaction

from devices import policies
from devices.models import ISSUED_KINDS, Device
from devices.operations.facts import check_text
from devices.states import Category, DeviceStatus
from portal.accounts.models import User
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput


@transaction.atomic
def issue_device(*, actor: Actor, customer_id: str, kind: str, model: str = "") -> Device:
    """Issue a card or token to a customer. It waits, PENDING, until staff activate it; each call issues another.

    kind: payment-card, smart-card or otp-token. model: what is printed on it, up to 64 characters. Raises
    InvalidInput, Forbidden, NotFound.
    """
    policies.issue(actor).require()
    if kind not in ISSUED_KINDS:
        raise InvalidInput.at("kind", "unknown-enum", f"One of: {', '.join(ISSUED_KINDS)}.")
    owner = User.objects.visible_to(actor).named(customer_id)
    now = clock.now()
    device = Device(
        bank_id=owner.bank_id,
        owner=owner,
        category=Category.ISSUED,
        kind=kind,
        status=DeviceStatus.PENDING,
        model=check_text("model", model),
        registered_at=now,
        updated_at=now,
    )
    device.save(force_insert=True)
    audit.record(actor, Event.DEVICE_ISSUED, device, after={"status": device.status, "kind": kind})
    return device
