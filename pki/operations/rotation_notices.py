"""Asking a device for a new key: a push to that very device, else a message to its owner."""

from django.template.loader import render_to_string

from pki.models import Rotation
from portal.accounts.operations.people import contact_of
from portal.core import clock
from portal.outbox import operations as outbox
from portal.outbox.gateways import pushes_to
from portal.outbox.models import MessageKind
from portal.outbox.recipients import push_recipient

SUBJECT = "A device has to renew its certificate"
TEMPLATE = "certificate-key-needed"


def ask_for_key(rotation: Rotation) -> bool:
    """In the transaction that decides it. Returns whether anybody could be told."""
    kind, recipient = _way_to(rotation)
    if not recipient:
        return False
    device = rotation.device
    body = device.label if kind == MessageKind.PUSH else _letter(rotation)
    outbox.write(
        bank_id=rotation.bank_id,
        kind=kind,
        recipient=recipient,
        template=TEMPLATE,
        subject=SUBJECT,
        body=body,
        about=device,
    )
    return True


def _way_to(rotation: Rotation) -> tuple[MessageKind, str]:
    device = rotation.device
    expires = device.push_expires_at
    if device.push_platform and expires and expires > clock.now() and pushes_to(device.push_platform):
        return MessageKind.PUSH, push_recipient(device.push_platform, device.push_handle)
    contact = contact_of(device.owner)
    if contact.email:
        return MessageKind.EMAIL, contact.email
    return MessageKind.SMS, contact.phone


def _letter(rotation: Rotation) -> str:
    facts = {"device": rotation.device, "name": rotation.device.owner.name, "until": rotation.due_at}
    return render_to_string("pki/notices/key-needed.txt", facts).strip()
