"""Messages about a request: what is asked to the destination, what became of it to the source and to who asked.

The push gateway gives them to the applications as data: the template's last part is `hyphen:type`, the body
`hyphen:data`. A device without a handle is left out, and so is one whose service is not set up here.
"""

from typing import Final

from django.utils.module_loading import import_string

from devices.models import Device, PushPlatform
from portal.accounts.operations.client_webhooks import recipient_of
from portal.core import clock
from portal.outbox import operations as outbox
from portal.outbox.gateways import pushes_to
from portal.outbox.models import MessageKind
from portal.outbox.recipients import push_recipient
from twofa.models import TwoFactorRequest
from twofa.operations.new_devices import handle_of

# Named, not imported: how the applications read a request is the business of the door that they use.
BODY: Final = "portal.api.hyphen.pushing.body_for"
ASKED, CHANGED = "hyphen:2fa-request", "hyphen:2fa-status-change"
ANSWERED: Final = "Your request was answered"
NOTICE: Final = "portal.api.hyphen.pushing.notice_for"


def tell_destination(request: TwoFactorRequest) -> None:
    """In the transaction that asks; the request as `whole` reads it, or as it was just made."""
    _push(request, request.destination, ASKED, "Is this you?")


def tell_source(request: TwoFactorRequest) -> None:
    """In the transaction that closes it: the device that asked, or the new one that waits to be let in."""
    if request.source is not None:
        _push(request, request.source, CHANGED, ANSWERED)
    elif request.session_id is not None and (handle := handle_of(request)):
        _send(request, None, PushPlatform.GCM, handle, CHANGED, ANSWERED)


def tell_application(request: TwoFactorRequest) -> None:
    """In the transaction that closes it: who asked learns that it is over, where it has named an address for that.

    The request's application has to be read with it.
    """
    if recipient := recipient_of(request.application):
        outbox.write(
            bank_id=request.bank_id,
            kind=MessageKind.WEBHOOK,
            recipient=recipient,
            template="2fa-status-change",
            body=import_string(NOTICE)(request),
            about=request,
        )


def _push(request: TwoFactorRequest, device: Device, template: str, title: str) -> None:
    if device.push_expires_at is not None and device.push_expires_at > clock.now():
        _send(request, device, device.push_platform, device.push_handle, template, title)


def _send(
    request: TwoFactorRequest, device: Device | None, platform: str, handle: str, template: str, title: str
) -> None:
    """device: as whom it is read; None for one that is not registered yet."""
    if not pushes_to(platform):
        return
    outbox.write(
        bank_id=request.bank_id,
        kind=MessageKind.PUSH,
        recipient=push_recipient(platform, handle),
        template=template,
        subject=title,
        body=import_string(BODY)(request, device),
        about=request,
    )
