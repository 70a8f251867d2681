"""An event as bytes: what the MAC is made over, and what the tree's leaf is made of."""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Cast, Replace

from portal.audit.models import AuditEvent

VERSION = "audit-event/1"
CURRENT_KEY = "a1"

# The order in which columns are encoded. The first three are ids, the fourth is a time, the others are texts.
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

# The values of WHOLE_ROW; ids as 32 hex digits, which are several times cheaper than objects.
type Row = tuple[str, str | None, str | None, datetime, *tuple[str, ...], str, str]

# `default`: what is no text (SQLite keeps anything in any column) is written as one, and no MAC fits it.
_json: Callable[[object], str] = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=repr).encode


def hex_of(column: str) -> Replace:
    """An id column as 32 hex digits: SQLite keeps it so, PostgreSQL writes hyphens in between."""
    return Replace(Cast(column, CharField()), Value("-"), Value(""))


def rows_of(events: QuerySet[AuditEvent]) -> "QuerySet[AuditEvent, Row]":
    """The whole rows of some events, as `encode` takes them."""
    return events.values_list(*map(hex_of, WHOLE_ROW[:3]), *WHOLE_ROW[3:])


def encode(row: Row) -> bytes:
    """The columns as a JSON array of texts and nulls, which no other columns share. ASCII.

    Its MAC, the last value, is left out.
    """
    at = row[3] and row[3].astimezone(UTC).isoformat(timespec="microseconds")  # none: SQLite, and no time in it
    return _json([VERSION, *row[:3], at, *row[4 : len(COLUMNS)]]).encode("ascii")


def mac(encoded: bytes, key_id: str) -> str:
    """The keyed MAC of an encoded event: HMAC-SHA-256 (RFC 2104) in hex; "" where the key is not known."""
    if key_id != CURRENT_KEY:
        return ""
    return hmac.digest(settings.AUDIT_KEY, encoded, "sha256").hex()


def leaf_data(encoded: bytes, event_mac: str) -> bytes:
    """What the tree keeps a hash of: the whole row with its MAC, so that a leaf can be checked without any key."""
    return encoded + str(event_mac).encode()
