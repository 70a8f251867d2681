"""Lookups by merchants: whose device it is, and nothing about a device that is not found.

What a caller learns from a refusal is the same for an unknown, an unlinked, an inactive, a retired and another bank's
device; so are the statements that it costs. A hit costs one SELECT and one INSERT, a miss one SELECT and one UPDATE.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet, Subquery

from devices.models import Device
from devices.states import DeviceStatus
from merchants.models import BUDGET, Link, LookupHour, Merchant, Sighting, hour_of
from merchants.operations import sequences
from merchants.operations.alerts import raise_alert
from merchants.operations.naming import require_device_id, unknown
from merchants.states import AlertKind
from portal import vault
from portal.core import clock, ids
from portal.core.actor import Actor, ActorKind
from portal.core.errors import Forbidden, RateLimited

ATTEMPTS: Final = 3  # the first of an hour finds no rows, makes them and counts again
PSEUDONYM, PREFIX = "merchant.customer", "PCI"


@dataclass(frozen=True)
class Found:
    """What a merchant is told. device_id: as it was sent. customer_id: a pseudonym of its own, or the number."""

    device_id: str
    phrase: str
    customer_id: str
    bank_id: str


@dataclass(frozen=True)
class _Call:
    """One lookup: whose, and when."""

    actor: Actor
    bank_id: UUID
    merchant_id: int
    now: datetime

    @property
    def hour(self) -> datetime:
        return hour_of(self.now)

    @property
    def counts(self) -> QuerySet[LookupHour]:
        """The row that counts what the merchant misses in this hour."""
        return LookupHour.objects.filter(merchant_id=self.merchant_id, hour=self.hour)


def look_up(*, actor: Actor, device_id: str) -> Found:
    """Tell a merchant whose device this is: an active one that its bank has linked to a phrase. Each is written down.

    device_id: the external id, `DEV_…` or the UUID. Every call that finds nothing counts against the hour's budget;
    when that is spent, calls that would find something are refused as well. Not inside a transaction: the count
    outlives the refusal. Raises Forbidden, InvalidInput, NotFound, RateLimited `lookup-budget` until the hour ends.
    """
    call = _call(actor)
    require_device_id(device_id)
    _notice_sequence(call, device_id)
    link = _find(call, device_id)
    if link is None or _is_spent(link):
        _miss(call, link)
    if link is None:
        raise unknown()
    return _hit(call, link, device_id)


def _call(actor: Actor) -> _Call:
    if actor.kind is not ActorKind.MERCHANT or actor.application_id is None or actor.bank_id is None:
        raise Forbidden("Merchants look customers up.", code="merchants-only")
    return _Call(actor, actor.bank_id, actor.application_id, clock.now())


def _notice_sequence(call: _Call, device_id: str) -> None:
    if alike := sequences.noticed(call.bank_id, call.merchant_id, device_id):
        with transaction.atomic(durable=True):
            Merchant.objects.ensure(call.merchant_id, call.bank_id)
            _alert(call, AlertKind.SEQUENCE, {"ids": alike})


def _find(call: _Call, device_id: str) -> Link | None:
    """The open link of the device, with what the merchant may have. One query, of one shape whatever is there.

    The device is the one that the bank's own calls name by this text, so that no other can stand in for it.
    """
    devices = Device.objects.in_use().filter(bank_id=call.bank_id).named(device_id, call.bank_id)
    links = Link.objects.open().filter(
        bank_id=call.bank_id, device=Subquery(devices.values("pk")[:1]), device__status=DeviceStatus.ACTIVE
    )
    merchant = Merchant.objects.filter(pk=call.merchant_id)
    told = (
        links.select_related("phrase", "customer", "bank")
        .only("phrase__text_sealed", "customer__customer_number", "bank__code")
        .annotate(
            plain_ids=Subquery(merchant.values("plain_ids")),
            budget_now=Subquery(merchant.values("budget_now")),
            misses=Subquery(call.counts.values("misses")),
        )
    )
    return next(iter(told), None)


def _is_spent(link: Link) -> bool:
    misses, budget = getattr(link, "misses", None), getattr(link, "budget_now", None)
    return (misses or 0) >= (BUDGET if budget is None else budget)


def _miss(call: _Call, link: Link | None) -> None:
    """Count a miss, and the call that is over the budget. A hit over the budget does as a miss does, and counts none.

    Raises RateLimited, after the counts are kept.
    """
    with transaction.atomic(durable=True):
        within = _counted(call)
        if within and link is not None:  # staff gave the budget back a moment ago: the hit is one
            transaction.set_rollback(True)
    if not within:
        left = (call.hour + timedelta(hours=1) - call.now).total_seconds()
        raise RateLimited("Too many lookups found nothing.", code="lookup-budget", retry_after=max(1, ceil(left)))


def _counted(call: _Call) -> bool:
    """Whether a miss was counted within the budget; otherwise the call is counted as refused.

    The conditions stand in the UPDATE itself, whose row is read anew after waiting for another's: of calls at one
    moment exactly as many get through as the budget has left.
    """
    budget = Subquery(Merchant.objects.filter(pk=call.merchant_id).values("budget_now"))
    for _ in range(ATTEMPTS):
        if call.counts.filter(misses__lt=budget).update(misses=F("misses") + 1):
            return True
        over = call.counts.filter(misses__gte=budget)
        if over.filter(refused__gt=0).update(refused=F("refused") + 1):
            return False
        if over.filter(refused=0).update(refused=1):
            misses = call.counts.values_list("misses", flat=True).get()
            _alert(call, AlertKind.BUDGET, {"misses": misses})
            return False
        Merchant.objects.ensure(call.merchant_id, call.bank_id)
        LookupHour.objects.bulk_create(
            [LookupHour(merchant_id=call.merchant_id, hour=call.hour)], ignore_conflicts=True
        )
    raise AssertionError("unreachable")


def _hit(call: _Call, link: Link, device_id: str) -> Found:
    with transaction.atomic(durable=True):
        if getattr(link, "budget_now", None) is None:
            Merchant.objects.ensure(call.merchant_id, call.bank_id)
        Sighting.objects.create(
            bank_id=call.bank_id,
            merchant_id=call.merchant_id,
            link_id=link.pk,
            customer_id=link.customer_id,
            at=call.now,
        )
    assert link.phrase is not None  # noqa: S101  for the type checker: an open link has one
    return Found(device_id, link.phrase.text, _customer_id(call, link), link.bank.code)


def _customer_id(call: _Call, link: Link) -> str:
    """A pseudonym that no other merchant is told, or the bank's number where two people of the bank decided so."""
    if getattr(link, "plain_ids", False):
        return str(link.customer.customer_number)
    return ids.spell(PREFIX, vault.pseudonym(PSEUDONYM, call.merchant_id, link.customer_id))


def _alert(call: _Call, kind: AlertKind, figures: dict[str, int]) -> None:
    raise_alert(actor=call.actor, merchant_id=call.merchant_id, kind=kind, hour=call.hour, figures=figures)
