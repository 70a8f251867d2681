"""Writing events. What happened is written in the operation's own transaction; what was refused, after it."""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.cache import cache
from django.db import Error as DatabaseProblem
from django.db import connection, models, transaction

from portal.audit import encoding
from portal.audit.events import Event, Outcome
from portal.audit.models import AuditEvent
from portal.core import clock, ids
from portal.core.actor import Actor
from portal.core.json import canonical

logger = logging.getLogger(__name__)

LONGEST_TEXT = 2000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL keeps no NUL, UTF-8 no half of a surrogate pair


@dataclass(frozen=True)
class About:
    """What an event is about, by value, where its row is not at hand. type: the model's name."""

    type: str = ""
    id: str = ""
    label: str = ""
    bank_id: UUID | None = None


def record(
    actor: Actor,
    event: str,
    obj: models.Model | About | None,
    *,
    before: object = None,
    after: object = None,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Write that something was done. Call it inside the operation's transaction: both stand or neither.

    obj: what it was done to; named by its model, its key and str(), and the event belongs to its bank (without
    one, to the actor's). before, after, details: plain values; never a secret, PIN, code or phrase, nor a value
    that is sealed at rest. One INSERT. Raises RuntimeError outside a transaction, ValueError for an event that
    `Event` does not name.
    """
    _require_transaction()
    return _write(prepared(actor, event, obj, before=before, after=after, reason=reason, details=details))


def prepared(
    actor: Actor,
    event: str,
    obj: models.Model | About | None,
    *,
    before: object = None,
    after: object = None,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> AuditEvent:
    """The event that `record` would write, whole but not written; for loading very many at once."""
    parts = {
        "before": before,
        "after": after,
        "details": details,
        "claims": actor.claims,
        "approval": _approval(actor),
    }
    return _made(actor, event, Outcome.DONE, "", _named(obj), reason, parts)


def record_refusal(
    actor: Actor,
    event: str,
    obj: models.Model | None,
    *,
    code: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Write a failed attempt that counts (PIN, code, signature) in the transaction that counts it.

    The operation commits it before it raises. The rest is as in `record`.
    """
    _require_transaction()
    parts = {"details": details, "claims": actor.claims, "approval": _approval(actor)}
    return _write(_made(actor, event, Outcome.REFUSED, code, _named(obj), reason, parts))


def refuse(
    actor: Actor,
    event: str,
    *,
    code: str,
    object_type: str = "",
    object_id: str = "",
    object_label: str = "",
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Write a refusal in a transaction of its own; for doors, after the operation was rolled back.

    code: the rule that refused. object_id: a UUID or another id of ours, never what a caller sent unread. A
    database that does not answer is logged and no error: the caller still has an answer to give. Raises
    RuntimeError inside a transaction.
    """
    parts = {"details": details, "claims": actor.claims, "approval": _approval(actor)}
    about = About(object_type, object_id, object_label)
    try:
        with transaction.atomic(durable=True):
            _write(_made(actor, event, Outcome.REFUSED, code, about, reason, parts))
    except DatabaseProblem:
        logger.exception(
            "a refusal could not be written to the audit log", extra={"audit_event": event, "code": code}
        )


def refuse_limited(
    actor: Actor, event: str, *, code: str, reason: str = "", details: Mapping[str, object] | None = None
) -> bool:
    """Write that a caller is over its limit: one event per caller and minute. Returns whether it was written.

    A caller is the actor, or its address where nobody is known. Without a cache every refusal is written.
    """
    first = _first_this_minute(actor)
    if first:
        refuse(actor, event, code=code, reason=reason, details=details)
    return first


def _first_this_minute(actor: Actor) -> bool:
    minute = int(clock.now().timestamp()) // 60
    caller = f"{actor.kind}|{actor.bank_id}|{actor.id or actor.ip}|{minute}"
    key = f"audit.limited.{hashlib.sha256(caller.encode('utf-8', 'replace')).hexdigest()}"
    try:
        return bool(cache.add(key, 1, timeout=120))
    except Exception:
        logger.warning("the cache did not answer; the refusal is written uncounted", exc_info=True)
        return True


def _approval(actor: Actor) -> dict[str, str]:
    """The second person's yes that the actor acts by, if any."""
    return {"id": actor.approval.id, "by": actor.approval.by} if actor.approval else {}


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of the change it tells of")


def _named(obj: models.Model | About | None) -> About:
    if obj is None:
        return About()
    if isinstance(obj, About):
        return obj
    bank_id = getattr(obj, "bank_id", None)
    return About(str(obj._meta.model_name), str(obj.pk), str(obj), bank_id if isinstance(bank_id, UUID) else None)


def _write(event: AuditEvent) -> AuditEvent:
    event.save(force_insert=True)
    return event


def _made(
    actor: Actor,
    event: str,
    outcome: Outcome,
    code: str,
    about: About,
    reason: str,
    parts: Mapping[str, object],
) -> AuditEvent:
    row = AuditEvent(
        id=ids.uuid7(),
        at=clock.now(),
        event=Event(event).value,
        outcome=outcome.value,
        code=_clipped(code, 64),
        actor_kind=actor.kind.value,
        actor_id=_clipped(actor.id, 64),
        actor_label=_clipped(actor.label, 200),
        channel=actor.channel.value,
        bank_id=about.bank_id or actor.bank_id,
        device_id=actor.device_id,
        object_type=_clipped(about.type, 32),
        object_id=_clipped(about.id, 64),
        object_label=_clipped(about.label, 200),
        reason=_clipped(reason, LONGEST_TEXT),
        ip=_clipped(actor.ip, 45),
        request_id=_clipped(actor.request_id, 64),
        data=canonical({name: _plain(part) for name, part in parts.items() if part not in (None, {})}).decode(),
        mac_key=encoding.CURRENT_KEY,
    )
    row.mac = encoding.mac(encoding.encode(_columns(row)), row.mac_key)
    return row


def _columns(row: AuditEvent) -> encoding.Row:
    """The row as it will be read back, its MAC still empty."""
    texts = [str(getattr(row, name)) for name in encoding.COLUMNS[4:-1]]
    bank_id = row.bank_id.hex if row.bank_id else None
    device_id = row.device_id.hex if row.device_id else None
    return (row.id.hex, bank_id, device_id, row.at, *texts, row.mac_key, row.mac)


def _clipped(text: str, longest: int) -> str:
    """A text that both databases keep as it is. A longer one ends in an ellipsis."""
    kept = _UNSTORABLE.sub("\ufffd", str(text))
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _plain(value: object) -> object:
    """The value in JSON's types; what has none is written as its text."""
    match value:
        case None | bool() | int():
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_clipped(str(key), LONGEST_TEXT): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case set() | frozenset():
            return sorted(_clipped(str(item), LONGEST_TEXT) for item in value)
        case _:
            return _clipped(str(value), LONGEST_TEXT)
