"""What a device signs: one canonical text that binds everything it shows (RFC 8785).

Change any field and the signature does not hold. The decision is inside: a signature says “approve” of this request,
in this round, by this device, until this moment, and nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from devices.models import Device, Kind
from devices.systems import read_system
from portal.core.clock import rfc3339
from portal.core.json import canonical

DOMAIN: Final = "device-portal/2fa-approval/v1"  # another version, another text: no signature fits both


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Everything that a request binds: all that is shown of it, and what makes it this one.

    bank, origin: whose it is. request_id: of this round. app: who asks. nonce: 128 random bits in hex.
    operation: `userOpInfo` as it is shown. text: what the caller passed as message, or "". source, destination: the
    devices as they are shown; the source is None where no registered one waits.
    """

    bank: str
    origin: str
    id: UUID
    request_id: UUID
    account: str
    app: Mapping[str, str]
    operation: Mapping[str, object]
    text: str
    source: Mapping[str, object] | None
    destination: Mapping[str, object]
    key_fingerprint: str
    nonce: str
    requested_at: datetime
    expires_at: datetime


def message_for(shown: Shown) -> str:
    """The text to sign, as UTF-8. The same for the same values, in every release of this version."""
    return canonical(
        {
            "domain": DOMAIN,
            "decision": "approve",
            "issuer": {"bank": shown.bank, "origin": shown.origin},
            "id": str(shown.id),
            "requestId": str(shown.request_id),
            "account": shown.account,
            "app": shown.app,
            "userOpInfo": shown.operation,
            "text": shown.text,
            "srcDevice": shown.source,
            "destDevice": {**shown.destination, "key": shown.key_fingerprint},
            "nonce": shown.nonce,
            "requestedAt": rfc3339(shown.requested_at),
            "expiresAt": rfc3339(shown.expires_at),
        }
    ).decode()


def signer_of(message: str) -> str:
    """The fingerprint of the key that a message of ours is for: another one does not sign it."""
    return str(json.loads(message)["destDevice"]["key"])


def described(device: Device, key_spelling: str) -> dict[str, str]:
    """A device as both sides see it and as it is signed: Hyphen's fields, all but its push token."""
    system = read_system(device.operating_system, device.manufacturer)
    return {
        "id": str(device.pk),
        "publicKey": key_spelling,
        "sdkVersion": device.sdk_version,
        "name": device.nickname,
        "osName": system.name,
        "osVersion": system.version,
        "deviceManufacturer": device.manufacturer,
        "deviceModel": device.model,
        "lang": device.language,
        "type": "tablet" if device.kind == Kind.TABLET else "mobile",
    }
