"""Links and merchants for tests, made without events."""

from itertools import count
from typing import Any

from django.db import transaction

from devices.models import Device
from devices.tests.factories import make_application, make_device
from merchants.models import Link, LookupHour, Merchant, MerchantAlert, Phrase, Sighting
from merchants.models.links import DEVICE_ID, number_key
from merchants.operations import positions
from merchants.phrases import normal_form
from portal import vault
from portal.accounts.models import Application, Bank, User
from portal.core import clock
from portal.core.actor import Actor, ActorKind, Channel

_numbers = count(1)


def make_phrase(customer: User, text: str = "") -> Phrase:
    """The customer's phrase; the one it has already when no other text is given."""
    if not text and (own := Phrase.objects.filter(customer=customer).first()):
        return own
    phrase = Phrase(bank_id=customer.bank_id, customer=customer, made_at=clock.now())
    text = text or f"Blue heron {next(_numbers)}"
    phrase.set_text(text, normal_form(text))
    phrase.save(force_insert=True)
    return phrase


@transaction.atomic
def make_link(device: Device | None = None, customer: User | None = None, phrase: str = "", **values: Any) -> Link:
    """An open link, counted where lists are. Without a device the customer's own phone, without a customer its owner.

    device_id: as the bank sent it; else the device's own identifier. linked_at: a moment; else now.
    """
    if device is None:
        if customer is None:
            raise ValueError("a link is of a device or of a customer")
        device = make_device(customer)
    customer = customer or device.owner
    device_id = values.pop("device_id", "") or device.external_id or device.public_id
    own = Phrase.objects.filter(customer=customer).first() or make_phrase(customer, phrase)
    positions.lock(device.bank_id)
    link = Link(bank_id=device.bank_id, device=device, customer=customer, phrase=own, **values)
    link.linked_at = link.linked_at or clock.now()
    link.number_key = number_key(customer.customer_number or "")
    link.device_id_sealed = vault.seal(DEVICE_ID, link.pk, device_id)
    link.save(force_insert=True)
    positions.entered(link)
    return link


def make_merchant(bank: Bank, **values: Any) -> Merchant:
    """A merchant with its application. `application`: one that is there; the rest are the merchant's fields."""
    application = values.pop("application", None) or make_application(bank, kind="merchant", dialects=["peere"])
    values.setdefault("budget_now", values.get("budget", 100))
    return Merchant.objects.create(bank=bank, application=application, **({"made_at": clock.now()} | values))


def merchant_actor(merchant: Merchant | Application, **values: Any) -> Actor:
    application = merchant.application if isinstance(merchant, Merchant) else merchant
    return Actor(
        kind=ActorKind.MERCHANT,
        id=str(application.pk),
        label=application.name,
        channel=Channel.PEERE,
        bank_id=application.bank_id,
        application_id=application.pk,
        scopes=frozenset({"phrases:lookup"}),
        **values,
    )


def linking_actor(bank: Bank, **values: Any) -> Actor:
    """The bank's server at the door of links."""
    return Actor(
        kind=ActorKind.BANK,
        id="1",
        label=f"{bank.name} server",
        channel=Channel.PEERE,
        bank_id=bank.pk,
        application_id=1,
        scopes=frozenset({"phrases:manage"}),
        **values,
    )


def make_sighting(merchant: Merchant, link: Link, **values: Any) -> Sighting:
    defaults = {"bank_id": link.bank_id, "customer_id": link.customer_id, "at": clock.now()}
    return Sighting.objects.create(merchant=merchant, link=link, **(defaults | values))


def make_alert(merchant: Merchant, kind: str, **values: Any) -> MerchantAlert:
    now = clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    defaults = {"bank_id": merchant.bank_id, "hour": hour, "raised_at": now}
    return MerchantAlert.objects.create(merchant=merchant, kind=kind, **(defaults | values))


def make_hour(merchant: Merchant, **values: Any) -> LookupHour:
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    return LookupHour.objects.create(merchant=merchant, **({"hour": hour} | values))
