"""Signed POSTs as Standard Webhooks 1.0 has them: a receiver sees who sent a body, which one, and when."""

import base64
import hmac
from datetime import datetime

KEY_BYTES = 24  # at least, and at most 64 (Standard Webhooks, "Signature scheme")


def signed_headers(key: bytes, *, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers over id, moment and body: HMAC-SHA-256 in base64, marked `v1`.

    id: of the message, the same at each try; it holds no full stop. Raises ValueError for such an id or a short key.
    """
    if len(key) < KEY_BYTES or not id or "." in id:
        raise ValueError("a signed POST needs a key of 24 bytes and an id without a full stop")
    moment = str(int(at.timestamp()))
    signature = hmac.digest(key, b".".join((id.encode(), moment.encode(), body)), "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
