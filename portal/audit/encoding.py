"""An event as bytes: what the MAC is made over, and what the tree's leaf is made of."""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

VERSION = "audit-event/1"
CURRENT_KEY = "a1"

# The order in which columns are encoded, and read for it. `mac` follows them where a whole row is read.
COLUMNS = (
    "id",
    "bank_id",
    "device_id",
    "at",
    "event",
    "outcome",
    "code",
    "actor_kind",
    "actor_id",
    "actor_label",
    "channel",
    "object_type",
    "object_id",
    "object_label",
    "reason",
    "ip",
    "request_id",
    "data",
    "mac_key",
)
WHOLE_ROW = (*COLUMNS, "mac")

type Row = tuple[UUID, UUID | None, UUID | None, datetime, *tuple[str, ...]]

_json: Callable[[object], str] = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(row: Row) -> bytes:
    """The columns as a JSON array of texts and nulls, which no other columns share. ASCII.

    `row` holds the values of COLUMNS; what follows them is left out.
    """
    event_id, bank_id, device_id, at = row[:4]
    return _json(
        [
            VERSION,
            event_id.hex,
            bank_id and bank_id.hex,
            device_id and device_id.hex,
            at.astimezone(UTC).isoformat(timespec="microseconds"),
            *row[4 : len(COLUMNS)],
        ]
    ).encode("ascii")


def mac(encoded: bytes, key_id: str) -> str:
    """The keyed MAC of an encoded event: HMAC-SHA-256 (RFC 2104) in hex; "" where the key is not known."""
    if key_id != CURRENT_KEY:
        return ""
    return hmac.digest(settings.AUDIT_KEY, encoded, "sha256").hex()


def leaf_data(encoded: bytes, event_mac: str) -> bytes:
    """What the tree keeps a hash of: the whole row with its MAC, so that a leaf can be checked without any key."""
    return encoded + event_mac.encode()
