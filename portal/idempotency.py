"""Idempotency keys: a POST that is sent again gets the first answer again, for 24 hours.

    answer = begin(client_id=…, user_id=…, path=…, key=…, body=…)
    Replay                → send it
    Fresh → do the work   → finish(fresh, …), or abandon(fresh) when it raised

The first call claims the key by inserting a row, so of any number of racing calls one does the work. Two queries at
most for each call; a call without the header has none.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from portal import vault
from portal.core import clock
from portal.core.errors import Conflict, InvalidInput
from portal.crypto.codes import same
from portal.crypto.digests import keyed_digest
from portal.models import StoredAnswer

KEPT = timedelta(hours=24)
CLAIM = timedelta(seconds=60)  # far above the longest request; an older claim's process is dead
PURPOSE = "answer"
HEADERS_KEPT = frozenset({"content-type", "content-language", "location", "preference-applied", "cache-control"})
AT_WORK, NOT_KEPT = 0, 1  # what `status` says before there is an answer, and instead of one

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True)
class Fresh:
    """This call does the work. Hand it back to `finish`, `finish_unkept` or `abandon`."""

    scope: str
    claimed_at: datetime


@dataclass(frozen=True)
class Replay:
    """The first call's answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(
    *, client_id: object, user_id: object, path: str, key: str, body: bytes, secret: bool = False
) -> Fresh | Replay:
    """Claim a key for one client, user and path, or find the answer that it already has. Not inside a transaction.

    secret: the body holds a PIN or a code. To tell whether a body came before is then a guess that nobody counts, so
    a key gives one: after another body it is burnt, and gets `answer-not-kept` whatever comes. While the first call
    is at work nothing is compared.

    Raises InvalidInput `idempotency-key-invalid` (not 1–255 printable ASCII characters), InvalidInput
    `idempotency-key-reused` (the key came with another body), Conflict `idempotency-key-in-use` (the first call is
    still at work; after 60 seconds it is taken for dead and the next one does the work) and Conflict
    `answer-not-kept` (the work is done, its answer was not kept).
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput("Idempotency-Key has 1 to 255 printable characters.", code="idempotency-key-invalid")
    scope = _digest("scope", str(client_id), str(user_id), path, key)
    body_digest = _digest("body", scope, body)
    now = clock.now()
    try:
        with transaction.atomic(durable=True):
            StoredAnswer.objects.create(scope=scope, body_digest=body_digest, created_at=now)
    except IntegrityError:
        return _earlier(scope, body_digest, now, secret)
    return Fresh(scope, now)


def _digest(purpose: str, *parts: str | bytes) -> str:
    return keyed_digest(settings.DIGEST_KEY, f"idempotency.{purpose}", *parts)


def _earlier(scope: str, body_digest: str, now: datetime, secret: bool) -> Fresh | Replay:
    row = StoredAnswer.objects.filter(scope=scope).first()
    if row is None:  # abandoned between the two queries: the caller tries again
        raise _in_use()
    if row.created_at <= now - KEPT:
        return _take_over(row, body_digest, now)
    at_work = row.status == AT_WORK and row.created_at > now - CLAIM
    if secret and at_work:
        raise _in_use()
    if secret and row.status == NOT_KEPT:
        raise _not_kept()
    if not same(row.body_digest, body_digest):
        if secret:
            _burn(row)
        raise InvalidInput("The Idempotency-Key came with another body before.", code="idempotency-key-reused")
    if at_work:
        raise _in_use()
    if row.status == AT_WORK:
        return _take_over(row, body_digest, now)
    if row.status == NOT_KEPT:
        raise _not_kept()
    headers, body = json.loads(vault.unseal(PURPOSE, scope, row.answer_sealed))
    return Replay(row.status, headers, body.encode("latin-1"))


def _in_use() -> Conflict:
    return Conflict("The first call with this Idempotency-Key is still at work.", code="idempotency-key-in-use")


def _not_kept() -> Conflict:
    return Conflict("This was done already; its answer is not kept.", code="answer-not-kept")


def _burn(row: StoredAnswer) -> None:
    """Let a key say nothing more about the body that it came with."""
    unchanged = StoredAnswer.objects.filter(scope=row.scope, created_at=row.created_at, status=row.status)
    unchanged.update(status=NOT_KEPT, body_digest="", answer_sealed="")


def _take_over(row: StoredAnswer, body_digest: str, now: datetime) -> Fresh:
    """Claim a row whose time is over. The moment of the claim says whose it is, so only one gets it."""
    unchanged = StoredAnswer.objects.filter(scope=row.scope, created_at=row.created_at, status=row.status)
    taken = unchanged.update(status=AT_WORK, body_digest=body_digest, answer_sealed="", created_at=now)
    if not taken:
        raise _in_use()
    return Fresh(row.scope, now)


def finish(fresh: Fresh, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep the answer, sealed. 401, 429 and 5xx are never kept: there it does what `abandon` does.

    Of the headers only those that describe the body are kept, sealed with it: `Location` names a device by its
    external identifier. A claim that was taken over meanwhile keeps nothing.
    """
    if status in (401, 429) or status >= 500:
        return abandon(fresh)
    kept = {name: value for name, value in headers.items() if name.lower() in HEADERS_KEPT}
    answer = json.dumps([kept, body.decode("latin-1")])  # any bytes are latin-1
    _claimed(fresh).update(status=status, answer_sealed=vault.seal(PURPOSE, fresh.scope, answer))
    return None


def finish_unkept(fresh: Fresh) -> None:
    """The work is done, and its answer (a token) must not be kept: a repeat gets `answer-not-kept`."""
    _claimed(fresh).update(status=NOT_KEPT)


def abandon(fresh: Fresh) -> None:
    """Nothing was done that a repeat should find: give the key back."""
    _claimed(fresh).delete()


def _claimed(fresh: Fresh) -> QuerySet[StoredAnswer]:
    return StoredAnswer.objects.filter(scope=fresh.scope, created_at=fresh.claimed_at, status=AT_WORK)
