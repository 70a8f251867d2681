"""Signed answers, for clients that have a sign secret."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from portal.core import base64url

ALGORITHM: Final = "HMAC-SHA256"


def signed(data: Mapping[str, object], secret: str) -> dict[str, str]:
    """The parts of a container that change: `data` as base64url of its JSON, and the signature over that text."""
    text = base64url.encode(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
    signature = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return {"data": text, "algorithm": ALGORITHM, "sig": base64url.encode(signature)}
