"""What is known of a device because the bank issued it."""

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from devices.models.device import Device
from portal.accounts.models import Bank


class CardKind(models.TextChoices):
    DEBIT = "debit-card", "Debit card"
    CREDIT = "credit-card", "Credit card"
    PREPAID = "prepaid-card", "Prepaid card"
    CHARGE = "charge-card", "Charge card"
    STORED_VALUE = "stored-value-card", "Stored-value card"


class IssuedDetails(models.Model):
    """The issued part of a card or token. A full card number is nowhere: only its first six and last four digits.

    reference: the bank's own (a token reference of its card system, a serial number), unique in the bank. The card
    fields are empty for other kinds. replaces: the device that this one was issued instead of.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="issued")
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+")
    reference = models.CharField(max_length=64, blank=True)
    capabilities = models.JSONField(default=list)
    delivered_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    card_kind = models.CharField(max_length=20, choices=CardKind, blank=True)
    card_brand = models.CharField(max_length=40, blank=True)
    cardholder_name = models.CharField(max_length=64, blank=True)
    number_start = models.CharField(max_length=6, blank=True)
    number_end = models.CharField(max_length=4, blank=True)
    is_primary = models.BooleanField(null=True, blank=True)
    replaces = models.OneToOneField(
        Device, on_delete=models.PROTECT, null=True, blank=True, related_name="replaced_by"
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="issued_card_kind_known", condition=Q(card_kind="") | Q(card_kind__in=CardKind.values)
            ),
            models.CheckConstraint(
                name="issued_replaces_another",
                condition=Q(replaces__isnull=True) | ~Q(replaces=F("device")),
            ),
            models.UniqueConstraint(
                fields=["bank", "reference"], name="issued_reference_unique", condition=~Q(reference="")
            ),
        ]

    def has_expired(self, today: date) -> bool:
        """Whether its last day has passed; it may be used until the end of that day."""
        return self.expires_on is not None and self.expires_on < today

    @property
    def masked_number(self) -> str:
        """`123456••••••7890`, or "" for what is no card."""
        return f"{self.number_start}••••••{self.number_end}" if self.number_end else ""
