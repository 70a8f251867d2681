"""Phrases and the devices that stand for them."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from devices.models import Device
from merchants.states import EndReason
from portal import indexes, vault
from portal.accounts.models import Bank, User
from portal.core import ids
from portal.core.actor import Actor

PHRASE, DEVICE_ID = "phrase.text", "link.device_id"


class Phrase(models.Model):
    """A customer's phrase: one at a time, nobody else's in the bank. It lives as long as a device is linked to it.

    The text is sealed; `text_index` and `text_index_next` find its normal form (`merchants.phrases`).
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="phrases")
    customer = models.OneToOneField(User, on_delete=models.PROTECT, related_name="phrase")
    text_sealed = models.TextField()
    text_index = models.CharField(max_length=64)
    text_index_next = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bank", "text_index"], name="phrase_unique_in_bank"),
            models.UniqueConstraint(fields=["bank", "text_index_next"], name="phrase_next_unique_in_bank"),
        ]

    def __str__(self) -> str:
        return f"phrase {self.pk}"

    @property
    def text(self) -> str:
        """The phrase as it was sent first, unsealed."""
        return vault.unseal(PHRASE, self.pk, self.text_sealed)

    def set_text(self, text: str, normal: str) -> None:
        """Seal the text; `normal` is its normal form, by which it is found."""
        self.text_sealed = vault.seal(PHRASE, self.pk, text)
        self.text_index, self.text_index_next = indexes.to_write(PHRASE, self.bank_id, normal)


class LinkQuerySet(models.QuerySet["Link"]):
    def visible_to(self, actor: Actor) -> Self:
        """All of the bank, for its staff and its server; others see none."""
        if actor.is_system and actor.bank_id is None:
            return self
        return (
            self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_bank or actor.is_system else self.none()
        )

    def open(self) -> Self:
        return self.filter(ended_at=None)


class Link(models.Model):
    """A device that stands for a customer's phrase. Open as long as `ended_at` is null; a device has one open link.

    device_id_sealed: the device's id as the bank sent it. number_key: the customer's number as hexadecimal UTF-8,
    which sorts alike in every database; it follows corrections of the number.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="links")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="links")
    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="links")
    phrase = models.ForeignKey(Phrase, on_delete=models.PROTECT, related_name="links", null=True, blank=True)
    device_id_sealed = models.TextField(blank=True)
    number_key = models.CharField(max_length=512)
    linked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=10, choices=EndReason, blank=True)

    objects: ClassVar[models.Manager["Link"]] = LinkQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="link_open_or_ended",
                condition=(Q(ended_at__isnull=True, phrase__isnull=False, end_reason="") & ~Q(device_id_sealed=""))
                | Q(
                    ended_at__isnull=False,
                    phrase__isnull=True,
                    device_id_sealed="",
                    end_reason__in=EndReason.values,
                ),
            ),
            models.UniqueConstraint(
                fields=["device"], name="link_device_linked_once", condition=Q(ended_at__isnull=True)
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "linked_at", "id"], name="link_by_time", condition=Q(ended_at__isnull=True)),
            models.Index(
                fields=["bank", "number_key", "id"], name="link_by_customer", condition=Q(ended_at__isnull=True)
            ),
            models.Index(fields=["bank", "device", "id"], name="link_by_device", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["ended_at"], name="link_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"

    @property
    def device_id_text(self) -> str:
        """The device's id as the bank sent it, unsealed; "" once the link has ended."""
        return vault.unseal(DEVICE_ID, self.pk, self.device_id_sealed)


def number_key(customer_number: str) -> str:
    """The form in which customer numbers are sorted and searched by their beginning."""
    return customer_number.encode().hex()
