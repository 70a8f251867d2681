"""What a request shows and what is signed: sealed at rest, made anew in every round."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from django.conf import settings

from devices.models import DeviceKey
from portal import vault
from portal.core import clock, ids
from twofa.messages import Shown, described, message_for
from twofa.models import TwoFactorRequest
from twofa.states import Proof

CONTENT: Final = "twofa.content"
MESSAGE: Final = "twofa.message"
NONCE_BYTES: Final = 16
NUMBERS: Final = 100  # two digits


@dataclass(frozen=True, kw_only=True)
class Content:
    """operation: `userOpInfo`. text: what the caller passed as message. source, destination: the device that waits
    and the one that is asked, as they were described then. app: who asked, `appId` and `appName` as they were then.
    """

    operation: Mapping[str, object]
    text: str
    source: Mapping[str, str] | None
    destination: Mapping[str, str] | None = None
    app: Mapping[str, str] | None = None


def content_of(request: TwoFactorRequest) -> Content:
    return Content(**json.loads(vault.unseal(CONTENT, request.pk, request.content_sealed)))


def message_of(request: TwoFactorRequest) -> str:
    """The text that the destination signs, as it was made for this round."""
    return vault.unseal(MESSAGE, request.pk, request.message_sealed)


def new_round(request: TwoFactorRequest, content: Content, key: DeviceKey) -> str:
    """A new request id, end, message and number for the row in hand: what was signed before is dead.

    key: of its destination, which is described as it is now, and so is who asks. The end is never past the request's
    cap. Returns the number for the waiting side, "" where none is matched.
    """
    request.request_id = ids.new_id()
    request.expires_at = min(clock.now() + timedelta(seconds=request.application.request_seconds), request.cap_at)
    app = {"appId": request.application.client_id, "appName": request.application.name}
    content = replace(content, app=app, destination=described(request.destination, key.spelling))
    request.content_sealed = vault.seal(CONTENT, request.pk, json.dumps(vars(content), ensure_ascii=False))
    text = content.text if request.proof == Proof.TRANSACTION_ID else message_for(_shown(request, content, key))
    request.message_sealed = vault.seal(MESSAGE, request.pk, text)
    number = f"{secrets.randbelow(NUMBERS):02}" if request.application.number_matching else ""
    request.number_digest = number_digest(request, number) if number else ""
    return number


def number_digest(request: TwoFactorRequest, number: str) -> str:
    """What is kept of the number that both sides show: keyed, and good for this round only."""
    return vault.digest("twofa.number", request.request_id, number)


def _shown(request: TwoFactorRequest, content: Content, key: DeviceKey) -> Shown:
    return Shown(
        bank=request.bank.code,
        origin=settings.BASE_URL,
        id=request.pk,
        request_id=request.request_id,
        account=request.account.public_id,
        app=content.app or {},
        operation=content.operation,
        text=content.text,
        source=content.source,
        destination=content.destination or {},
        key_fingerprint=key.fingerprint,
        nonce=secrets.token_hex(NONCE_BYTES),
        requested_at=request.requested_at,
        expires_at=request.expires_at,
    )
