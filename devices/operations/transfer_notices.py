"""Messages to the two people of a transfer."""

from typing import Final

from django.template.loader import render_to_string

from devices.models import Transfer
from devices.operations.pushes import push_to_owner
from portal.accounts.models import User
from portal.accounts.operations.people import contact_of
from portal.core import clock
from portal.outbox import operations as outbox
from portal.outbox.models import MessageKind

SUBJECTS: Final = {
    "requested": "Somebody asked to move a device to another owner",
    "code": "A device is offered to you",
    "ended": "A device stays where it is",
    "given": "A device has moved to another owner",
    "received": "A device is yours now",
}

PUSHED: Final = frozenset({"requested", "given", "received"})  # what the person's other devices show at once, too


def tell(person: User, what: str, transfer: Transfer) -> None:
    """Write a notice to the contact on file, by e-mail or else by SMS. Nobody to tell: nothing is written."""
    if what in PUSHED:
        push_to_owner(person, transfer.device, template=f"transfer-{what}", title=SUBJECTS[what])
    contact = contact_of(person)
    if contact.email:
        _write(person, what, transfer, MessageKind.EMAIL, contact.email)
    elif contact.phone:
        _write(person, what, transfer, MessageKind.SMS, contact.phone)


def send_code(transfer: Transfer, code: str) -> bool:
    """Write the acceptance code to the new owner's contact on file, by SMS or else by e-mail.

    Returns False, and writes nothing, when there is none.
    """
    contact = contact_of(transfer.new_owner)
    if not contact.phone and not contact.email:
        return False
    kind = MessageKind.SMS if contact.phone else MessageKind.EMAIL
    _write(transfer.new_owner, "code", transfer, kind, contact.phone or contact.email, code=code)
    return True


def tell_that_it_ended(transfer: Transfer) -> None:
    """Tell the old owner, and the new one if the code went out."""
    tell(transfer.old_owner, "ended", transfer)
    if transfer.code_digest:
        tell(transfer.new_owner, "ended", transfer)


def _write(person: User, what: str, transfer: Transfer, kind: MessageKind, recipient: str, **more: object) -> None:
    context = {"name": person.name, "transfer": transfer, "device": transfer.device, "at": clock.now(), **more}
    outbox.write(
        bank_id=transfer.bank_id,
        kind=kind,
        recipient=recipient,
        template=f"transfer-{what}",
        subject=SUBJECTS[what],
        body=render_to_string(f"devices/notices/transfer-{what}.txt", context).strip(),
        about=transfer.device,
    )
