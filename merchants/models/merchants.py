"""Merchants: what their applications may look up, how often, and what they saw."""

from datetime import UTC, datetime
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from merchants.models.links import Link
from merchants.states import AlertKind
from portal.accounts.models import Application, Bank, User
from portal.core import clock, ids
from portal.core.actor import Actor

BUDGET: Final = 100  # misses an hour, the contract's default
MOST: Final = 100_000  # misses an hour that staff can allow
LEAST: Final = 10  # misses an hour that alerts leave to a merchant whose budget has so many


def hour_of(moment: datetime) -> datetime:
    """The first moment of the hour in which lookups of this moment are counted, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class MerchantQuerySet(models.QuerySet["Merchant"]):
    def visible_to(self, actor: Actor) -> Self:
        """The bank's merchants, for its staff; a merchant does not see itself."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_system else self.none()

    def locked(self) -> Self:
        """Rows that stay as they are until the transaction ends; sightings may still be written."""
        return self.select_related("application").select_for_update(no_key=True, of=("self",))

    def ensure(self, application_id: int, bank_id: UUID) -> None:
        """Make the row of a merchant whose application was made without one. A repeat changes nothing."""
        row = Merchant(application_id=application_id, bank_id=bank_id, made_at=clock.now())
        self.bulk_create([row], ignore_conflicts=True)


class Merchant(models.Model):
    """What a bank decided about one merchant's application. Made with it, or at its first lookup.

    budget: misses an hour that it may have. budget_now: what is left of that after alerts; back to `budget` when
    staff have looked at them. plain_ids: whether it is told the bank's customer numbers instead of pseudonyms.
    """

    application = models.OneToOneField(
        Application, on_delete=models.PROTECT, primary_key=True, related_name="merchant"
    )
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="merchants")
    budget = models.PositiveIntegerField(default=BUDGET)
    budget_now = models.PositiveIntegerField(default=BUDGET)
    plain_ids = models.BooleanField(default=False)
    made_at = models.DateTimeField()

    objects = MerchantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="merchant_budget_bounded",
                condition=Q(budget__gte=1, budget__lte=MOST, budget_now__gte=1, budget_now__lte=F("budget")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.application.name)

    def has_open_alerts(self) -> bool:
        """Whether somebody has to look at something it did."""
        return self.alerts.filter(reviewed_at=None).exists()


class LookupHour(models.Model):
    """What a merchant missed in one hour. hour: its first moment, UTC. refused: calls beyond the budget."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    misses = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "hour"], name="lookup_hour_once")]
        indexes: ClassVar = [models.Index(fields=["hour"], name="lookup_hour_by_time")]


class SightingQuerySet(models.QuerySet["Sighting"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of the bank's merchants, for its staff."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_system else self.none()


class Sighting(models.Model):
    """A merchant was told of a customer. Its indexes begin with what it points at, so that no key needs its own."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="sightings", db_index=False)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="sightings")
    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="sightings", db_index=False)
    at = models.DateTimeField()

    objects: ClassVar[models.Manager["Sighting"]] = SightingQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["merchant", "-at", "-id"], name="sighting_by_merchant"),
            models.Index(fields=["customer", "-at", "-id"], name="sighting_by_customer"),
            models.Index(fields=["bank", "-at", "-id"], name="sighting_by_bank"),
        ]


class MerchantAlert(models.Model):
    """Something about a merchant that staff should look at; one of a kind in an hour.

    figures: what was counted, by name. reviewed_by: who looked at it, as text, which outlives the account.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="alerts")
    kind = models.CharField(max_length=16, choices=AlertKind)
    hour = models.DateTimeField()
    raised_at = models.DateTimeField()
    figures = models.JSONField(default=dict)
    reviewed_by = models.CharField(max_length=200, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="merchant_alert_kind_known", condition=Q(kind__in=AlertKind.values)),
            models.CheckConstraint(
                name="merchant_alert_review_whole",
                condition=Q(reviewed_at=None, reviewed_by="") | (Q(reviewed_at__isnull=False) & ~Q(reviewed_by="")),
            ),
            models.UniqueConstraint(fields=["merchant", "kind", "hour"], name="merchant_alert_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-raised_at", "-id"], name="merchant_alert_by_bank"),
        ]
