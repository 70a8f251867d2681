"""Two-factor requests in messages to applications: Hyphen's `hyphen:data`, and what a webhook says."""

import json
from typing import Final

from devices.models import Device
from portal.api.hyphen.twofa_serializers import OneTwoFactor, seen
from portal.api.hyphen.wire import DIALECT
from portal.core import clock
from twofa.models import TwoFactorRequest

# Firebase and Apple take 4096 bytes, with the names and what the gateway adds.
MOST_BYTES: Final = 3800


def body_for(request: TwoFactorRequest, device: Device | None) -> str:
    """`{"twoFactorAuth": …}` as this device sees it; None for a new one that waits to be let in.

    Where that is too long for a push service, `message` is empty: the application then gets the request itself.
    """
    body = OneTwoFactor({"two_factor_auth": seen(request, device.pk if device is not None else None)}).data
    text = _written(body)
    if len(json.dumps(text, ensure_ascii=False).encode()) > MOST_BYTES:  # as it stands in the service's own JSON
        body["two_factor_auth"]["request"]["message"] = ""
        text = _written(body)
    return text


def notice_for(request: TwoFactorRequest) -> str:
    """What a webhook says: which request, and what it is now. Nothing that was shown; that, its reader fetches.

    type, timestamp, data: as Standard Webhooks 1.0 has them.
    """
    data = {"id": str(request.pk), "requestId": str(request.request_id), "status": str(request.state)}
    told = {"type": "2fa-status-change", "timestamp": clock.rfc3339(clock.now()), "data": data}
    return json.dumps(told, separators=(",", ":"))


def _written(body: object) -> str:
    return json.dumps(DIALECT.spelling.body(body), ensure_ascii=False, separators=(",", ":"))
