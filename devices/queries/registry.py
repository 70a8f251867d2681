"""Reads that screens and answers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q

from devices import policies
from devices.models import Device, DeviceKey, Kind
from devices.queries.pins import pin_of
from devices.querysets import DeviceQuerySet
from devices.states import Category, CertificateStatus, DeviceStatus, Enrollment
from pki.queries.standing import standing, status_of
from portal.accounts.models import AccessToken, User
from portal.accounts.queries import claimed_customer
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidInput
from portal.keyset import keyset_page

PAGE_SIZE: Final = 25
COUNTED_UP_TO: Final = 1000
_GOOD: Final = (CertificateStatus.VALID, CertificateStatus.EXPIRING)


@dataclass(frozen=True)
class Posture:
    """What is derived from a device's rows, never stored.

    certificate_status: of its good certificate, else of what was last; NONE while it never had one.
    """

    enrollment_status: Enrollment
    certificate_status: CertificateStatus
    pin_enabled: bool
    certificate_valid: bool
    checked_at: datetime


def get_device(actor: Actor, device_id: str) -> Device:
    """The device that a text names among those the actor may know of. Raises NotFound."""
    return _with_all(_readable(actor)).get_named(device_id, actor.bank_id)


def get_owned_device(actor: Actor, device_id: str) -> Device:
    """The same among the devices that customers own: cards and tokens of the bank are unknown here."""
    return _with_all(_readable(actor)).owned().get_named(device_id, actor.bank_id)


def device_for_status(actor: Actor, device_id: str | None) -> Device:
    """The device a status call is about (Adiba, "Check Device Status").

    Named: that one. Not named: a bound token's own, or a customer's only one. Raises NotFound, and InvalidInput
    `required` at `device_id` when it has to be named.
    """
    if device_id:
        return _readable(actor).select_related("pin").get_named(device_id, actor.bank_id)
    if actor.device_id:
        if bound := list(_readable(actor).select_related("pin").filter(pk=actor.device_id)):
            return bound[0]
    elif actor.is_customer:
        own = list(_readable(actor).select_related("pin").owned().in_use()[:2])
        if len(own) == 1:
            return own[0]
    raise InvalidInput.at("device_id", "required", "Name the device: deviceId is required.")


def _readable(actor: Actor) -> DeviceQuerySet:
    if actor.is_staff:
        policies.read(actor).require()
    return Device.objects.visible_to(actor)


def _with_all(devices: DeviceQuerySet) -> DeviceQuerySet:
    """With what most answers tell about a device."""
    return devices.select_related("owner", "pin").prefetch_related("keys")


def posture_of(device: Device) -> Posture:
    """The device's posture at this moment. One query, and one for its PIN where that was not read with it.

    A locked PIN is a PIN: the device is not open without it.
    """
    in_use = DeviceKey.objects.filter(device=OuterRef("pk"), retired_at=None)
    found = (
        Device.objects.filter(pk=device.pk)
        .annotate(has_key=Exists(in_use), has_proved_key=Exists(in_use.exclude(proved_at=None)), **standing())
        .values("has_key", "has_proved_key", *standing())
        .get()
    )
    status = status_of(found)
    return Posture(
        enrollment_status=_enrollment_status(device, found, status),
        certificate_status=status,
        pin_enabled=pin_of(device) is not None,
        certificate_valid=status in _GOOD,
        checked_at=clock.now(),
    )


def has_proved_key(device: Device) -> bool:
    """Whether the device can sign."""
    return any(key.proved_at and not key.retired_at for key in device.keys.all())


def _enrollment_status(device: Device, found: Mapping[str, Any], status: CertificateStatus) -> Enrollment:
    """A certificate proves a key as an approval key's challenge does; on hold it stays the device's."""
    if device.status == DeviceStatus.RETIRED:
        return Enrollment.REVOKED
    if found["has_proved_key"] or status in _GOOD or status == CertificateStatus.ON_HOLD:
        return Enrollment.ENROLLED
    if found["has_key"] or status == CertificateStatus.PENDING:
        return Enrollment.PENDING
    return Enrollment.NOT_ENROLLED


@dataclass(frozen=True)
class OffsetPage:
    """One numbered page of a list whose total is counted."""

    items: list[Device]
    total: int
    page: int
    page_size: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.page_size)


SORTS: Final = {"nickname": "nickname_key", "status": "status", "registered_at": "registered_at"}


def owned_devices_page(
    actor: Actor,
    *,
    customer_id: str | None = None,
    statuses: list[str] | None = None,
    sort_by: str = "registered_at",
    descending: bool = False,
    page: int = 1,
    page_size: int = 10,
) -> OffsetPage:
    """A customer's own devices, or the bank's (of one customer).

    customer_id: `USR_…` or the bank's number, as `claimed_customer` takes it. statuses: `DeviceStatus` values.
    sort_by: a key of `SORTS`. Raises Forbidden.
    """
    devices = _with_all(_readable(actor)).owned()
    if customer_id is not None:
        devices = devices.filter(owner=claimed_customer(actor, customer_id))
    if statuses is not None:
        devices = devices.filter(status__in=statuses)
    sign = "-" if descending else ""
    total = devices.count()
    start = (page - 1) * page_size
    items = list(devices.order_by(f"{sign}{SORTS[sort_by]}", f"{sign}id")[start : start + page_size])
    return OffsetPage(items, total, page, page_size)


@dataclass(frozen=True)
class DeviceFilter:
    """What a member of staff looks for. Empty texts do not filter."""

    q: str = ""
    status: str = ""
    kind: str = ""
    category: str = ""


@dataclass(frozen=True)
class DevicePage:
    """One keyset page. total: counted up to 1,000; `more` says that there are more than that."""

    items: list[Device]
    total: int
    more: bool
    next_cursor: str | None
    previous_cursor: str | None


def device_page(actor: Actor, wanted: DeviceFilter, cursor: str | None = None) -> DevicePage:
    """The newest devices of the bank that fit, 25 to a page, in three queries however many there are.

    cursor: from an earlier page; one that cannot be read gives the first page.
    """
    policies.read(actor).require()
    devices = _filtered(Device.objects.visible_to(actor), wanted, actor.bank_id)
    counted = devices.order_by()[: COUNTED_UP_TO + 1].count()
    page = keyset_page(devices.select_related("owner"), cursor, fields=("registered_at", "id"), size=PAGE_SIZE)
    return DevicePage(
        items=list(page.items),
        total=min(counted, COUNTED_UP_TO),
        more=counted > COUNTED_UP_TO,
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def _filtered(devices: DeviceQuerySet, wanted: DeviceFilter, bank_id: UUID | None) -> DeviceQuerySet:
    if wanted.status in DeviceStatus.values:
        devices = devices.filter(status=wanted.status)
    if wanted.kind in Kind.values:
        devices = devices.filter(kind=wanted.kind)
    if wanted.category in Category.values:
        devices = devices.filter(category=wanted.category)
    return devices.filter(_search(wanted.q.strip(), bank_id)) if wanted.q.strip() else devices


def _search(text: str, bank_id: UUID | None) -> Q:
    """By device id in any spelling, customer number or `USR_…`, last four of the external identifier, or model."""
    found = Q(pk__in=Device.objects.named(text, bank_id).values("pk"))
    found |= Q(owner__customer_number=text) | Q(model__icontains=text)
    if len(text) == 4:
        found |= Q(external_id_last4=text)
    if owner_id := User.id_from(text):
        found |= Q(owner_id=owner_id)
    return found


def count_by_status(actor: Actor) -> dict[str, int]:
    """How many devices of the bank are in each state, in one query."""
    policies.read(actor).require()
    rows = Device.objects.visible_to(actor).order_by().values("status").annotate(n=Count("pk"))
    counts = {row["status"]: row["n"] for row in rows}
    return {status.value: counts.get(status.value, 0) for status in DeviceStatus}


def live_sessions_of(device: Device) -> list[AccessToken]:
    """The live tokens bound to a device, newest first, with the client they were issued to."""
    return list(AccessToken.objects.live().filter(device=device).select_related("application").order_by("-id"))
