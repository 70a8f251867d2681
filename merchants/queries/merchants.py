"""Merchants as staff look at them: what they may, what they do now and did before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, TruncHour

from merchants.models import BUDGET, LookupHour, Merchant, MerchantAlert, Sighting, hour_of
from portal.accounts.models import Application, ApplicationKind
from portal.accounts.policies import require_capability
from portal.accounts.roles import Capability
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.core.pages import Page
from portal.keyset import keyset_page

PAGE_SIZE: Final = 50
SHOWN_HOURS: Final = 72
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Standing:
    """A merchant now. hits, misses, refused: of this hour. last_hit_at: when it was told of somebody last."""

    client: Application
    budget: int
    budget_now: int
    plain_ids: bool
    hits: int
    misses: int
    refused: int
    open_alerts: int
    last_hit_at: datetime | None

    @property
    def client_id(self) -> str:
        return str(self.client.client_id)

    @property
    def name(self) -> str:
        return str(self.client.name)

    @property
    def is_suspended(self) -> bool:
        return self.client.suspended_at is not None

    @property
    def left(self) -> int:
        """Lookups that may still find nothing in this hour."""
        return max(0, self.budget_now - self.misses)


@dataclass(frozen=True)
class Hour:
    """What happened in an hour: lookups that found somebody, that found nothing, that were refused unread."""

    hour: datetime
    hits: int = 0
    misses: int = 0
    refused: int = 0


def list_merchants(actor: Actor, *, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[Standing]:
    """The bank's merchants by name, each with its hour and its open alerts. One query. Raises Forbidden."""
    page = keyset_page(_standing(actor), cursor, fields=("name", "client_id"), size=size, ascending=True)
    return Page(tuple(map(_read, page.items)), page.next_cursor, page.previous_cursor)


def merchant_of(actor: Actor, client_id: str) -> Standing:
    """One of them. One query. Raises Forbidden, NotFound."""
    found = _standing(actor).filter(client_id=client_id).first()
    if found is None:
        raise NotFound("There is no such merchant.")
    return _read(found)


def hours_of(actor: Actor, client_id: str = "", *, hours: int = SHOWN_HOURS) -> tuple[Hour, ...]:
    """The last hours of one merchant, or of all of the bank's, oldest first; the last one is the present hour.

    Hours in which nothing happened are there, too. Two queries, one more for a merchant. Raises Forbidden, NotFound.
    """
    chosen = _chosen(actor, client_id)
    now = hour_of(clock.now())
    slots = [now - HOUR * ago for ago in reversed(range(hours))]
    seen = Sighting.objects.filter(merchant__in=chosen, at__gte=slots[0])
    hits = dict(
        seen.annotate(slot=TruncHour("at", tzinfo=UTC))
        .values("slot")
        .annotate(number=Count("pk"))
        .order_by("slot")
        .values_list("slot", "number")
    )
    counted = LookupHour.objects.filter(merchant__in=chosen, hour__gte=slots[0]).order_by("hour").values("hour")
    sums = counted.annotate(missed=Sum("misses"), over=Sum("refused")).values_list("hour", "missed", "over")
    missed = {hour: (misses, refused) for hour, misses, refused in sums}
    return tuple(Hour(slot, hits.get(slot, 0), *missed.get(slot, (0, 0))) for slot in slots)


def open_alerts(actor: Actor, client_id: str = "", *, most: int = PAGE_SIZE) -> list[MerchantAlert]:
    """Alerts that nobody has looked at, newest first: of the bank, or of one merchant. Raises Forbidden, NotFound."""
    rows = _alerts(actor, client_id).filter(reviewed_at=None)
    return list(rows.order_by("-raised_at", "-pk")[:most])


def alerts_of(
    actor: Actor, client_id: str = "", *, cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[MerchantAlert]:
    """All alerts, looked at or not, newest first. Raises Forbidden, NotFound."""
    return keyset_page(_alerts(actor, client_id), cursor, fields=("raised_at", "id"), size=size)


def alert_of(actor: Actor, alert_id: str) -> MerchantAlert:
    """One alert. Raises Forbidden, NotFound."""
    found = _alerts(actor, "").filter(pk=alert_id).first()
    if found is None:
        raise NotFound("There is no such alert.")
    return found


def _require(actor: Actor) -> None:
    require_capability(actor, Capability.MERCHANTS_READ)


def merchant_clients(actor: Actor) -> QuerySet[Application]:
    """The applications of the bank's merchants. Raises Forbidden."""
    _require(actor)
    return Application.objects.visible_to(actor).filter(kind=ApplicationKind.MERCHANT)


def _standing(actor: Actor) -> QuerySet[Application]:
    """Clients with everything that `_read` looks at; those without a merchant's row are there, too."""
    hour = hour_of(clock.now())
    counts = LookupHour.objects.filter(merchant=OuterRef("pk"), hour=hour)
    seen = Sighting.objects.filter(merchant=OuterRef("pk"))
    alerts = MerchantAlert.objects.filter(merchant=OuterRef("pk"), reviewed_at=None)
    return (
        merchant_clients(actor)
        .select_related("merchant", "bank")
        .annotate(
            hits=_number(seen.filter(at__gte=hour)),
            misses=Coalesce(Subquery(counts.values("misses")), 0),
            refused=Coalesce(Subquery(counts.values("refused")), 0),
            open_alerts=_number(alerts),
            last_hit_at=Subquery(seen.order_by("-at", "-id").values("at")[:1]),
        )
    )


def _number(rows: "QuerySet[Sighting] | QuerySet[MerchantAlert]") -> Coalesce:
    return Coalesce(Subquery(rows.order_by().values("merchant").annotate(number=Count("pk")).values("number")), 0)


def _read(client: Application) -> Standing:
    merchant: Merchant | None = getattr(client, "merchant", None)
    counted = ("hits", "misses", "refused", "open_alerts", "last_hit_at")
    return Standing(
        client=client,
        budget=merchant.budget if merchant else BUDGET,
        budget_now=merchant.budget_now if merchant else BUDGET,
        plain_ids=merchant is not None and merchant.plain_ids,
        **{name: getattr(client, name) for name in counted},
    )


def key_of(actor: Actor, client_id: str) -> int:
    """The primary key of a merchant. Raises Forbidden, NotFound."""
    key = merchant_clients(actor).filter(client_id=client_id).values_list("pk", flat=True).first()
    if key is None:
        raise NotFound("There is no such merchant.")
    return int(key)


def _chosen(actor: Actor, client_id: str) -> "Iterable[int] | QuerySet[Merchant]":
    """One merchant of the bank, or all of them."""
    if client_id:
        return [key_of(actor, client_id)]
    _require(actor)
    return Merchant.objects.visible_to(actor)


def _alerts(actor: Actor, client_id: str) -> QuerySet[MerchantAlert]:
    """Those of one merchant, or of the bank."""
    rows = MerchantAlert.objects.select_related("merchant__application")
    if client_id:
        return rows.filter(merchant_id=key_of(actor, client_id))
    _require(actor)
    if actor.bank_id is None:
        return rows if actor.is_system else rows.none()
    return rows.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_system else rows.none()
