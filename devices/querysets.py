"""Looking devices up: whose they are, and by which of their names."""

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from devices.states import Category, DeviceStatus
from portal import indexes
from portal.core import ids
from portal.core.actor import Actor
from portal.core.errors import NotFound

if TYPE_CHECKING:
    from devices.models import Device


EXTERNAL_ID, PUSH_HANDLE = "device.external_id", "device.push_handle"


class DeviceQuerySet(models.QuerySet["Device"]):
    def visible_to(self, actor: Actor) -> Self:
        """The devices an actor may know of: a customer's own, all of its bank for staff and the bank's server.

        While an approved request is carried out, those that changed hands after it was asked for are not among them:
        it was meant for the owner of that day.
        """
        if actor.approval is not None:
            return self._visible_to(actor).exclude(transfers__completed_at__gt=actor.approval.asked_at)
        return self._visible_to(actor)

    def _visible_to(self, actor: Actor) -> Self:
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer:
            return self.filter(bank_id=actor.bank_id, owner_id=actor.user_id)
        if actor.is_staff or actor.is_bank:
            return self.filter(bank_id=actor.bank_id)
        return self.none()

    def in_use(self) -> Self:
        """Devices that are not retired."""
        return self.exclude(status=DeviceStatus.RETIRED)

    def active(self) -> Self:
        return self.filter(status=DeviceStatus.ACTIVE)

    def owned(self) -> Self:
        return self.filter(category=Category.OWNED)

    def issued(self) -> Self:
        return self.filter(category=Category.ISSUED)

    def named_externally(self, bank_id: UUID, external_id: str) -> Self:
        """The rows of one external identifier inside one bank; at most one of them is not retired."""
        return self.filter(bank_id=bank_id, external_id_index__in=indexes.to_find(EXTERNAL_ID, bank_id, external_id))

    def with_our_id(self, text: str) -> Self:
        """The device whose `DEV_…` or UUID this is; no query when it is neither."""
        key = read_device_id(text)
        return self.filter(pk=key) if key else self.none()

    def named(self, device_id: str, bank_id: UUID | None) -> Self:
        """The devices that a text may name, best first: `DEV_…` or the UUID, else the external identifier.

        External identifiers may look like a UUID (many phones make one), so that both are looked up. Several rows can
        share an external identifier; all but one of them are retired: the one in use comes first, then the newest.
        """
        key = read_device_id(device_id)
        wanted = Q(pk=key) if key else Q(pk__in=[])
        if bank_id is not None and device_id:
            wanted |= Q(bank_id=bank_id, external_id_index__in=indexes.to_find(EXTERNAL_ID, bank_id, device_id))
        best = models.Case(
            *([models.When(pk=key, then=0)] if key else []),
            models.When(status=DeviceStatus.RETIRED, then=2),
            default=1,
        )
        return self.filter(wanted).order_by(best, "-registered_at")

    def get_named(self, device_id: str, bank_id: UUID | None) -> "Device":
        """The one device that a text names. Raises NotFound."""
        device = self.named(device_id, bank_id).first()
        if device is None:
            raise NotFound("There is no such device.")
        return device

    def for_change(self, device_id: str, bank_id: UUID | None) -> "Device":
        """The same, with its row locked until the transaction ends."""
        return self.select_for_update(of=("self",)).get_named(device_id, bank_id)


def read_device_id(text: str) -> UUID | None:
    """The id in `DEV_…` or in a UUID's usual spelling, else None."""
    try:
        key = UUID(text) if text.count("-") == 4 else ids.read("DEV", text)
    except ValueError:
        return None
    return key if text.startswith("DEV_") or str(key) == text.lower() else None
