"""Activation codes: what lets a customer's first device in, besides the identity provider's word.

Eight digits, one open code per customer. A try is counted before the answer; the fifth is the last.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string

from devices.policies.verdicts import capability_of
from portal import vault
from portal.accounts import policies
from portal.accounts.models import User
from portal.accounts.operations.people import contact_of
from portal.accounts.queries import claimed_customer
from portal.accounts.roles import Capability
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.errors import Forbidden, InvalidState, NotFound, RateLimited, VerificationFailed
from portal.crypto.codes import new_digits, same
from portal.outbox import operations as outbox
from portal.outbox.models import MessageKind
from twofa.models import CODE_TRIES, ActivationCode, EnrolmentPolicy

# Our own policy. One guess in twenty million per code, and five codes an hour at most.
CODE_DIGITS: Final = 8
LIFETIME: Final = timedelta(hours=24)
MOST: Final = 5
WINDOW: Final = timedelta(hours=1)


@dataclass(frozen=True)
class IssuedCode:
    """code: only when it is to be handed over in person, now and never again; else ""."""

    row: ActivationCode
    code: str = ""


@transaction.atomic
def issue_activation_code(*, actor: Actor, customer_id: str, in_person: bool = False, reason: str = "") -> IssuedCode:
    """Let a customer enrol a first device, within 24 hours. A newer code voids the older.

    customer_id: `USR_…` or the bank's number. The code goes to the contact on file, by SMS or else by e-mail;
    in_person: it is returned instead, where the bank's policy allows that. reason: up to 500 characters; staff must
    give one. Raises Forbidden (`capability-missing`, `not-in-person`), InvalidInput, InvalidState (`no-contact`,
    `customer-suspended`), RateLimited `too-many-codes`.
    """
    capability_of(actor, Capability.DEVICES_ISSUE).require()
    policies.require_reason(reason, needed=actor.is_staff)
    customer = claimed_customer(actor, customer_id, lock=True)
    if not customer.is_active:
        raise InvalidState("The customer is suspended.", code="customer-suspended")
    if in_person and not _hands_over(customer):
        raise Forbidden("Your bank does not let staff hand over codes.", code="not-in-person")
    _require_few(customer)
    row, code = _renewed(actor, customer, in_person)
    if not in_person:
        _send(row, code)
    details = {"customer": customer.public_id, "in_person": in_person}
    audit.record(actor, Event.ACTIVATION_CODE_ISSUED, row, reason=reason, details=details)
    return IssuedCode(row, code if in_person else "")


@transaction.atomic
def cancel_activation_code(*, actor: Actor, code_id: str, reason: str) -> ActivationCode:
    """Take a code back before somebody uses it. One that opens nothing any more stays as it is, without an event.

    code_id: `ACT_…`. reason: 1 to 500 characters. Raises Forbidden, InvalidInput, NotFound, InvalidState `code-used`.
    """
    capability_of(actor, Capability.DEVICES_ISSUE).require()
    policies.require_reason(reason)
    row = _locked(actor, code_id)
    if row.used_at is not None:
        raise InvalidState("A device was enrolled with this code. Deactivate the device instead.", code="code-used")
    if not ActivationCode.objects.open().filter(pk=row.pk).exists():
        return row
    row.closed_at, row.cancelled_by = clock.now(), actor.label[:200]
    row.save(update_fields=["closed_at", "cancelled_by"])
    details = {"customer": row.customer.public_id}
    audit.record(actor, Event.ACTIVATION_CODE_CANCELLED, row, reason=reason, details=details)
    return row


def try_code(actor: Actor, customer: User, code: str) -> ActivationCode:
    """The customer's open code, when this is it; the try is counted either way. Not inside a transaction.

    Raises VerificationFailed `activation-code-wrong`, the same where there is no open code.
    """
    with transaction.atomic(durable=True):
        User.objects.select_for_update(no_key=True).get(pk=customer.pk)
        row = ActivationCode.objects.open().filter(customer=customer).first()
        right = row is not None and same(code_digest(row, code), row.code_digest)
        if row is not None:
            ActivationCode.objects.filter(pk=row.pk).update(tries=F("tries") + 1)
        if not right:
            tried = {"tries": row.tries + 1, "closed": _closed(row)} if row is not None else {}
            details = {"customer": customer.public_id, **tried}
            audit.record_refusal(
                actor, Event.ACTIVATION_CODE_REFUSED, row, code="activation-code-wrong", details=details
            )
    if row is None or not right:
        refusal = VerificationFailed("The activation code is not right.", code="activation-code-wrong")
        refusal.audited = True
        raise refusal
    return row


def _closed(row: ActivationCode) -> bool:
    """Whether this wrong try was the last, which ends the code."""
    spent = ActivationCode.objects.filter(pk=row.pk, tries__gte=CODE_TRIES)
    return bool(spent.update(closed_at=clock.now()))


def use_code(actor: Actor, row: ActivationCode) -> None:
    """End a code by its use, in the transaction of the enrolment, the customer locked. Raises VerificationFailed."""
    now = clock.now()
    unused = ActivationCode.objects.filter(pk=row.pk, closed_at__isnull=True, expires_at__gt=now)
    if not unused.update(used_at=now, closed_at=now):
        raise VerificationFailed("The activation code is not right.", code="activation-code-wrong")
    audit.record(actor, Event.ACTIVATION_CODE_USED, row, details={"customer": row.customer.public_id})


def code_digest(row: ActivationCode, code: str) -> str:
    """What is kept of a code: keyed, and good for this row only."""
    return vault.digest("activation_code", row.pk, code)


def _hands_over(customer: User) -> bool:
    return EnrolmentPolicy.objects.filter(bank_id=customer.bank_id, in_person=True).exists()


def _require_few(customer: User) -> None:
    since = clock.now() - WINDOW
    recent = ActivationCode.objects.filter(customer=customer, created_at__gt=since).order_by("-created_at")
    made = list(recent.values_list("created_at", flat=True)[:MOST])
    if len(made) == MOST:
        seconds = int((made[-1] - since).total_seconds()) + 1
        raise RateLimited("Too many codes for this customer.", code="too-many-codes", retry_after=seconds)


def _locked(actor: Actor, code_id: str) -> ActivationCode:
    """The customer's lock first, as everywhere: a code is used under it."""
    rows = ActivationCode.objects.visible_to(actor).select_related("customer")
    try:
        found = rows.filter(pk=ids.read("ACT", code_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound("There is no such code.")
    User.objects.select_for_update(no_key=True).get(pk=found.customer_id)
    return rows.select_for_update(of=("self",)).get(pk=found.pk)


def _renewed(actor: Actor, customer: User, in_person: bool) -> tuple[ActivationCode, str]:
    now = clock.now()
    ActivationCode.objects.filter(customer=customer, closed_at__isnull=True).update(closed_at=now)
    row = ActivationCode(bank_id=customer.bank_id, customer=customer, in_person=in_person)
    row.issued_by = actor.label[:200]
    code = new_digits(CODE_DIGITS)
    row.code_digest, row.created_at, row.expires_at = code_digest(row, code), now, now + LIFETIME
    row.save(force_insert=True)
    return row, code


def _send(row: ActivationCode, code: str) -> None:
    contact = contact_of(row.customer)
    if not (contact.phone or contact.email):
        raise InvalidState("No contact of this customer is on file.", code="no-contact")
    context = {"name": row.customer.name, "code": code, "until": row.expires_at, "tries": CODE_TRIES}
    outbox.write(
        bank_id=row.bank_id,
        kind=MessageKind.SMS if contact.phone else MessageKind.EMAIL,
        recipient=contact.phone or contact.email,
        template="activation-code",
        subject="Your activation code",
        body=render_to_string("twofa/notices/activation-code.txt", context).strip(),
        about=row.customer,
    )
