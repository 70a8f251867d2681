"""Linking devices to customers' phrases, and cutting links: what a bank tells us, and its staff correct.

Locks, always in this order: the device's row, the phrase's, the bank's total of links, the links'.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from merchants import policies
from merchants.models import Link, Phrase
from merchants.models.links import DEVICE_ID, PHRASE, number_key
from merchants.operations import positions
from merchants.operations.ending import end
from merchants.operations.naming import require_device_id, unknown
from merchants.phrases import normal_form
from merchants.queries.links import find_link
from merchants.states import EndReason
from portal import indexes, vault
from portal.accounts.models import User
from portal.accounts.policies import require_reason
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.texts import line_problems
from portal.races import retried_on_conflict

LONGEST_CUSTOMER_ID: Final = 64


@dataclass(frozen=True)
class _Asked:
    """A call's three fields, each of a good form. found: the digests under which the phrase may stand."""

    bank_id: UUID
    customer_id: str
    phrase: str
    normal: str
    device_id: str

    @property
    def found(self) -> list[str]:
        return indexes.to_find(PHRASE, self.bank_id, self.normal)


@retried_on_conflict
def link_device(*, actor: Actor, customer_id: str, phrase: str, device_id: str, reason: str = "") -> Link:
    """Let a device stand for a customer's phrase. The same again returns the link, and writes nothing.

    customer_id: the bank's number or `USR_…`; the customer need not own the device. phrase: see `merchants.phrases`.
    device_id: any of the device's ids. reason: up to 500 characters; staff must give one. Raises Forbidden,
    InvalidInput (`device_id`, `phrase`, `customer_id`, `reason`), NotFound, the same for device and customer, and
    Conflict (`device-linked`, `phrase-in-use`), which names nobody.
    """
    bank_id = policies.require_links(actor)
    reason = require_reason(reason, needed=actor.is_staff)
    asked = _read(bank_id, customer_id, phrase, device_id)
    device, customer = _known(actor, asked)
    link = _open_link(device)
    if link is not None and link.customer_id != customer.pk:
        raise Conflict("Device already linked to another customer", code="device-linked")
    own = _phrase_of(asked, customer)
    if link is not None:
        return link
    own = own or _new_phrase(asked, customer)
    positions.lock(bank_id)
    link = _made(device, customer, own, asked.device_id)
    positions.entered(link)
    details = {"link": str(link.pk), "customer": customer.public_id}
    audit.record(actor, Event.LINK_MADE, device, reason=reason, details=details)
    return link


@transaction.atomic
def unlink_device(*, actor: Actor, customer_id: str, phrase: str, device_id: str, reason: str = "") -> Link:
    """Cut the link that these three name together. Lookups miss from then on; a repeat finds none.

    The arguments are as in `link_device`. Raises Forbidden, InvalidInput, and NotFound, the same whichever is wrong.
    """
    bank_id = policies.require_links(actor)
    reason = require_reason(reason, needed=actor.is_staff)
    asked = _read(bank_id, customer_id, phrase, device_id)
    device, customer = _known(actor, asked)
    link = _open_link(device)
    if link is None or link.customer_id != customer.pk or not _stands_for(link, asked):
        raise unknown()
    return end(actor, link, EndReason.CUT, reason)


@transaction.atomic
def cut_link(*, actor: Actor, link_id: str, reason: str) -> Link:
    """Cut a link that is named by its own id. One that has ended stays as it is, without an event.

    reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound.
    """
    policies.require_links(actor)
    reason = require_reason(reason)
    found = find_link(actor, link_id)
    Device.objects.select_for_update(of=("self",)).get(pk=found.device_id)
    link = Link.objects.select_related("device", "customer").get(pk=found.pk)
    return end(actor, link, EndReason.CUT, reason) if link.ended_at is None else link


def _read(bank_id: UUID, customer_id: str, phrase: str, device_id: str) -> _Asked:
    require_device_id(device_id)
    normal = normal_form(phrase)
    if problems := line_problems("customer_id", customer_id, longest=LONGEST_CUSTOMER_ID, required=True):
        raise InvalidInput(fields=tuple(problems))
    return _Asked(bank_id, customer_id, phrase, normal, device_id)


def _known(actor: Actor, asked: _Asked) -> tuple[Device, User]:
    """The device, its row locked, and the customer. Both have to be the bank's; a retired device is not known."""
    try:
        device = Device.objects.visible_to(actor).in_use().for_change(asked.device_id, asked.bank_id)
        return device, User.objects.visible_to(actor).named(asked.customer_id)
    except NotFound:
        raise unknown() from None


def _open_link(device: Device) -> Link | None:
    """Nobody else makes or ends one: the device is locked."""
    return Link.objects.open().select_related("phrase").filter(device=device).first()


def _stands_for(link: Link, asked: _Asked) -> bool:
    return link.phrase is not None and link.phrase.text_index in asked.found


def _phrase_of(asked: _Asked, customer: User) -> Phrase | None:
    """The customer's phrase, its row locked; None where it has none and may have this one."""
    own = Phrase.objects.select_for_update(of=("self",)).filter(customer=customer).first()
    if own is not None:
        taken = own.text_index not in asked.found
    else:
        taken = Phrase.objects.filter(bank_id=asked.bank_id, text_index__in=asked.found).exists()
    if taken:
        raise Conflict("Phrase already in use", code="phrase-in-use")
    return own


def _new_phrase(asked: _Asked, customer: User) -> Phrase:
    phrase = Phrase(bank_id=asked.bank_id, customer=customer, made_at=clock.now())
    phrase.set_text(asked.phrase, asked.normal)
    phrase.save(force_insert=True)
    return phrase


def _made(device: Device, customer: User, phrase: Phrase, device_id: str) -> Link:
    """The customer's number is read under the lock of the total, which a correction of it takes too."""
    number = User.objects.values_list("customer_number", flat=True).get(pk=customer.pk)
    link = Link(bank_id=device.bank_id, device=device, customer=customer, phrase=phrase, linked_at=clock.now())
    link.number_key = number_key(number or "")
    link.device_id_sealed = vault.seal(DEVICE_ID, link.pk, device_id)
    link.save(force_insert=True)
    return link
