"""Alerts about merchants: one of a kind in an hour. Each lessens what may be missed until staff have looked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from merchants.models import LEAST, LookupHour, Merchant, MerchantAlert, Sighting, hour_of
from merchants.states import AlertKind
from portal.accounts.policies import require_capability, require_reason
from portal.accounts.roles import Capability
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound

ENOUGH: Final = 50  # lookups in an hour, before the share of misses says anything
NAME: Final = "merchants.watch"


@transaction.atomic
def raise_alert(
    *, actor: Actor, merchant_id: int, kind: AlertKind, hour: datetime, figures: Mapping[str, int]
) -> MerchantAlert | None:
    """Note what a merchant did in an hour, once for each kind; None where that alert is there, looked at or not.

    The first alert of an hour halves what may be missed an hour, down to `LEAST`. For our own work, and for lookups
    in their merchant's name: it asks for no right. figures: what was counted, by name; never an id.
    """
    of_hour = MerchantAlert.objects.filter(merchant_id=merchant_id, hour=hour)
    if of_hour.filter(kind=kind).exists():
        return None
    merchant = Merchant.objects.locked().get(pk=merchant_id)
    kinds = set(of_hour.values_list("kind", flat=True))
    if kind in kinds:
        return None
    before = merchant.budget_now
    if not kinds:
        merchant.budget_now = min(before, max(LEAST, before // 2))
        merchant.save(update_fields=["budget_now"])
    alert = MerchantAlert.objects.create(
        bank_id=merchant.bank_id,
        merchant=merchant,
        kind=kind,
        hour=hour,
        raised_at=clock.now(),
        figures=dict(figures),
    )
    audit.record(
        actor,
        Event.MERCHANT_ALERT,
        merchant,
        before={"budget_now": before},
        after={"budget_now": merchant.budget_now},
        details={"alert": kind.value, "hour": hour, **figures},
    )
    return alert


@transaction.atomic
def review_alert(*, actor: Actor, alert_id: str, reason: str) -> MerchantAlert:
    """Mark an alert as looked at; with the merchant's last open one its whole budget is back. A repeat is quiet.

    reason: what was found, 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    require_capability(actor, Capability.MERCHANTS_MANAGE)
    reason = require_reason(reason)
    merchant_id = _merchant_of(actor, alert_id)
    merchant = Merchant.objects.locked().get(pk=merchant_id)
    alert = MerchantAlert.objects.get(pk=alert_id)
    if alert.reviewed_at is not None:
        return alert
    alert.reviewed_at, alert.reviewed_by, alert.note = clock.now(), actor.label[:200], reason
    alert.save(update_fields=["reviewed_at", "reviewed_by", "note"])
    before = merchant.budget_now
    if not merchant.has_open_alerts():
        merchant.budget_now = merchant.budget
        merchant.save(update_fields=["budget_now"])
    audit.record(
        actor,
        Event.MERCHANT_ALERT_REVIEWED,
        merchant,
        before={"budget_now": before},
        after={"budget_now": merchant.budget_now},
        reason=reason,
        details={"alert": alert.kind, "hour": alert.hour},
    )
    return alert


def watch() -> int:
    """Look for merchants that miss more than they find, in this hour and in the one before. Returns new alerts.

    Of at least `ENOUGH` lookups more than half have to be missed. A repeat finds what is new.
    """
    this = hour_of(clock.now())
    found = [
        raise_alert(
            actor=Actor.system(NAME, bank_id=bank_id),
            merchant_id=merchant_id,
            kind=AlertKind.MISS_RATIO,
            hour=hour,
            figures={"misses": misses, "hits": hits},
        )
        for hour in (this - timedelta(hours=1), this)
        for merchant_id, bank_id, misses, hits in _missing(hour)
    ]
    return sum(alert is not None for alert in found)


def _missing(hour: datetime) -> list[tuple[int, UUID, int, int]]:
    """Merchant, bank, misses and hits of those that missed too much in an hour and have no alert of it. One query.

    A device that is found again and again is one hit: it would hide any number of guesses.
    """
    alerts = MerchantAlert.objects.filter(merchant=OuterRef("merchant"), kind=AlertKind.MISS_RATIO, hour=hour)
    seen = Sighting.objects.filter(merchant=OuterRef("merchant"), at__gte=hour, at__lt=hour + timedelta(hours=1))
    hits = seen.order_by().values("merchant").annotate(number=Count("link", distinct=True)).values("number")
    rows = LookupHour.objects.filter(hour=hour, misses__gt=ENOUGH // 2).exclude(Exists(alerts))
    rows = rows.annotate(hits=Coalesce(Subquery(hits), 0)).filter(
        misses__gt=F("hits"), misses__gte=ENOUGH - F("hits")
    )
    return list(rows.order_by("merchant_id").values_list("merchant_id", "merchant__bank_id", "misses", "hits"))


def _merchant_of(actor: Actor, alert_id: str) -> int:
    """Whose alert it is. The merchant's row is locked before its alerts are read, as lookups do."""
    try:
        key = UUID(alert_id)
    except ValueError:
        raise NotFound("There is no such alert.") from None
    visible = MerchantAlert.objects.filter(merchant__in=Merchant.objects.visible_to(actor), pk=key)
    merchant_id = visible.values_list("merchant_id", flat=True).first()
    if merchant_id is None:
        raise NotFound("There is no such alert.")
    return merchant_id
