"""Where page 20,000 of the links begins: counted spans of each order, kept with every link that comes or goes."""

from typing import ClassVar

from django.db import models

from portal.accounts.models import Bank


class LinkOrder(models.TextChoices):
    """What the list can be sorted by."""

    TIME = "time"  # linked_at
    CUSTOMER = "customer"  # number_key
    DEVICE = "device"  # device_id: stable, and says nothing


class LinkTotal(models.Model):
    """How many open links a bank has. Its row's lock is what changes of a bank's spans wait for."""

    bank = models.OneToOneField(Bank, on_delete=models.PROTECT, primary_key=True, related_name="link_total")
    total = models.PositiveBigIntegerField(default=0)


class LinkSpan(models.Model):
    """A stretch of one bank's open links in one order: from `first_key`, `first_id` up to where the next one begins.

    first_key: the key as text that sorts as the column does (ISO time in UTC with microseconds, number_key, the
    UUID's 32 hexadecimal digits). The first span of an order begins at "" and the zero UUID. count: links in it now.
    """

    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+")
    order = models.CharField(max_length=10, choices=LinkOrder)
    first_key = models.CharField(max_length=512, blank=True)
    first_id = models.UUIDField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="link_span_order_known", condition=models.Q(order__in=LinkOrder.values)),
            models.UniqueConstraint(fields=["bank", "order", "first_key", "first_id"], name="link_span_once"),
        ]
